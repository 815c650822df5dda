// Packets of a few flows, some of them changed or raw: all of them leave, in order, and what was put together is cut by the
// segmenter into what came.
#include <stdint.h>
#include <stdlib.h>

#include "craft_coalesce.h"

// Six bytes of the input are a packet: what it is, its payload's length, and a byte that is changed in it.
struct op {
	uint8_t what, payload_high, payload_low, at, bits, more;
};

static struct craft_crowd w;
static struct craft_flow flows[4];

static void come(const struct op *op)
{
	struct craft_packet *p = &w.came[w.n++];
	struct craft_flow *f = &flows[op->what & 3];
	uint32_t payload = (op->payload_high & 7) << 8 | op->payload_low, at = op->at;

	if (op->what & 4)
		f->flags ^= op->more;
	if (op->what & 8)
		f->sequence += op->more;
	if (op->what & 16)
		f->id -= op->more & 3;
	if (op->what & 32)
		f->fragment = !f->fragment;
	craft_next(f, p, payload);
	if (op->what & 64)
		p->frame[at < p->len ? at : p->len - 1] ^= op->bits;
	if (op->what & 128)
		p->len = at < p->len ? at : p->len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool udp = size & 1;

	w.n = 0;
	for (unsigned i = 0; i < 4; i++)
		flows[i] = craft_flow(i & 1 ? 6 : 4, i & 2 ? PROTOCOL_UDP : PROTOCOL_TCP);
	for (; size >= sizeof(struct op) && w.n < COALESCE_MAX; data += sizeof(struct op), size -= sizeof(struct op))
		come((const struct op *)data);
	craft_coalesce(&w, udp);
	if (!craft_all_there(&w))
		abort();
	for (unsigned i = 0; i < w.c.bunches; i++)
		if (!craft_gives_back(&w, &w.c.bunch[i]))
			abort();
	return 0;
}
