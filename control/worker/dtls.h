// One DTLS 1.2 handshake without a socket, with a pre-shared key or as the resumption of a session that never was: datagrams in,
// datagrams and keys out. Worker only. The keys come out before the datagram that carries our Finished; from that moment the
// dataplane owns the sequence numbers, and what OpenSSL still writes under those keys comes out as plaintext to be sealed there. A
// close_notify never comes out: openconnect's DTLS would not come back after it.
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/messages.h"
#include "suite.h"

#define DTLS_PSK_SIZE 32
#define DTLS_LIFE_MS 60000 // openconnect gives a handshake 60 s

struct dtls;

// What a session's handshakes come from.
struct dtls_secret {
	enum dtls_kind kind;
	uint8_t psk[DTLS_PSK_SIZE];
	struct ciphers ciphers;    // with the pre-shared key
	const struct suite *suite; // of the resumed session, with the next two
	uint8_t id[APP_ID_SIZE];
	uint8_t master[DTLS_MASTER_SIZE];
};

// Where the output goes. The buffers are the caller's only during the call. keys: 0; -EBUSY: not now, the flight is as good as
// lost; another -errno ends the handshake. Nothing goes out under keys that were not taken.
struct dtls_road {
	void (*send)(void *who, uint32_t handshake, const uint8_t *datagram, size_t len);
	int (*keys)(void *who, const struct msg_dtls_keys *keys);
	void (*seal)(void *who, uint32_t handshake, uint8_t type, const uint8_t *plain, size_t len);
};

// What ends a client's DTLS under keys that nobody has any more: alerts that were sealed before the keys were handed over, since
// afterwards nobody here knows which numbers are used (DTLS_FAREWELLS). No key is needed to send one.
struct farewells {
	uint8_t record[DTLS_FAREWELLS][LIMIT_FAREWELL];
	uint8_t len; // of each
	uint8_t left;
};
// The next two are given away. -ENOENT: there are none left.
int farewells_take(struct farewells *f, struct msg_dtls_farewell *out);

// The context that all handshakes of this process share; holds no key.
SSL_CTX *dtls_ctx_new(void);

// secret outlives it. now_ms: monotonic. NULL, errno.
struct dtls *dtls_new(SSL_CTX *ctx, uint32_t handshake, const struct dtls_secret *secret, unsigned mtu,
                      const struct dtls_road *road, void *who, uint64_t now_ms);
void dtls_free(struct dtls *d);

// One datagram from the client. 0, or -EPROTO: the handshake has failed, free it.
int dtls_input(struct dtls *d, const uint8_t *datagram, size_t len);
// Retransmit what is due. 0; -ETIMEDOUT: it is too old, free it; -EPROTO.
int dtls_tick(struct dtls *d, uint64_t now_ms);
// Milliseconds until dtls_tick() has something to do.
int dtls_wait_ms(const struct dtls *d, uint64_t now_ms);

uint32_t dtls_number(const struct dtls *d);
bool dtls_keyed(const struct dtls *d);                        // its keys are the dataplane's
bool dtls_done(const struct dtls *d);                         // both sides have finished
const struct farewells *dtls_farewells(const struct dtls *d); // of its keys
const char *
dtls_cipher_name(const struct dtls *d); // GnuTLS's description, as occtl prints it: "(DTLS1.2)-(PSK)-(AES-256-GCM)"; "" before keys
