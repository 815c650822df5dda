// What sec-mod and the helper process of one token's key say to each other: one fixed struct a packet, on a SOCK_SEQPACKET pair.
// Both ends are the same binary. The helper runs foreign modules, so what it says is checked like anybody else's words.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"
#include "secmod/spawn.h"

#define TOKENWIRE_FD SPAWN_FD // of the helper
#define TOKENWIRE_URL 4095
#define TOKENWIRE_PIN 255
#define TOKENWIRE_REASON 255

enum tokenwire_kind {
	TOKENWIRE_START = 1, // sec-mod: first word
	TOKENWIRE_READY,     // helper: the key is found, or why not
	TOKENWIRE_SIGN,      // sec-mod
	TOKENWIRE_SIGNED,    // helper
};

struct tokenwire_start {
	char url[TOKENWIRE_URL + 1];
	char pin[TOKENWIRE_PIN + 1], srk_pin[TOKENWIRE_PIN + 1];
	uint8_t key; // enum key_kind
};

struct tokenwire_ready {
	uint8_t ok;
	uint8_t pin_refused; // not to be tried again: a token counts, and locks itself
	char reason[TOKENWIRE_REASON + 1];
};

struct tokenwire_sign {
	uint16_t scheme; // RFC 8446 4.2.3
	uint16_t len;
	uint8_t tbs[LIMIT_TBS];
};

struct tokenwire_signed {
	uint8_t ok;
	uint8_t pin_refused;
	uint16_t len;
	uint8_t signature[LIMIT_SIGNATURE];
	char reason[TOKENWIRE_REASON + 1];
};

struct tokenwire {
	uint32_t kind;
	union {
		struct tokenwire_start start;
		struct tokenwire_ready ready;
		struct tokenwire_sign sign;
		struct tokenwire_signed signature;
	};
};

// Is it whole, of a kind that the helper (or sec-mod) may send, with terminated strings and values in range?
bool tokenwire_from_helper(const struct tokenwire *w, size_t len);
bool tokenwire_from_secmod(const struct tokenwire *w, size_t len);

// 0 or -errno. Receiving: within wait_ms (-1: for ever) 1; 0 when the other end has closed; -ETIMEDOUT; -EBADMSG.
int tokenwire_send(int fd, const struct tokenwire *w);
int tokenwire_receive(int fd, struct tokenwire *w, bool (*check)(const struct tokenwire *w, size_t len), int wait_ms);
