// Packets of a flow become one large frame, which costs the kernel little more than a small one: what its own GRO would do. Only
// where segmentation gives back the same packets, and nothing is held: what belongs together has to come together. No I/O, no DPDK.
#pragma once
#include "offload.h"

#define COALESCE_MAX 64 // packets that are looked at together; kernels take no more datagrams in a frame either

struct coalesce_packet {
	uint8_t *frame; // from the Ethernet header on
	uint32_t len;
	uint32_t hosts, flow;           // hashes of addresses, and of what else names a flow; hosts 0: no IP packet
	struct offload_headers headers; // where `flow` is not 0: TCP or UDP
	uint8_t next;                   // the one behind it in its bunch
	bool sound;                     // its checksum is right; false: nobody has looked yet, or it is not
};

// Packets that leave as one frame.
struct coalesce_bunch {
	uint8_t first, last, n; // packets
	bool open;              // more may come
	uint8_t id_step;        // between identifications of IPv4, from the second packet on
	uint32_t end;           // of the frame so far
};

struct coalesce {
	struct coalesce_packet packet[COALESCE_MAX];
	struct coalesce_bunch bunch[COALESCE_MAX]; // in the order in which their first packets came
	unsigned n, bunches;
	bool udp; // does the kernel take datagrams so?
};

static inline void coalesce_begin(struct coalesce *c, bool udp)
{
	c->n = c->bunches = 0;
	c->udp = udp;
}

// The next packet, at most COALESCE_MAX of them; its number is what it is called in bunches.
void coalesce_add(struct coalesce *c, uint8_t *frame, uint32_t len);

// The headers of a bunch of several, written over those of its first packet: that whole, and the payloads of the others behind it,
// are the frame.
void coalesce_head(struct coalesce *c, const struct coalesce_bunch *b, struct virtio_net_hdr *v);

static inline uint32_t coalesce_payload(const struct coalesce_packet *p)
{
	return p->headers.end - p->headers.payload;
}
