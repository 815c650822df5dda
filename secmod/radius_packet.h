// RADIUS packets (RFC 2865, 2866, 2868, 3162, 3579, 4818, 5176, 6911): built, signed, checked and taken apart. Pure but for
// randomness: no I/O, no allocation. Not radcli's: it puts no Message-Authenticator into a request without EAP, takes answers
// without one (CVE-2024-3596), shows nobody the raw answer, cuts passwords at 112 bytes, and blocks. Of radcli we take the
// configuration (radius_config.h).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"

#define RADIUS_MAX 4096 // a whole packet, RFC 2865 3
#define RADIUS_HEADER 20
#define RADIUS_AUTHENTICATOR 16
#define RADIUS_VALUE_MAX 253
#define RADIUS_PASSWORD_MAX 128 // RFC 2865 5.2
#define RADIUS_ATTRIBUTES_MAX ((RADIUS_MAX - RADIUS_HEADER) / 2)

enum radius_code {
	RADIUS_ACCESS_REQUEST = 1,
	RADIUS_ACCESS_ACCEPT = 2,
	RADIUS_ACCESS_REJECT = 3,
	RADIUS_ACCOUNTING_REQUEST = 4,
	RADIUS_ACCOUNTING_RESPONSE = 5,
	RADIUS_ACCESS_CHALLENGE = 11,
	RADIUS_DISCONNECT_REQUEST = 40,
	RADIUS_DISCONNECT_ACK = 41,
	RADIUS_DISCONNECT_NAK = 42,
	RADIUS_COA_REQUEST = 43,
	RADIUS_COA_ACK = 44,
	RADIUS_COA_NAK = 45,
};

enum radius_type {
	RADIUS_USER_NAME = 1,
	RADIUS_USER_PASSWORD = 2,
	RADIUS_NAS_IP_ADDRESS = 4,
	RADIUS_NAS_PORT = 5,
	RADIUS_SERVICE_TYPE = 6,
	RADIUS_FRAMED_PROTOCOL = 7,
	RADIUS_FRAMED_IP_ADDRESS = 8,
	RADIUS_FRAMED_IP_NETMASK = 9,
	RADIUS_FILTER_ID = 11,
	RADIUS_REPLY_MESSAGE = 18,
	RADIUS_FRAMED_ROUTE = 22,
	RADIUS_STATE = 24,
	RADIUS_CLASS = 25,
	RADIUS_VENDOR_SPECIFIC = 26,
	RADIUS_SESSION_TIMEOUT = 27,
	RADIUS_IDLE_TIMEOUT = 28,
	RADIUS_CALLED_STATION_ID = 30,
	RADIUS_CALLING_STATION_ID = 31,
	RADIUS_NAS_IDENTIFIER = 32,
	RADIUS_PROXY_STATE = 33,
	RADIUS_ACCT_STATUS_TYPE = 40,
	RADIUS_ACCT_DELAY_TIME = 41,
	RADIUS_ACCT_INPUT_OCTETS = 42,
	RADIUS_ACCT_OUTPUT_OCTETS = 43,
	RADIUS_ACCT_SESSION_ID = 44,
	RADIUS_ACCT_AUTHENTIC = 45,
	RADIUS_ACCT_SESSION_TIME = 46,
	RADIUS_ACCT_INPUT_PACKETS = 47,
	RADIUS_ACCT_OUTPUT_PACKETS = 48,
	RADIUS_ACCT_TERMINATE_CAUSE = 49,
	RADIUS_ACCT_INPUT_GIGAWORDS = 52,
	RADIUS_ACCT_OUTPUT_GIGAWORDS = 53,
	RADIUS_EVENT_TIMESTAMP = 55,
	RADIUS_NAS_PORT_TYPE = 61,
	RADIUS_PROMPT = 76,
	RADIUS_CONNECT_INFO = 77,
	RADIUS_MESSAGE_AUTHENTICATOR = 80,
	RADIUS_ACCT_INTERIM_INTERVAL = 85,
	RADIUS_NAS_IPV6_ADDRESS = 95,
	RADIUS_FRAMED_IPV6_PREFIX = 97,
	RADIUS_FRAMED_IPV6_ROUTE = 99,
	RADIUS_ERROR_CAUSE = 101,
	RADIUS_DELEGATED_IPV6_PREFIX = 123,
	RADIUS_FRAMED_IPV6_ADDRESS = 168,
	RADIUS_DNS_SERVER_IPV6_ADDRESS = 169,
};

