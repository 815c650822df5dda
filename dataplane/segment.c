#include "segment.h"

static bool is_kind(const struct offload_headers *h, uint8_t gso_type)
{
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return h->family == 4 && h->protocol == PROTOCOL_TCP;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return h->family == 6 && h->protocol == PROTOCOL_TCP;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return h->protocol == PROTOCOL_UDP;
	default:
		return false;
	}
}

bool segment_begin(struct segments *s, const uint8_t *frame, uint32_t len, const struct virtio_net_hdr *v, unsigned room)
{
	struct offload_headers h;

	if (!offload_parse(frame, len, &h) || !is_kind(&h, v->gso_type))
		return false;
	if (v->gso_size == 0 || h.payload + v->gso_size > room || h.payload >= h.end)
		return false;
	*s = (struct segments){ .frame = frame, .headers = h, .size = v->gso_size, .at = h.payload };
	return true;
}

static inline void tcp_write(uint8_t *tcp, uint32_t ahead, bool first, bool last)
{
	uint32_t sequence;

	memcpy(&sequence, tcp + 4, 4);
	sequence = __builtin_bswap32(__builtin_bswap32(sequence) + ahead);
	memcpy(tcp + 4, &sequence, 4);
	if (!first)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

static inline void checksum_write(uint8_t *out, const struct offload_headers *h, uint32_t end)
{
	uint8_t *transport = out + h->transport, *at = transport + offload_checksum_at(h);
	uint32_t length = end - h->transport;
	uint16_t sum;

	store16(at, 0);
	sum = checksum_fold(offload_pseudo(out, h, length) + checksum_add(transport, length));
	if (sum == 0 && h->protocol == PROTOCOL_UDP)
		sum = 0xffff;
	memcpy(at, &sum, 2);
}

uint16_t segment_next(struct segments *s, uint8_t *out)
{
	const struct offload_headers *h = &s->headers;
	uint32_t left = h->end - s->at, n = left < s->size ? left : s->size, end = h->payload + n;
	uint8_t *ip = out + ETHER_HEADER;

	memcpy(out, s->frame, h->payload);
	memcpy(out + h->payload, s->frame + s->at, n);
	if (h->family == 4)
		store16(ip + 4, (uint16_t)(load16(ip + 4) + s->n));
	offload_set_length(out, h, end);
	if (h->protocol == PROTOCOL_TCP)
		tcp_write(out + h->transport, s->at - h->payload, s->n == 0, n == left);
	else
		store16(out + h->transport + 4, (uint16_t)(end - h->transport));
	checksum_write(out, h, end);
	s->at += n;
	s->n++;
	return (uint16_t)end;
}

bool segment_checksum(uint8_t *frame, uint32_t len, const struct virtio_net_hdr *v)
{
	uint32_t start = v->csum_start, at = start + v->csum_offset;
	uint16_t sum;

	if (at + 2 > len)
		return false;
	// what stands in its place is the sum of the pseudo header
	sum = checksum_fold(checksum_add(frame + start, len - start));
	if (sum == 0) // 0 would mean to UDP that there is none; to others both are the same
		sum = 0xffff;
	memcpy(frame + at, &sum, 2);
	return true;
}
