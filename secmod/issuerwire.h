// What sec-mod and the process that fetches an issuer's keys (oidc_helper.c) say to each other: one fixed struct a packet.
// The helper reads what comes from the network, so what it says is checked like anybody else's words.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "secmod/claims.h"
#include "secmod/jwk.h"

#define ISSUER_HELPER "penstock-oidc"
#define ISSUER_REASON 255

enum issuerwire_kind {
	ISSUERWIRE_START = 1, // sec-mod: the only word
	ISSUERWIRE_KEY,       // helper: at most JWK_MOST of them
	ISSUERWIRE_RESULT,    // helper: last word
};

struct issuerwire_start {
	char url[CLAIMS_URL + 1], ca_file[CLAIMS_PATH + 1];
	uint32_t seconds; // of the clock
};

struct issuerwire_result {
	uint8_t ok;
	uint32_t max_age;            // Cache-Control of the keys, in seconds; 0: it says nothing
	char issuer[CLAIMS_URL + 1]; // as its tokens have to name it
	char reason[ISSUER_REASON + 1];
};

struct issuerwire {
	uint32_t kind;
	union {
		struct issuerwire_start start;
		struct jwk key;
		struct issuerwire_result result;
	};
};

bool issuerwire_from_helper(const struct issuerwire *w, size_t len);
bool issuerwire_from_secmod(const struct issuerwire *w, size_t len);
