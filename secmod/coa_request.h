// A Disconnect- or CoA-Request (RFC 5176) taken apart: whose session it is about, and what is to become of it. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"
#include "proto/limits.h"
#include "secmod/radius_packet.h"

// RFC 5176 3.6
enum coa_cause {
	COA_FINE = 0,
	COA_UNSUPPORTED_ATTRIBUTE = 401,
	COA_MISSING_ATTRIBUTE = 402,
	COA_NAS_MISMATCH = 403,
	COA_INVALID_REQUEST = 404,
	COA_UNSUPPORTED_SERVICE = 405,
	COA_INVALID_VALUE = 407,
	COA_NO_SESSION = 503,
	COA_NO_RESOURCES = 506,
	COA_IN_PROGRESS = 507,
	COA_MANY_SESSIONS = 508,
};

struct coa_request {
	bool disconnect;
	uint32_t timestamp; // Event-Timestamp; 0: none
	// the session: what is given has to match
	bool by_id, by_user, by_ipv4, by_ipv6, by_caller, by_port;
	char acct_id[RADIUS_VALUE_MAX + 1], user[RADIUS_VALUE_MAX + 1], caller[RADIUS_VALUE_MAX + 1];
	struct addr ipv4, ipv6;
	uint32_t port; // NAS-Port: main's number of the session
	// the gateway it is meant for; family 0, "": any
	struct addr nas4, nas6;
	char nas_identifier[RADIUS_VALUE_MAX + 1];
	// what is changed
	uint8_t what; // enum change_what
	uint64_t rx_rate, tx_rate;
	uint32_t session_timeout, idle_timeout;
	char filter[LIMIT_GROUP + 1];
};

// `bytes` have passed radius_check_request(). enum coa_cause: what is wrong with it.
enum coa_cause coa_request_read(const uint8_t *bytes, size_t len, struct coa_request *out);
// What the answer has to repeat (Proxy-State).
void coa_request_repeat(const uint8_t *bytes, size_t len, struct radius_attributes *out);
