// DTLS 1.2 records (RFC 6347 4.1) as a worker meets them: headers to look at, its own handshake's keys, and its own sealed records.
// Worker only. No I/O.
#pragma once
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/messages.h"

#define RECORD_HEADER 13
#define RECORD_CCS 20
#define RECORD_ALERT 21
#define RECORD_HANDSHAKE 22
#define RECORD_DATA 23
#define HANDSHAKE_HEADER 12

struct record {
	uint8_t type;
	uint16_t epoch;
	uint64_t sequence;
	const uint8_t *body;
	size_t len;   // of body
	size_t whole; // header and body
};

// The record at the start of buf; -EBADMSG where none is whole.
int record_parse(const uint8_t *buf, size_t len, struct record *out);

// Of the handshake message, or fragment of one, at *at of an unencrypted handshake record: the length of the whole message, and
// where in it the fragment ends. *at moves on behind it. -EBADMSG where there is none.
int record_handshake_span(const struct record *r, size_t *at, uint32_t *message_len, uint32_t *end);

// RFC 5246 5, RFC 2246 5 with "MD5-SHA1" for digest: 0 or -EIO.
int record_prf(const char *digest, const uint8_t *master, size_t master_len, const char *label, const uint8_t *seed,
               size_t seed_len, uint8_t *out, size_t len);

// The key block of a handshake whose master secret is known (RFC 5246 6.3): fills cipher, keys and IVs.
int record_keys_derive(SSL *ssl, struct msg_dtls_keys *out);

// A fatal alert under our own write keys, with that number: its length, or -EIO. Never two with the same number.
int record_alert(const struct msg_dtls_keys *keys, uint64_t sequence, uint8_t out[LIMIT_FAREWELL]);

// Open a record that our own side sealed. The plaintext's length, or -EBADMSG.
int record_open(const struct msg_dtls_keys *keys, const uint8_t *aead_key, const uint8_t *aead_iv, const struct record *r,
                uint8_t *plain, size_t room);
