// What a client may ask for by X-DTLS-CipherSuite and X-DTLS12-CipherSuite: suites for the resumption of a DTLS session that never
// was (wire protocol: DTLS variants). No key is exchanged: of a suite's key exchange there is the name only. Worker only. No I/O.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "ciphers.h"
#include "proto/messages.h"

struct suite {
	const char *name;        // the header's word
	bool dtls12;             // of X-DTLS12-CipherSuite
	uint8_t id[2];           // the ClientHello's, RFC 5246, RFC 5288, RFC 5289
	enum aead_cipher cipher; // AEAD_NONE: AES-CBC-SHA
	uint8_t aes;             // bytes of a key
	const char *text;        // GnuTLS's description; with AES-CBC-SHA without the version, which only the handshake shows
};

// The best of a header's list that may be: the cipher that comes first there, in the client's order; else an AEAD before CBC, and
// the longer key before the shorter. NULL: none is ours, or no list.
const struct suite *suite_choose(const char *list, bool dtls12, const struct ciphers *may);
// The best of both headers; between equals the one of X-DTLS12-CipherSuite, as ocserv does it.
const struct suite *suite_choose_any(const char *dtls12, const char *dtls, const struct ciphers *may);
