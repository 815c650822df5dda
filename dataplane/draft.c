#include "draft.h"

static void begin(struct draft *d, uint32_t tunnel)
{
	if (d->tunnel != tunnel)
		draft_forget(d);
	d->tunnel = tunnel;
}

void draft_network(struct draft *d, const struct msg_tunnel_network *m)
{
	begin(d, m->tunnel);
	if (d->n_networks < LIMIT_NETWORKS)
		d->networks[d->n_networks] = m->network;
	d->n_networks++;
}

bool draft_is_whole(const struct draft *d, const struct msg_tunnel_add *m)
{
	bool same = d->tunnel == m->tunnel;

	return (same ? d->n_networks : 0) == m->networks;
}

void draft_forget(struct draft *d)
{
	d->n_networks = 0;
}
