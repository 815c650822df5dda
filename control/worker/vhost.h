// The virtual hosts of a nursery: each has a TLS context with certificates of its own, and the name in a client's ClientHello picks
// one (RFC 6066 3). Number 0 is the default one, of those whose name is no other's or who say none.
// Loaded before the first fork, shared by all workers and never changed. Nursery and worker.
#pragma once
#include <openssl/ssl.h>
#include <stdint.h>

#include "camouflage.h"
#include "ciphers.h"
#include "headers.h"
#include "offers.h"
#include "pages.h"
#include "proto/limits.h"
#include "proto/snapshot.h"
#include "staple.h"

#define VHOST_GROUPS_TEXT 64

struct vhost {
	char name[LIMIT_VHOST + 1]; // in small letters; "": the default one
	uint8_t number;             // the snapshot's, and sec-mod's of this connection
	SSL_CTX *tls;
	struct offers offers;
	struct camouflage camouflage;
	struct ciphers dtls;            // that DTLS may have
	char groups[VHOST_GROUPS_TEXT]; // the context's, where the configuration names them
	struct headers headers;
	uint8_t sha1[LIMIT_SERVER_KEYS][CERT_SHA1_SIZE]; // of each key's certificate
	unsigned n_certs;
	const X509 *cert[LIMIT_SERVER_KEYS];     // the context's
	struct staple staple[LIMIT_SERVER_KEYS]; // of each
};

struct vhosts {
	struct vhost vhost[LIMIT_VHOSTS];
	unsigned n;
};

// 0 or -errno, and text says which option of which virtual host is wrong and why. `v` stays where it is from here on.
int vhosts_load(struct vhosts *v, const struct snapshot *conf, char text[LIMIT_TEXT + 1]);
void vhosts_free(struct vhosts *v);

// Whose connection it is: what its last ClientHello says, and the default one before that.
const struct vhost *vhost_of(const SSL *ssl);
