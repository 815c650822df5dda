// What a packet carries above IP: its protocol and the port it goes to, past IPv6's extension headers. Bytes in, fields out: no
// I/O, no DPDK.
#pragma once
#include <stdint.h>

#define UPPER_HEADERS_MAX 8 // extension headers; more have no use

enum upper_kind {
	UPPER_PLAIN,   // a protocol without ports
	UPPER_PORT,    // `port` is where it goes
	UPPER_LATER,   // a fragment behind the first: of `protocol`, but the port is unknown
	UPPER_UNKNOWN, // cut off, or behind too many headers, or a later fragment of one of them
	UPPER_ROUTED,  // its source says by which hosts it goes: the destination that it shows is not its last
};

struct upper {
	uint8_t kind; // enum upper_kind
	uint8_t protocol;
	uint16_t port;
	uint16_t at; // UPPER_PLAIN, UPPER_PORT: offset of its header, which need not be whole
};

// `ip` is a packet that inner_ip_parse() has taken, of `len` bytes.
struct upper upper_parse(const uint8_t *ip, unsigned len);
