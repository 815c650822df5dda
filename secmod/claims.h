// What a proven token must say to let its bearer in, and who that is: OpenID Connect Core 3.1.3.7, RFC 7519 4.1. Pure.
// The rules are those of the file that oidc[config=FILE] names; its keys are ocserv's, and some of ours.
#pragma once
#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include "proto/limits.h"

#define CLAIMS_URL 1024
#define CLAIMS_PATH 1024
#define CLAIMS_NAME 127
#define CLAIMS_FILE 65536 // bytes of the file
#define CLAIMS_SKEW 60    // seconds that the clocks of issuer and gateway may differ

struct claims_rules {
	char url[CLAIMS_URL + 1];          // openid_configuration_url: https only
	char ca_file[CLAIMS_PATH + 1];     // "": the system's
	char user_claim[CLAIMS_NAME + 1];  // user_name_claim
	char group_claim[CLAIMS_NAME + 1]; // group_name_claim, ""
	unsigned fresh_seconds;            // minimum_jwk_refresh_time: an unknown key is asked for no more often
	json_t *required;                  // required_claims, and aud of client_id
};

// From the file's text. 0; or -EINVAL and `text` says what is wrong with it.
int claims_rules_read(const char *json, size_t len, struct claims_rules *out, char text[LIMIT_TEXT + 1]);
void claims_rules_fini(struct claims_rules *r);

// issuer: what its discovery document says that it is. group: what the client wants, or "". 0 and the names; or -EACCES and *why.
struct claims_who {
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1];
};
int claims_check(const struct claims_rules *r, const json_t *claims, const char *issuer, const char *group, time_t now,
                 struct claims_who *out, const char **why);
