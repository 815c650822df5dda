// DTLS 1.2 records and the ClientHello's App-ID (RFC 6347 4.1, 4.2; wire-protocol: DTLS variants). Bytes in, fields out: no I/O, no
// DPDK.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"

#define RECORD_HEADER 13
#define RECORD_LENGTH_MAX (16384 + 2048) // RFC 5246 6.2.3
#define RECORD_VERSION 0xfefd            // DTLS 1.2

enum content_type { CONTENT_CCS = 20, CONTENT_ALERT = 21, CONTENT_HANDSHAKE = 22, CONTENT_DATA = 23 };

// The first byte of an opened data record (wire-protocol: framing).
enum packet_type {
	TYPE_DATA = 0,
	TYPE_DPD_REQUEST = 3,
	TYPE_DPD_RESPONSE = 4,
	TYPE_DISCONNECT = 5,
	TYPE_KEEPALIVE = 7,
	TYPE_COMPRESSED = 8,
	TYPE_TERMINATE = 9,
};

// RFC 5246 7.2. User_canceled is "for some reason unrelated to a protocol failure".
enum { ALERT_WARNING = 1, ALERT_FATAL = 2, ALERT_CLOSE_NOTIFY = 0, ALERT_USER_CANCELED = 90 };

struct record {
	uint8_t type;
	uint16_t epoch;
	uint16_t length;   // of the fragment, which starts RECORD_HEADER bytes on
	uint64_t sequence; // 48 bits
};

// Epoch and sequence as one number: what the header, the nonce and the AAD carry.
static inline uint64_t record_number(const uint8_t *header)
{
	uint64_t n;

	memcpy(&n, header + 3, 8);
	return __builtin_bswap64(n);
}

// Is this the whole of a record, whatever follows it? The version is 0xfefd, but 0xfeff in a first ClientHello and in DTLS 1.0, and
// 0x0100 in Cisco's DTLS before that.
static inline bool record_parse(const uint8_t *buf, size_t len, struct record *out)
{
	if (len < RECORD_HEADER || buf[0] < CONTENT_CCS || buf[0] > CONTENT_DATA)
		return false;
	if (buf[1] != 0xfe && (buf[1] != 1 || buf[2] != 0))
		return false;
	uint16_t length = load16(buf + 11);
	if (length > RECORD_LENGTH_MAX || length > len - RECORD_HEADER)
		return false;
	uint64_t number = record_number(buf);
	out->type = buf[0];
	out->epoch = number >> 48;
	out->sequence = number & ((1ULL << 48) - 1);
	out->length = length;
	return true;
}

// Does this handshake record begin with a ClientHello?
bool record_is_hello(const uint8_t *buf, size_t len);

// The App-ID of a ClientHello that lies whole in the datagram's first record: its session id of 32 bytes, or else what extension
// 48018 holds. Points into buf; NULL: none, broken or a fragment.
#define HELLO_APP_ID 32
const uint8_t *hello_app_id(const uint8_t *buf, size_t len);
