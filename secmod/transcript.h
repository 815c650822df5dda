// A TLS handshake as a worker says it was, from the ClientHello to the client's CertificateVerify: where in it stands what proves
// who the client is. Pure: bytes in, places out. The bytes are a hostile worker's: they say nothing until their signatures are
// checked.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRANSCRIPT_CERTS 16 // of a client's chain: its own and the intermediate ones
#define TRANSCRIPT_RANDOM 32

struct span {
	const uint8_t *at;
	size_t len;
};

struct transcript {
	bool tls13;
	uint16_t suite;
	const uint8_t *client_random, *server_random; // of the handshake that went on, after a HelloRetryRequest
	size_t retried;                               // bytes of the ClientHello before a HelloRetryRequest, 0: there was none
	struct span server_cert;                      // the first of the server's, DER
	size_t server_covers;                         // TLS 1.3: the server's CertificateVerify is about so many bytes
	struct span params;                           // TLS 1.2: ServerECDHParams
	uint16_t server_scheme;
	struct span server_signature;
	struct span chain[TRANSCRIPT_CERTS]; // the client's, its own first, DER
	unsigned n_chain;
	size_t client_covers; // the client's CertificateVerify is about so many bytes
	uint16_t client_scheme;
	struct span client_signature;
};

// Handshake messages with their headers, as they were hashed (RFC 8446 4.4.1, RFC 5246 7.4.8), without records. 0; -EBADMSG: they
// are no handshake of ours in which a client has shown a certificate.
int transcript_parse(const uint8_t *messages, size_t len, struct transcript *out);

// The message that stands for the first ClientHello in the hash after a HelloRetryRequest, but for the hash itself (RFC
// 8446 4.4.1).
#define TRANSCRIPT_MESSAGE_HASH 254
