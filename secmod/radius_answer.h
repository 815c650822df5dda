// What an Access-Accept, -Challenge or -Reject says, in our words: groups, settings of a session, what to ask the user. Pure.
// The server may be broken or taken over: what is malformed or out of range makes the whole answer useless, so that nobody gets in
// with half of his restrictions.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define RADIUS_GROUPS_MAX 512 // ocserv's bound

struct radius_answer {
	uint8_t code;                   // enum radius_code
	char message[LIMIT_PROMPT + 1]; // Reply-Messages, one after the other
	bool echo;                      // the user may see what he types (Prompt)
	uint8_t state_len;              // 0: none
	uint8_t state[253];
	char user[LIMIT_USER + 1];   // what he is called from here on (RFC 2865 5.1); "": as before
	bool member;                 // of the wanted group; true where none is wanted
	char group[LIMIT_GROUP + 1]; // the wanted one, or the first; "": none
};

// An option for this session, as a user's file would say it ("route", "10.0.0.0/8"). The value is printable. 0, or -errno: it
// cannot be kept, and the answer is useless.
typedef int (*radius_setting)(void *who, const char *key, const char *value);

// How to read it.
struct radius_reading {
	const char *wanted;     // the group that the client has chosen, "" for none
	char separator;         // between groups in Class
	radius_setting setting; // NULL: what is granted does not matter
	void *who;
};

// `bytes` have passed radius_check_answer(). NULL, or what is wrong with the answer; settings may have been told before that shows.
const char *radius_answer_read(const uint8_t *bytes, size_t len, const struct radius_reading *how, struct radius_answer *out);
