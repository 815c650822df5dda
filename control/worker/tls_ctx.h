// The TLS server context that all connections of a virtual host share: certificates, and keys that only sec-mod has. Nursery only.
#pragma once
#include <openssl/ssl.h>

#include "proto/limits.h"

struct vhosts;

// Without certificates yet. NULL: out of memory.
SSL_CTX *tls_ctx_new(void);
// The certificate (chain) of a PEM file, with sec-mod's key number `key` of a virtual host. 0 or -errno, and text says which file
// is wrong and why.
int tls_ctx_add(SSL_CTX *ctx, const char *file, unsigned vhost, unsigned key, char text[LIMIT_TEXT + 1]);

// Handshakes in memory, TLS 1.2 and 1.3 and DTLS: all that OpenSSL makes at its first use is made before the first fork, and
// shared. 0 or -errno.
int tls_warm_up(const struct vhosts *v, SSL_CTX *dtls);
