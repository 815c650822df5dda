#include "coalesce.h"

#define FRAME_MAX (ETHER_HEADER + UINT16_MAX)
#define IPV4_DONT_FRAGMENT 0x40 // in the byte behind the identification

// ------------------------------------------------------------------------------------------------------------------ flows

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static inline uint64_t mix(uint64_t hash, uint64_t v)
{
	hash = (hash ^ v) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

static inline uint32_t not_0(uint64_t hash)
{
	return (uint32_t)hash | 1;
}

// The addresses lie one behind the other.
static inline const uint8_t *addresses(const uint8_t *frame, unsigned *len)
{
	bool ipv4 = frame[ETHER_HEADER] >> 4 == 4;

	*len = ipv4 ? 8 : 32;
	return frame + ETHER_HEADER + (ipv4 ? 12 : 8);
}

static uint32_t hash_hosts(const uint8_t *frame, uint32_t len)
{
	uint64_t hash = 0, word;
	const uint8_t *p;
	unsigned n;

	if (len < ETHER_HEADER + IPV4_HEADER)
		return 0;
	p = addresses(frame, &n);
	if (p + n > frame + len)
		return 0;
	for (unsigned i = 0; i < n; i += 8) {
		memcpy(&word, p + i, 8);
		hash = mix(hash, word);
	}
	return not_0(hash);
}

static inline bool same_flow(const struct coalesce_packet *a, const struct coalesce_packet *b)
{
	const struct offload_headers *x = &a->headers, *y = &b->headers;
	unsigned n, m;
	const uint8_t *from = addresses(a->frame, &n), *other = addresses(b->frame, &m);

	if (a->flow != b->flow || n != m || x->protocol != y->protocol)
		return false;
	return load32(a->frame + x->transport) == load32(b->frame + y->transport) && memcmp(from, other, n) == 0;
}

// -------------------------------------------------------------------------------------------------------------- candidates

static inline bool is_plain_ip(const struct coalesce_packet *p)
{
	const uint8_t *ip = p->frame + ETHER_HEADER;

	if (p->headers.end != p->len)
		return false;
	if (p->headers.family == 6)
		return true;
	return ip[0] == 0x45 && (ip[6] & ~IPV4_DONT_FRAGMENT) == 0 && checksum_fold(checksum_add(ip, IPV4_HEADER)) == 0;
}

static inline bool is_plain_tcp(const uint8_t *tcp)
{
	return (tcp[12] & 15) == 0 && (tcp[TCP_FLAGS] & ~TCP_PSH) == TCP_ACK && load16(tcp + 18) == 0;
}

static inline bool is_plain_udp(const uint8_t *udp, uint32_t len)
{
	return load16(udp + 4) == len && load16(udp + UDP_CHECKSUM) != 0;
}

// Something of which more can come. What its checksum is worth is looked at when it does.
static bool is_candidate(const struct coalesce *c, const struct coalesce_packet *p)
{
	const struct offload_headers *h = &p->headers;
	const uint8_t *transport = p->frame + h->transport;

	if (h->payload >= h->end || !is_plain_ip(p))
		return false;
	return h->protocol == PROTOCOL_TCP ? is_plain_tcp(transport) : c->udp && is_plain_udp(transport, h->end - h->transport);
}

static inline bool ends_bunch(const struct coalesce_packet *p)
{
	return p->headers.protocol == PROTOCOL_TCP && (p->frame[p->headers.transport + TCP_FLAGS] & TCP_PSH);
}

// ----------------------------------------------------------------------------------------------------------------- bunches

static bool is_sound(struct coalesce_packet *p)
{
	const struct offload_headers *h = &p->headers;
	uint32_t length = h->end - h->transport;

	if (!p->sound)
		p->sound = checksum_fold(offload_pseudo(p->frame, h, length) + checksum_add(p->frame + h->transport, length)) == 0;
	return p->sound;
}

// All but what differs from packet to packet of a flow: lengths, identification, sequence number, PSH, checksums.
static inline bool same_headers(const struct coalesce_packet *a, const struct coalesce_packet *b)
{
	const struct offload_headers *h = &a->headers;
	const uint8_t *x = a->frame, *y = b->frame;

	if (h->payload != b->headers.payload || memcmp(x, y, ETHER_HEADER + 2) != 0)
		return false;
	x += ETHER_HEADER;
	y += ETHER_HEADER;
	if (h->family == 4 ? load32(x + 6) != load32(y + 6) : load16(x + 2) != load16(y + 2) || load16(x + 6) != load16(y + 6))
		return false;
	if (h->protocol == PROTOCOL_UDP)
		return true;
	x = a->frame + h->transport;
	y = b->frame + h->transport;
	return load32(x + 8) == load32(y + 8) && load16(x + 14) == load16(y + 14) &&
	       memcmp(x + TCP_HEADER, y + TCP_HEADER, h->payload - h->transport - TCP_HEADER) == 0;
}

// The identification steps by one; where nothing may be fragmented, it may stay the same as well.
static inline bool id_follows(const struct coalesce *c, struct coalesce_bunch *b, const struct coalesce_packet *p)
{
	const uint8_t *ip = p->frame + ETHER_HEADER, *before = c->packet[b->last].frame + ETHER_HEADER;
	uint16_t step = (uint16_t)(load16(ip + 4) - load16(before + 4));

	if (p->headers.family == 6)
		return true;
	if (step > 1 || (step == 0 && !(ip[6] & IPV4_DONT_FRAGMENT)) || (b->n > 1 && step != b->id_step))
		return false;
	b->id_step = (uint8_t)step;
	return true;
}

static inline bool sequence_follows(const struct coalesce_packet *first, const struct coalesce_bunch *b,
                                    const struct coalesce_packet *p)
{
	uint32_t ahead = b->end - first->headers.payload;

	if (p->headers.protocol == PROTOCOL_UDP)
		return true;
	return __builtin_bswap32(load32(p->frame + p->headers.transport + 4)) ==
	       __builtin_bswap32(load32(first->frame + first->headers.transport + 4)) + ahead;
}

static bool may_join(struct coalesce *c, struct coalesce_bunch *b, struct coalesce_packet *p)
{
	struct coalesce_packet *first = &c->packet[b->first];
	uint32_t payload = coalesce_payload(p);

	if (payload > coalesce_payload(first) || b->end + payload > FRAME_MAX)
		return false;
	return same_headers(first, p) && sequence_follows(first, b, p) && id_follows(c, b, p) && is_sound(first) && is_sound(p);
}

static void join(struct coalesce *c, struct coalesce_bunch *b, uint8_t at)
{
	struct coalesce_packet *p = &c->packet[at];

	c->packet[b->last].next = at;
	b->last = at;
	b->n++;
	b->end += coalesce_payload(p);
	b->open = coalesce_payload(p) == coalesce_payload(&c->packet[b->first]) && !ends_bunch(p);
}

static struct coalesce_bunch *find_open(struct coalesce *c, const struct coalesce_packet *p)
{
	for (unsigned i = 0; i < c->bunches; i++)
		if (c->bunch[i].open && same_flow(&c->packet[c->bunch[i].first], p))
			return &c->bunch[i];
	return NULL;
}

// Whose flow cannot be told (a fragment, say) may belong to any between its hosts: none of them may overtake it.
static void close_hosts(struct coalesce *c, uint32_t hosts)
{
	for (unsigned i = 0; i < c->bunches; i++)
		if (c->packet[c->bunch[i].first].hosts == hosts)
			c->bunch[i].open = false;
}

void coalesce_add(struct coalesce *c, uint8_t *frame, uint32_t len)
{
	uint8_t at = (uint8_t)c->n++;
	struct coalesce_packet *p = &c->packet[at];
	struct coalesce_bunch *b = NULL;
	bool candidate = false;

	p->frame = frame;
	p->len = len;
	p->sound = false;
	p->hosts = hash_hosts(frame, len);
	p->flow = 0;
	if (offload_parse(frame, len, &p->headers)) {
		p->flow = not_0(mix(p->hosts, load32(frame + p->headers.transport)));
		candidate = is_candidate(c, p);
		b = find_open(c, p);
	} else {
		close_hosts(c, p->hosts);
	}
	if (b && candidate && may_join(c, b, p)) {
		join(c, b, at);
		return;
	}
	if (b)
		b->open = false;
	c->bunch[c->bunches++] =
	        (struct coalesce_bunch){ .first = at, .last = at, .n = 1, .open = candidate && !ends_bunch(p), .end = len };
}

void coalesce_head(struct coalesce *c, const struct coalesce_bunch *b, struct virtio_net_hdr *v)
{
	const struct coalesce_packet *p = &c->packet[b->first];
	const struct offload_headers *h = &p->headers;
	uint8_t *transport = p->frame + h->transport;
	bool tcp = h->protocol == PROTOCOL_TCP;
	uint16_t sum;

	*v = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = !tcp             ? VIRTIO_NET_HDR_GSO_UDP_L4
		            : h->family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
		                             : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = h->payload,
		.gso_size = (uint16_t)coalesce_payload(p),
		.csum_start = h->transport,
		.csum_offset = (uint16_t)offload_checksum_at(h),
	};
	offload_set_length(p->frame, h, b->end);
	if (tcp)
		transport[TCP_FLAGS] |= c->packet[b->last].frame[h->transport + TCP_FLAGS] & TCP_PSH;
	else
		store16(transport + 4, (uint16_t)(b->end - h->transport));
	// the rest of the sum is the kernel's, or that of the NIC behind it
	sum = (uint16_t)~checksum_fold(offload_pseudo(p->frame, h, b->end - h->transport));
	memcpy(transport + v->csum_offset, &sum, 2);
}
