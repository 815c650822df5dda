// What a client may ask for by X-DTLS-CipherSuite and X-DTLS12-CipherSuite: suites for the resumption of a DTLS session that never
// was (wire protocol: DTLS variants). No key is exchanged: of a suite's key exchange there is the name only. Worker only. No I/O.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/messages.h"

struct suite {
	const char *name; // the header's word
	bool dtls12;      // of X-DTLS12-CipherSuite
	uint8_t id[2];    // the ClientHello's, RFC 5288, RFC 5289
	enum aead_cipher cipher;
	const char *text; // GnuTLS's description
};

// The best of a header's list: the preferred cipher before others, the longer key before the shorter, the client's taste after
// that. NULL: none is ours, or no list.
const struct suite *suite_choose(const char *list, bool dtls12, enum aead_cipher prefer);
