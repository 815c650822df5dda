// The largest segment that TCP's ends offer each other (RFC 9293 3.7.1), so that it fits the tunnel. Bytes in, bytes out: no I/O,
// no DPDK.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// In a SYN with that option, an offer above what an MTU has room for is lowered to it; the checksum follows. `ip` is a packet that
// inner_ip_parse() has taken, of `len` bytes. Has anything been changed?
bool mss_clamp(uint8_t *ip, unsigned len, uint16_t mtu);
