#include "path.h"

#include <rte_byteorder.h>

static void end_of(const struct path_key *k, const uint8_t *ip, uint16_t port, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	if (k->family == 0)
		return;
	out->family = (uint8_t)k->family;
	out->prefix = k->family == 4 ? 32 : 128;
	out->port = rte_be_to_cpu_16(port);
	memcpy(out->ip, ip, k->family == 4 ? 4 : 16);
}

void path_peer(const struct path *p, struct addr *out)
{
	end_of(&p->key, p->key.peer_ip, p->key.peer_udp, out);
}

void path_ours(const struct path *p, struct addr *out)
{
	end_of(&p->key, p->key.our_ip, p->key.our_udp, out);
}
