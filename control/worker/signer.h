// OpenSSL provider whose private keys live in sec-mod: it knows the public halves and asks for signatures. Nursery and worker.
// It signs in one shot, so that sec-mod is shown the whole structure that TLS signs, never a bare digest.
#pragma once
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

// scheme: TLS SignatureScheme (RFC 8446 4.2.3). The signature's length, or a negative errno.
typedef int (*signer_ask)(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t tbs_len,
                          uint8_t *signature, size_t room);

// Once in a process, before any other use of OpenSSL's algorithms. 0 or -errno.
int signer_init(void);
// Whom to ask from now on; NULL: every signature fails.
void signer_set(signer_ask ask, void *who);

// The key pair whose public half is `public` (a certificate's) and whose private half is sec-mod's number `key` of a virtual host.
// NULL: cannot serve keys of this kind (RSA, RSA-PSS, EC and Ed25519 are served).
EVP_PKEY *signer_key_new(EVP_PKEY *public, uint8_t vhost, uint8_t key);

// The SignatureScheme of the last signature, 0: none yet; and the key that made it.
uint16_t signer_scheme(void);
uint8_t signer_key(void);
