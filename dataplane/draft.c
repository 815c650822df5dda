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

void draft_target(struct draft *d, const struct msg_tunnel_target *m)
{
	begin(d, m->tunnel);
	if (d->n_targets < LIMIT_ITEMS)
		d->targets[d->n_targets] = (struct rules_target){ m->network, m->allowed };
	d->n_targets++;
}

void draft_service(struct draft *d, const struct msg_tunnel_service *m)
{
	begin(d, m->tunnel);
	if (d->n_services < LIMIT_SERVICES)
		d->services[d->n_services] = m->host;
	d->n_services++;
}

void draft_port(struct draft *d, const struct msg_tunnel_port *m)
{
	begin(d, m->tunnel);
	if (d->n_ports < LIMIT_PORTS)
		d->ports[d->n_ports] = (struct rules_port){ m->protocol, m->port };
	d->n_ports++;
}

bool draft_is_whole(const struct draft *d, const struct msg_tunnel_add *m)
{
	if (d->tunnel != m->tunnel)
		return m->networks + m->targets + m->services + m->ports == 0;
	return d->n_networks == m->networks && d->n_targets == m->targets && d->n_services == m->services && d->n_ports == m->ports;
}

void draft_forget(struct draft *d)
{
	d->n_networks = d->n_targets = d->n_services = d->n_ports = 0;
}
