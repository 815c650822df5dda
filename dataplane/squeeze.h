// Compression of packets under DTLS (packet type 8). A packet becomes another in the same buffer; the core owns what it works in.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "proto/compress.h"
#include "proto/limits.h"

struct squeeze {
	union compress_memory memory;
	uint8_t packet[LIMIT_PACKET];
};

struct tunnel_out;

// The packet is compressed now. false: it stays as it is, because it would not get smaller.
bool squeeze_pack(struct squeeze *s, const struct tunnel_out *out, struct rte_mbuf *m);
// The packet is what its sender compressed. false: broken, more than the tunnel's MTU, or more than its buffer holds.
bool squeeze_unpack(struct squeeze *s, const struct tunnel_out *out, struct rte_mbuf *m);
