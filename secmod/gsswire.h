// What sec-mod and the process of one Negotiate login (gssapi_helper.c) say to each other: one fixed struct a packet.
// The helper's library reads what comes from the client, so what it says is checked like anybody else's words.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define GSS_HELPER "penstock-gssapi"
#define GSSWIRE_KEYTAB 1023
#define GSSWIRE_REASON 255

enum gsswire_kind {
	GSSWIRE_START = 1, // sec-mod: first word
	GSSWIRE_TOKEN,     // sec-mod: the client's next token; helper: one for the client, which has to answer
	GSSWIRE_RESULT,    // helper: last word
};

struct gsswire_token {
	uint16_t len;
	uint8_t data[LIMIT_TOKEN];
};

struct gsswire_start {
	char keytab[GSSWIRE_KEYTAB + 1]; // "": the system's
	char group[LIMIT_GROUP + 1];     // that the client wants, or ""
	uint32_t gid_min;
	uint32_t fresh_seconds;     // how old the user's own ticket may be; 0: any age
	uint8_t require_local_user; // a principal without a name in this system does not get in
	uint32_t seconds;           // of CPU
};

struct gsswire_result {
	uint8_t outcome; // enum auth_outcome
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1];
	char reason[GSSWIRE_REASON + 1];
	struct gsswire_token token; // for the client to be sure of the server
};

struct gsswire {
	uint32_t kind;
	union {
		struct gsswire_start start;
		struct gsswire_token token;
		struct gsswire_result result;
	};
};

bool gsswire_from_helper(const struct gsswire *w, size_t len);
bool gsswire_from_secmod(const struct gsswire *w, size_t len);
