// CSTP framing: "STF" 1, 16-bit length, type, 0; one packet a TLS record. Worker only. No I/O.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "proto/states.h"

#define CSTP_HEADER 8

enum cstp_type {
	CSTP_DATA = 0,
	CSTP_DPD_REQUEST = 3,
	CSTP_DPD_RESPONSE = 4,
	CSTP_DISCONNECT = 5,
	CSTP_KEEPALIVE = 7,
	CSTP_COMPRESSED = 8,
	CSTP_TERMINATE = 9,
};

struct cstp_frame {
	uint8_t type;
	const uint8_t *payload;
	size_t len;
};

// One TLS record is exactly one frame: 0 or -EBADMSG.
int cstp_parse(const uint8_t *record, size_t len, struct cstp_frame *out);
void cstp_header(uint8_t out[CSTP_HEADER], enum cstp_type type, size_t payload_len);
// What the client means by its disconnect: b0 is the user's wish, 91 or nothing is a pause.
enum end_reason cstp_goodbye(const struct cstp_frame *f);
