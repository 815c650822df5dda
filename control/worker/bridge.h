// An open session: packets between the client's TLS (CSTP) and its lane, liveness, and the DTLS handshakes that arrive on the lane.
// Worker only. Driven by client.c's loop.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "cbc.h"
#include "connect.h"
#include "dtls.h"
#include "proto/chan.h"
#include "proto/dpd.h"
#include "tls.h"

#define BRIDGE_HANDSHAKES 2 // alive at once: the last good one, and a new one

// The dataplane ends a worker that is louder than the message table allows; no client may bring us there.
struct handshake_rates {
	uint64_t second;
	unsigned sends, seals;
};

// Where the records are ours (relay.c).
struct relay {
	struct cbc *all[BRIDGE_HANDSHAKES];
	struct cbc *in_force; // of these: the client has sent data under its keys
	uint32_t number;      // of the handshake in force, or of the last that was
	bool udp;             // packets to the client go by it
	enum channel_why why;
	bool untold; // the dataplane does not know that yet
	uint64_t told_ms, heard_ms;
	uint64_t keyed_ms, ended_ms; // when the keys in force were, and when we last ended them; 0: not
	uint64_t silence_ms;         // without UDP, after which packets go over CSTP; 0: never
	struct dpd dpd;
};

struct bridge {
	struct tls *tls;
	struct chan lane;
	struct chan *main; // for SESSION_INFO
	SSL_CTX *dtls_ctx;
	struct dtls_secret dtls; // of kind DTLS_KIND_NONE: there is none
	unsigned mtu;
	unsigned burst; // packets for the client that are taken from the lane at once
	size_t room;    // bytes that may wait here for the client
	struct dtls *handshakes[BRIDGE_HANDSHAKES];
	struct farewells farewells; // of the keys in force
	struct handshake_rates rates;
	struct relay relay;
	uint64_t keys_ms;        // when the last keys were handed over; 0: never
	uint32_t last_handshake; // numbers only grow: what belongs to an older one comes too late
	uint8_t *scratch;        // packets under way; empty between two calls
	enum compressor compress;
	uint16_t compress_above;
	struct packer *packer; // what compressing works in; NULL: no compression
	bool broken_told;      // that a packet could not be unpacked
	uint64_t now_ms;       // of the call that is under way
	struct dpd dpd;        // in milliseconds
	uint64_t heard_ms, busy_ms;
	uint64_t rekey_ms;     // keys are too old after that; 0: never
	uint64_t tls_keyed_ms; // when CSTP's were last new
	bool calm;
	bool more;           // read from the client once more without waiting: OpenSSL may hold records that poll() cannot see
	enum end_reason end; // the session is over: why
};

// Takes the lane. What main and the client have agreed on is in `rep` and `c`. 0 or -errno.
int bridge_init(struct bridge *b, struct tls *tls, struct chan *main, int lane_fd, SSL_CTX *dtls_ctx,
                const struct msg_auth_cookie_rep *rep, const struct connect *c, uint64_t now_ms);
void bridge_fini(struct bridge *b);
// Takes another lane in the place of the one that it has: the dataplane is another.
void bridge_lane(struct bridge *b, int fd);
// From here on longer packets are compressed, and compressed ones taken. 0 or -ENOMEM.
int bridge_compress(struct bridge *b, enum compressor how, uint16_t above);

// The client has sent something / the lane has something / time has passed. 0; or a negative errno, and b->end says why.
int bridge_from_client(struct bridge *b, uint64_t now_ms);
int bridge_from_lane(struct bridge *b, uint64_t now_ms);
int bridge_tick(struct bridge *b, uint64_t now_ms);
// Milliseconds until bridge_tick() has something to do, -1: never.
int bridge_wait_ms(const struct bridge *b, uint64_t now_ms);
// May the lane be read, or does the client have to read first?
bool bridge_has_room(const struct bridge *b);
// Tell the client that it is over.
void bridge_goodbye(struct bridge *b, enum end_reason reason);
