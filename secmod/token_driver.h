// How a kind of token is spoken to. In the helper process only, which has one key in its life; each driver keeps its own state.
#pragma once
#include "secmod/tbs.h"
#include "secmod/tokenwire.h"

struct token_driver {
	const char *scheme; // its URLs begin so
	// 0, or -EIO and `why`; -EACCES where the PIN is not to be tried again.
	int (*open)(const struct tokenwire_start *s, char why[TOKENWIRE_REASON + 1]);
	int (*sign)(enum key_kind kind, const struct tokenwire_sign *s, struct tokenwire_signed *out);
};

extern const struct token_driver token_pkcs11, token_tpm;

// What a PKCS#11 token's flags say against one more try of a PIN. NULL: nothing.
const char *token_pin_spent(unsigned long flags);

// For drivers: fills `why` and returns -EIO.
int token_refuse(char why[TOKENWIRE_REASON + 1], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
