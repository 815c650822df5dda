// The TLS server context that all connections of a virtual host share: certificates, and keys that only sec-mod has. Nursery only.
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>

#include "proto/limits.h"
#include "proto/snapshot.h"

struct vhosts;

// Without certificates yet; it speaks all that may be spoken at all. NULL: out of memory.
SSL_CTX *tls_ctx_new(void);
// What tls-priorities leaves of that at a virtual host. 0 or -errno, and text says what is wrong.
int tls_ctx_rule(SSL_CTX *ctx, const struct snapshot *conf, unsigned vhost, char text[LIMIT_TEXT + 1]);
// A connection that was begun by another context goes on by this one. groups: what its rule says of them, or NULL. False: out of
// memory.
bool tls_ctx_take(SSL *ssl, SSL_CTX *ctx, const char *groups);
// The certificate (chain) of a PEM file, with sec-mod's key number `key` of a virtual host. 0 or -errno, and text says which file
// is wrong and why.
int tls_ctx_add(SSL_CTX *ctx, const char *file, unsigned vhost, unsigned key, char text[LIMIT_TEXT + 1]);

// Handshakes in memory, TLS 1.2 and 1.3 and DTLS: all that OpenSSL makes at its first use is made before the first fork, and
// shared. 0 or -errno, and text says what is wrong: also where nothing that a virtual host speaks can be signed with its keys.
int tls_warm_up(const struct vhosts *v, SSL_CTX *dtls, char text[LIMIT_TEXT + 1]);
