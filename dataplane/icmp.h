// ICMP's word about packets that are too big (RFC 792, 1191; RFC 4443): which packets may be answered, and the answer. Bytes in,
// bytes out: no I/O, no DPDK.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define ICMP_HEADER 8
#define ICMP_GROWS 48 // what an answer needs before the packet
// An answer quotes as much of the packet as fits into these (RFC 1812 4.3.2.3, RFC 4443 3.2).
#define ICMP_IPV4_MAX 576
#define ICMP_IPV6_MAX 1280

enum { ICMP_UNREACHABLE = 3, ICMP_QUENCH = 4, ICMP_REDIRECT = 5, ICMP_EXCEEDED = 11, ICMP_PROBLEM = 12 };
enum { ICMP_FRAGMENTATION_NEEDED = 4 }; // of ICMP_UNREACHABLE
enum { ICMPV6_TOO_BIG = 2, ICMPV6_ERRORS = 128, ICMPV6_REDIRECT = 137 };

// RFC 1122 3.2.2, RFC 4443 2.4: not errors, nor what comes from nobody in particular, nor fragments behind the first. `ip` is a
// packet for one host that inner_ip_parse() has taken, of `len` bytes.
bool icmp_may_answer(const uint8_t *ip, unsigned len);

// The answer, which begins before the packet and is written over it; its length in *len. From the packet's destination: a host that
// is asked takes it from anybody, and of the gateway's own addresses Linux would not believe that they come from outside.
uint8_t *icmp_too_big(uint8_t *ip, unsigned *len, uint16_t mtu);
