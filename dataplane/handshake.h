// Which ClientHello belongs to which handshake of a tunnel, and which paths are a tunnel's. Control thread only.
// A handshake has a number that is never used twice in a tunnel's life. At most two are unfinished at a time; the one whose keys
// are in force has left its slot. What is replayed from elsewhere gets at most the slot that nobody honest needs.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tables.h"
#include "tunnel.h"

#define HANDSHAKE_SLOTS 2
#define HANDSHAKE_PAST 8
#define HELLO_RANDOM 32

struct handshake {
	uint32_t number;              // 0: the slot is free
	uint8_t cipher;               // enum aead_cipher; AEAD_NONE: no keys yet
	uint8_t core;                 // index of the core that its records come to
	uint64_t started;             // TSC
	struct path path;             // as the latest ClientHello came
	uint8_t random[HELLO_RANDOM]; // names the client's attempt
};

struct handshakes {
	struct handshake slot[HANDSHAKE_SLOTS];
	uint32_t last;                 // highest number given out
	uint32_t confirmed;            // number whose keys are in force; 0: none
	uint8_t cipher;                // of these
	struct path path;              // of these; family 0: none
	struct path left;              // of the keys before, from where something may still come; family 0: none
	uint64_t past[HANDSHAKE_PAST]; // beginnings of randoms that have had their handshake
	unsigned n_past;
};

// Where paths are looked up, and how to tell whether another tunnel still needs one.
struct path_book {
	struct tables *tables;
	uint64_t hz; // TSC
	// Is this path's owner alive on it? May take the path from it (and forget it there) when not.
	bool (*yields)(void *who, uint32_t owner, const struct path *p);
	void *who;
};

// The random of a ClientHello in its first record, or NULL.
const uint8_t *hello_random(const uint8_t *datagram, size_t len);

// The handshake of this ClientHello, a new one where it begins one. NULL: a replay, or no slot or path to be had.
struct handshake *handshake_hello(const struct path_book *b, struct handshakes *h, uint32_t tunnel, const struct path *from,
                                  const uint8_t random[HELLO_RANDOM], uint64_t now);
// The one that other records of this path belong to: the youngest. NULL: none.
struct handshake *handshake_of_path(struct handshakes *h, const struct path *from);
struct handshake *handshake_find(struct handshakes *h, uint32_t number);
// The number that this path goes by, that of the keys in force included; 0: none. And the way back; NULL: it has none any more.
uint32_t handshake_number(struct handshakes *h, const struct path *from);
const struct path *handshake_path(struct handshakes *h, uint32_t number);
bool handshake_running(const struct handshakes *h); // is there one that has not come to an end?

// DTLS_KEYS has come for it: an older handshake's unconfirmed keys are out of use.
void handshake_keyed(const struct path_book *b, struct handshakes *h, uint32_t tunnel, struct handshake *s, uint8_t cipher);
// Its keys are in force: older handshakes are forgotten, and the path of the keys before is the one that was left. false: it is
// none of ours.
bool handshake_confirmed(const struct path_book *b, struct handshakes *h, uint32_t tunnel, uint32_t number);
// Nothing comes from there any more. And: is it that path, and nothing else of ours?
void handshake_leave(const struct path_book *b, struct handshakes *h, uint32_t tunnel);
bool handshake_has_left(struct handshakes *h, const struct path *p);
// The peer has moved to another path, under the keys of that number. false: they are not in force any more, or the path is not to
// be had.
bool handshake_roamed(const struct path_book *b, struct handshakes *h, uint32_t tunnel, uint32_t number, const struct path *to);
// Forget those that nobody finished within a minute.
void handshake_sweep(const struct path_book *b, struct handshakes *h, uint32_t tunnel, uint64_t now);
// The path is another tunnel's now: no handshake of ours can go on there.
void handshake_lose_path(struct handshakes *h, const struct path *p);
void handshake_forget(const struct path_book *b, struct handshakes *h, uint32_t tunnel);
