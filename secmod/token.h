// A private key in a token (PKCS#11) or a TPM: found and used by a helper process of its own, for what runs there is foreign code,
// and as slow as the token is. A helper that dies or hangs is started anew for the next signature. The thread that asks waits.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "secmod/tbs.h"

struct token;

// Whether it names a key in a token: "pkcs11:" or "tpmkey:".
bool token_is_url(const char *text);

// Finds the key, within seconds. pin and srk_pin may be NULL: there is none. NULL: `why` has the reason.
struct token *token_open(const char *url, const char *pin, const char *srk_pin, enum key_kind kind, char why[LIMIT_TEXT + 1]);
void token_close(struct token *t);
// 0 and *len <= LIMIT_SIGNATURE, or -EIO (logged). One thread at a time.
int token_sign(struct token *t, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
               uint16_t *len);
