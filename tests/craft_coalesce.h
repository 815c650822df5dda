// The kernel's part behind coalescing: frames are cut again, and must be what came. For unit test and fuzz target.
#pragma once
#include <stdio.h>

#include "craft_flow.h"
#include "dataplane/coalesce.h"
#include "dataplane/segment.h"

struct craft_crowd {
	struct craft_packet came[COALESCE_MAX], packet[COALESCE_MAX];
	unsigned n;
	struct coalesce c;
	struct craft_packet frame, cut;
};

static CRAFT_FLOW_UNUSED void craft_coalesce(struct craft_crowd *w, bool udp)
{
	coalesce_begin(&w->c, udp);
	for (unsigned i = 0; i < w->n; i++) {
		memcpy(w->packet[i].frame, w->came[i].frame, w->came[i].len);
		coalesce_add(&w->c, w->packet[i].frame, w->came[i].len);
	}
}

// As writev() puts them together.
static CRAFT_FLOW_UNUSED void craft_join(struct craft_crowd *w, const struct coalesce_bunch *b, struct virtio_net_hdr *v)
{
	const struct coalesce_packet *p = &w->c.packet[b->first];

	coalesce_head(&w->c, b, v);
	w->frame.len = p->len;
	memcpy(w->frame.frame, p->frame, p->len);
	for (unsigned i = 1; i < b->n; i++) {
		p = &w->c.packet[p->next];
		memcpy(w->frame.frame + w->frame.len, p->frame + p->headers.payload, coalesce_payload(p));
		w->frame.len += coalesce_payload(p);
	}
}

// Where nothing may be fragmented, an identification that never changed may come back counted. And both zeros of a checksum are
// one.
static CRAFT_FLOW_UNUSED bool craft_same(const struct craft_crowd *w, const struct craft_packet *came,
                                         const struct coalesce_bunch *b)
{
	struct craft_packet a = *came;
	const struct offload_headers *h = &w->c.packet[b->first].headers;
	uint8_t *sum = a.frame + h->transport + offload_checksum_at(h), *ip = a.frame + ETHER_HEADER;

	if (h->family == 4 && b->id_step == 0) {
		memcpy(ip + 4, w->cut.frame + ETHER_HEADER + 4, 2);
		memcpy(ip + 10, w->cut.frame + ETHER_HEADER + 10, 2);
		if (craft_sum(w->cut.frame + ETHER_HEADER, IPV4_HEADER, 0) != 0xffff)
			return false;
	}
	if (load16(sum) == 0xffff && h->protocol == PROTOCOL_TCP)
		store16(sum, 0);
	if (h->family == 4 && load16(ip + 10) == 0xffff)
		store16(ip + 10, 0);
	return memcmp(a.frame, w->cut.frame, a.len) == 0;
}

static CRAFT_FLOW_UNUSED bool craft_gives_back(struct craft_crowd *w, const struct coalesce_bunch *b)
{
	unsigned at = b->first;
	struct virtio_net_hdr v;
	struct segments s;

	if (b->n == 1)
		return memcmp(w->packet[at].frame, w->came[at].frame, w->came[at].len) == 0;
	craft_join(w, b, &v);
	if (w->frame.len != b->end || v.flags != VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return false;
	if (!segment_begin(&s, w->frame.frame, w->frame.len, &v, sizeof(w->cut.frame)) || segments_left(&s) != b->n)
		return false;
	for (unsigned i = 0; i < b->n; i++, at = w->c.packet[at].next) {
		w->cut.len = segment_next(&s, w->cut.frame);
		if (w->cut.len != w->came[at].len || !craft_same(w, &w->came[at], b))
			return false;
	}
	return true;
}

// Every packet is in one bunch, and behind those that came before it there.
static CRAFT_FLOW_UNUSED bool craft_all_there(const struct craft_crowd *w)
{
	bool seen[COALESCE_MAX] = { false };
	unsigned n = 0;

	for (unsigned i = 0; i < w->c.bunches; i++) {
		const struct coalesce_bunch *b = &w->c.bunch[i];
		unsigned at = b->first, before = at;
		for (unsigned k = 0; k < b->n; k++, n++, before = at, at = w->c.packet[at].next) {
			if (at >= w->n || seen[at] || at < before)
				return false;
			seen[at] = true;
		}
	}
	return n == w->n;
}
