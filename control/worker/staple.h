// OCSP responses that a virtual host staples to its certificates (RFC 6066 8): read once by the nursery, and shared.
// One that is wrong, of another certificate or too old is warned of and not sent: a client without one asks by itself.
#pragma once
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "proto/limits.h"

// Beside both sides' certificates in LIMIT_TRANSCRIPT.
#define STAPLE_MOST 8192

struct staple {
	uint8_t *der; // NULL: none
	size_t len;
	time_t until; // 0: it does not say
};

// The response of a DER file, if it is about this certificate and says that it is good now. 0; -EAGAIN: it is about another one;
// -EINVAL, and `why` has the reason.
int staple_read(struct staple *s, const char *file, const X509 *leaf, char why[LIMIT_TEXT + 1]);
void staple_free(struct staple *s);
// To this client, if it is good still.
int staple_send(const struct staple *s, SSL *ssl, time_t now); // SSL_TLSEXT_ERR_*
