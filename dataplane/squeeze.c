#include "squeeze.h"

#include "packet.h"

static void becomes(struct rte_mbuf *m, const uint8_t *packet, uint16_t len)
{
	memcpy(packet_data(m), packet, len);
	packet_cut(m, 0, len);
}

bool squeeze_pack(struct squeeze *s, const struct tunnel_out *out, struct rte_mbuf *m)
{
	unsigned room = RTE_MIN(m->data_len - 1u, sizeof(s->packet));
	int n = compress_pack(out->compress, &s->memory, packet_data(m), m->data_len, s->packet, room);

	if (n < 0)
		return false;
	becomes(m, s->packet, (uint16_t)n);
	return true;
}

bool squeeze_unpack(struct squeeze *s, const struct tunnel_out *out, struct rte_mbuf *m)
{
	unsigned room = RTE_MIN((unsigned)m->data_len + rte_pktmbuf_tailroom(m), out->mtu);
	int n = compress_unpack(out->compress, packet_data(m), m->data_len, s->packet, room);

	if (n < 0)
		return false;
	becomes(m, s->packet, (uint16_t)n);
	return true;
}
