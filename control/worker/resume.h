// TLS resumption (RFC 5246 F.1.4, RFC 8446 2.2) whose state is with sec-mod: no worker has a key for tickets, or another client's
// session. Nursery and worker; like the signer, one connection a process.
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

struct ask;

// Nursery: sessions of this context may be resumed with this one name (a virtual host's) only.
int resume_prepare(SSL_CTX *ctx, const char *name);

// Whom to ask from now on, NULL: nobody, no session is resumed or kept.
void resume_set(struct ask *ask);

// After a handshake: was it a resumption, of a session whose client had proven a certificate that sec-mod takes?
bool resume_is_certified(void);
// In a resumption no certificate of ours is shown: the one that was shown when the session began.
void resume_shown(uint8_t cert_sha1[CERT_SHA1_SIZE]);

// Hand over what the client may resume later, once everything about the connection has been said to sec-mod; or forget it.
void resume_keep(const uint8_t cert_sha1[CERT_SHA1_SIZE]);
void resume_forget(void);
