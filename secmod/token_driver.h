// How a kind of token is spoken to. In the helper process only, which has one key in its life; each driver keeps its own state.
#pragma once
#include "secmod/tbs.h"
#include "secmod/tokenwire.h"

struct token_driver {
	const char *scheme; // its URLs begin so
	// 0, or -EIO and `why`.
	int (*open)(const struct tokenwire_start *s, char why[TOKENWIRE_REASON + 1]);
	int (*sign)(enum key_kind kind, const struct tokenwire_sign *s, struct tokenwire_signed *out);
};

extern const struct token_driver token_pkcs11, token_tpm;

// For drivers: fills `why` and returns -EIO.
int token_refuse(char why[TOKENWIRE_REASON + 1], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
