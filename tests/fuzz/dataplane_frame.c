// A frame from the outer side: what is taken for ours lies within it, and what we answer is taken for ours by the same rules.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/frame.h"
#include "dataplane/headers.h"
#include "dataplane/record.h"

#define PORT 0xbb01 // 443 in network order

// The way back, as outer_in() learns it.
static struct path path_back(const uint8_t *data, const struct outer_frame *f)
{
	const uint8_t *ip = data + f->ip;
	struct path p = { .key.family = f->family, .vlan = f->vlan };

	memcpy(&p.our_mac, data, 6);
	memcpy(&p.peer_mac, data + 6, 6);
	memcpy(p.key.peer_ip, f->family == 4 ? ip + 12 : ip + 8, f->family == 4 ? 4 : 16);
	memcpy(p.key.our_ip, f->family == 4 ? ip + 16 : ip + 24, f->family == 4 ? 4 : 16);
	memcpy(&p.key.peer_udp, data + f->udp, 2);
	p.key.our_udp = PORT;
	return p;
}

static void check_answer(const struct path *p, const uint8_t *payload, uint16_t len)
{
	uint8_t frame[HEADERS_MAX + 2048];
	unsigned headers = headers_len(p);
	struct outer_frame out;

	if (len > 2048)
		return;
	memcpy(frame + headers, payload, len);
	if (headers_write(p, frame + headers, len, (struct marks){ .id = 1 }) != frame)
		abort();
	if (p->key.family == 6)
		headers_checksum(frame + headers, len);
	if (outer_frame_parse(frame, headers + len, p->key.peer_udp, &out) != FRAME_OURS || out.payload_len != len ||
	    (unsigned)out.udp + UDP_HEADER != headers)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outer_frame f;
	struct record r;
	struct path p;

	if (outer_frame_parse(data, size, PORT, &f) != FRAME_OURS)
		return 0;
	if ((size_t)f.udp + UDP_HEADER + f.payload_len > size)
		abort();
	record_parse(data + f.udp + UDP_HEADER, f.payload_len, &r);
	hello_app_id(data + f.udp + UDP_HEADER, f.payload_len);
	p = path_back(data, &f);
	check_answer(&p, data + f.udp + UDP_HEADER, f.payload_len);
	return 0;
}
