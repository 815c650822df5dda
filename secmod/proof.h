// What proves that a client holds the key of its certificate: the handshake that its worker hands over is held against what sec-mod
// has signed for that connection, and the client's signature over it is checked. Whose certificate it is says trust.h.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secmod/transcript.h"

#define PROOF_DIGEST 32 // SHA-256

// What was signed for a connection, to know it again.
struct witness {
	uint16_t scheme; // 0: nothing yet
	bool repeats;
	uint8_t tbs[PROOF_DIGEST], signature[PROOF_DIGEST], server_cert[PROOF_DIGEST]; // SHA-256 of each
};

// server_cert: SHA-256 of the certificate whose key has signed, in_token: where that is. 0, or -EIO: OpenSSL fails.
int witness_take(struct witness *w, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, const uint8_t *signature, size_t len,
                 const uint8_t server_cert[PROOF_DIGEST], bool in_token);

// Is it the handshake of the connection that `w` is of, with our signature in it? Then that its client has signed it, with the key
// of t->chain[0]: a key that anybody may have chosen for how long this takes, so look at whose certificate it is before. 0;
// -EBADMSG: `why` says what is wrong with it.
int proof_open(const struct witness *w, const uint8_t *messages, size_t len, struct transcript *t, const char **why);
int proof_verify(const uint8_t *messages, const struct transcript *t, const char **why);

// Signatures by this scheme are the same each time, or may be: a token is free to make them so (RFC 6979). Then one of sec-mod's
// says nothing of when the client made its own: what an eavesdropper has seen of a TLS 1.2 handshake would be a proof for ever.
// Such a handshake is good once, and not for long.
bool proof_repeats(uint16_t server_scheme, bool in_token);

struct proofs;

struct proofs *proofs_new(void); // NULL, errno
void proofs_free(struct proofs *p);
// A handshake that repeats is used up, `wall` (seconds since the epoch) being now. 0; -ESTALE: its time (RFC 5246 7.4.1.2
// gmt_unix_time) is not about now; -EALREADY: it has been used; -EBUSY: too many have lately.
int proofs_use(struct proofs *p, const struct witness *w, const struct transcript *t, int64_t wall);
