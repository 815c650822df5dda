// A DTLS ClientHello (RFC 6347 4.2.1; the same before DTLS 1.0), for those handshakes that OpenSSL does not do. Worker only. No
// I/O.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define HELLO_RANDOM 32
#define HELLO_CLIENT 1 // the message's type

struct hello {
	const uint8_t *message; // header and body; everything below points into it
	size_t len;
	uint16_t version;
	const uint8_t *random; // HELLO_RANDOM bytes
	const uint8_t *session_id, *cookie, *suites;
	size_t session_id_len, cookie_len, suites_len;
	bool uncompressed;         // null compression is offered
	bool secure_renegotiation; // RFC 5746, by its extension or its suite
};

// 0; -EBADMSG where the record does not begin with a whole ClientHello in one fragment.
int hello_parse(const struct record *r, struct hello *out);
bool hello_offers(const struct hello *h, const uint8_t suite[2]);
