// What a NIC does behind the kernel's back when it has segmentation offload: a large TCP frame, or many UDP datagrams in one frame,
// become packets of the size that the kernel said, and checksums it has left open are filled in. No I/O, no DPDK.
#pragma once
#include "offload.h"

// A frame that is being cut. It has to stay where it is meanwhile.
struct segments {
	const uint8_t *frame;
	struct offload_headers headers;
	uint16_t size; // payload of each packet but the last
	uint16_t n;    // packets so far
	uint32_t at;   // where in the frame the next one's payload begins
};

// False: the frame is no such thing (extension headers of IPv6, a fragment, another protocol than `v` says, lengths that are not
// true), or its packets would be longer than `room`. Nothing in `v` is believed but the kind and the size.
bool segment_begin(struct segments *s, const uint8_t *frame, uint32_t len, const struct virtio_net_hdr *v, unsigned room);
// The next packet, of at most `room` bytes, as a frame of its own; its length.
uint16_t segment_next(struct segments *s, uint8_t *out);

// How many are still to come.
static inline unsigned segments_left(const struct segments *s)
{
	return s->at < s->headers.end ? (s->headers.end - s->at + s->size - 1) / s->size : 0;
}

// A whole frame whose checksum the kernel has left open. False: `v` points outside.
bool segment_checksum(uint8_t *frame, uint32_t len, const struct virtio_net_hdr *v);
