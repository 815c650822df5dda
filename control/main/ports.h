// restrict-user-to-ports: "tcp(443), udp(), icmp()", or all but these with "!( ... )". Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

struct port_rule {
	uint8_t protocol; // IPPROTO_TCP and so on
	uint16_t port;    // 0: any, or the protocol has none
};

struct port_rules {
	bool but; // all but these
	unsigned n;
	struct port_rule rule[LIMIT_PORTS];
};

// 0; -EINVAL, and then *wrong points at what does not belong there (NULL: something is missing at the end); -E2BIG.
int ports_parse(const char *text, struct port_rules *out, const char **wrong);
const char *ports_name(const struct port_rule *r); // of its protocol
bool ports_numbered(const struct port_rule *r);    // has the protocol ports?
// As it would be written by hand. Always fits into so many bytes.
#define PORTS_TEXT (LIMIT_PORTS * 14 + 8)
void ports_print(const struct port_rules *r, char out[PORTS_TEXT]);