// ---------------------------------------------------------------------------------------------------------------- building

// The attributes of a packet that no secret is needed for. What does not fit is left out, and `full` says so.
struct radius_attributes {
	uint16_t len;
	bool full;
	uint8_t bytes[RADIUS_MAX - RADIUS_HEADER - 18 - 2 - RADIUS_PASSWORD_MAX];
};

void radius_add(struct radius_attributes *a, uint8_t type, const void *value, size_t len); // at most RADIUS_VALUE_MAX
void radius_add_text(struct radius_attributes *a, uint8_t type, const char *text);         // "": left out; cut between characters
void radius_add_number(struct radius_attributes *a, uint8_t type, uint32_t number);
void radius_add_addr(struct radius_attributes *a, uint8_t type4, uint8_t type6, const struct addr *ip); // none: left out

struct radius_packet {
	size_t len;
	uint8_t bytes[RADIUS_MAX];
};

// All are whole and signed afterwards. 0, -EMSGSIZE, or -EIO (no randomness, or an OpenSSL without MD5).
// An Access-Request with Message-Authenticator, which comes first: what is before it cannot be chosen by others.
int radius_build_access(struct radius_packet *p, uint8_t id, const struct radius_attributes *a, const char *password,
                        const char *secret);
int radius_build_accounting(struct radius_packet *p, uint8_t id, const struct radius_attributes *a, const char *secret);
// An answer to a CoA- or Disconnect-Request, with Message-Authenticator.
int radius_build_answer(struct radius_packet *p, uint8_t code, const uint8_t *request, const struct radius_attributes *a,
                        const char *secret);

// ---------------------------------------------------------------------------------------------------------------- checking

// What is wrong with it, NULL: nothing. *len becomes the packet's own length, without padding behind it.
const char *radius_check(const uint8_t *bytes, size_t *len);
// Is it the answer to our request from somebody who knows the secret? It has passed radius_check(). A Message-Authenticator has to
// be right where it is, and to be there where it is needed.
const char *radius_check_answer(const uint8_t *bytes, size_t len, const uint8_t *request, const char *secret,
                                bool needs_authenticator);
// The same of a CoA- or Disconnect-Request to us.
const char *radius_check_request(const uint8_t *bytes, size_t len, const char *secret);

struct radius_attribute {
	uint8_t type, len;
	const uint8_t *value;
	uint32_t vendor; // of a RADIUS_VENDOR_SPECIFIC: type, len and value are those of the vendor's own attribute; 0: none
};

struct radius_walk {
	const uint8_t *at, *end;
	const uint8_t *inside_end; // of the vendor's attribute that we are in; NULL: none
	uint32_t vendor;
};

// Of a packet that has passed radius_check(). A vendor's attribute with other contents than RFC 2865 5.26 recommends comes whole,
// with type 0.
void radius_walk_begin(struct radius_walk *w, const uint8_t *bytes, size_t len);
bool radius_walk_next(struct radius_walk *w, struct radius_attribute *out);
uint32_t radius_number(const struct radius_attribute *a); // four bytes long
// false: control characters or NULs in it, which others would stumble over, or longer than fits.
bool radius_read_text(const struct radius_attribute *a, char *out, size_t room);
bool radius_read_ip(const struct radius_attribute *a, uint8_t family, struct addr *out); // false: of another length
