// The certificate that a client may show in TLS. Whether it counts says sec-mod alone, which is given the handshake's messages;
// OpenSSL is asked to verify nothing but the client's signature. Worker only.
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"
#include "proto/snapshot.h"

struct ask;
struct offers;

// Nursery: a context whose clients are to be told whose certificates are taken. 0, or -errno and text.
int clientcert_prepare(SSL_CTX *ctx, const struct snapshot *conf, unsigned vhost, char text[LIMIT_TEXT + 1]);
// Its ClientHello has told whose connection it is: ask for a certificate, or do not.
void clientcert_want(SSL *ssl, const struct offers *offers);

// The handshake's messages up to the client's signature; kept only where a certificate was asked for.
struct clientcert {
	uint8_t *messages;
	size_t len, room;
	bool whole;  // the client has signed
	bool broken; // too long, or no memory: it proves nothing
};

void clientcert_watch(struct clientcert *c, SSL *ssl); // from the handshake's beginning on
void clientcert_fini(struct clientcert *c);

// After the handshake: 1: sec-mod takes the client's certificate; 0: it does not, or there is none; -errno: it cannot be asked.
int clientcert_prove(struct clientcert *c, struct ask *ask);
