// One signature, as a TLS SignatureScheme wants it (RFC 8446 4.2.3). Whether it may be made at all is key.h's business.
#pragma once
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

// 0 and *len <= LIMIT_SIGNATURE; -ENOMEM; -EIO: OpenSSL says no, and its error queue why.
int key_sign_with(EVP_PKEY *pkey, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
                  uint16_t *len);
bool key_verify_with(EVP_PKEY *public, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, const uint8_t *signature, size_t len);
