// What sec-mod and the helper process of one PAM login say to each other: one fixed struct a packet, on a SOCK_SEQPACKET pair.
// Both ends are the same binary. The helper runs foreign modules, so what it says is checked like anybody else's words.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"
#include "proto/limits.h"
#include "secmod/spawn.h"

#define PAMWIRE_FD SPAWN_FD // of the helper
#define PAMWIRE_SERVICE 63
#define PAMWIRE_REASON 255
#define PAMWIRE_TTY 31

enum pamwire_kind {
	PAMWIRE_START = 1, // sec-mod: first word
	PAMWIRE_ASK,       // helper: ask the user
	PAMWIRE_ANSWER,    // sec-mod: what the user said
	PAMWIRE_RESULT,    // helper: last word
};

// What the helper is for: a login, or the session of one (accounting).
enum pamwire_session { PAMWIRE_LOGIN, PAMWIRE_OPEN, PAMWIRE_CLOSE, PAMWIRE_SESSION_LAST = PAMWIRE_CLOSE };

struct pamwire_start {
	char service[PAMWIRE_SERVICE + 1];
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1];
	char rhost[ADDR_TEXT], tty[PAMWIRE_TTY + 1];
	uint8_t session; // enum pamwire_session
	uint32_t gid_min;
	uint32_t seconds; // of CPU
};

struct pamwire_ask {
	uint8_t echo;
	char prompt[LIMIT_PROMPT + 1];
};

struct pamwire_answer {
	char password[LIMIT_PASSWORD + 1];
};

struct pamwire_result {
	uint8_t outcome; // enum auth_outcome
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1];
	char reason[PAMWIRE_REASON + 1]; // for the log
	char say[LIMIT_PROMPT + 1];      // to the user, who has proven who he is and is refused for something else
};

struct pamwire {
	uint32_t kind;
	union {
		struct pamwire_start start;
		struct pamwire_ask ask;
		struct pamwire_answer answer;
		struct pamwire_result result;
	};
};

// Is it whole, of a kind that the helper (or sec-mod) may send, with terminated strings and values in range?
// What comes from the helper must also be fit for the wire: printable, with a user where it says that one has logged in.
bool pamwire_from_helper(const struct pamwire *w, size_t len);
bool pamwire_from_secmod(const struct pamwire *w, size_t len);

// 0 or -errno. Receiving: 1, 0 when the other end has closed, -EAGAIN, -EBADMSG. `w` is zeroed before, so nothing of an old packet
// is left.
int pamwire_send(int fd, const struct pamwire *w);
int pamwire_receive(int fd, struct pamwire *w, bool (*check)(const struct pamwire *w, size_t len));
