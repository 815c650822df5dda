// An IP address with port and prefix length, as all rooms pass it about.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	uint8_t family; // 0 (none), 4 or 6
	uint8_t prefix; // 0..32 or 0..128; a single host has 32 or 128
	uint16_t port;  // host order
	uint8_t ip[16]; // network order; IPv4 in the first four bytes, the rest 0
};

#define ADDR_WIRE 20
#define ADDR_TEXT 56 // "[v6]:port" or "v6/128" with its NUL

// Exactly "192.0.2.1", "192.0.2.0/24" or the IPv6 forms; 0 or -EINVAL.
int addr_parse(const char *text, struct addr *out);
void addr_from_sockaddr(const struct sockaddr *sa, struct addr *out); // v4-mapped becomes IPv4; unknown families become 0
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
const char *addr_text(const struct addr *a, char out[ADDR_TEXT]);        // the IP alone; "" for none
const char *addr_text_prefix(const struct addr *a, char out[ADDR_TEXT]); // with /prefix
const char *addr_text_port(const struct addr *a, char out[ADDR_TEXT]);   // with port
const char *addr_netmask(const struct addr *a, char out[ADDR_TEXT]);     // "255.255.255.0" (IPv4 only)
bool addr_equal(const struct addr *a, const struct addr *b);             // IP only
bool addr_in(const struct addr *ip, const struct addr *network);
bool addr_mask(struct addr *a); // clear what lies behind the prefix; was there anything?
// The wire form is 20 bytes: family, prefix, port (big endian), ip. addr_unpack checks family, prefix and zero padding: -EINVAL.
void addr_pack(const struct addr *a, uint8_t out[ADDR_WIRE]);
int addr_unpack(const uint8_t in[ADDR_WIRE], struct addr *out);
