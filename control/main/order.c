#include "control/main/order.h"

#include "control/main/session.h"
#include "control/main/supervise.h"
#include "proto/err.h"

#define DNS_PORT 53
// The gateway's own two addresses besides.
#define SERVERS_MAX (LIMIT_SERVICES - 2)

#define TELL(t, NAME, ...) LINK_SEND(&(t)->g->dataplane->link, NAME, __VA_ARGS__)

static int send_networks(const struct tunnel *t, struct msg_tunnel_add *add)
{
	const struct iroute *i;
	int ret = 0;

	TAILQ_FOREACH(i, &t->iroutes, all)
	{
		if (ret < 0 || i->kind == IROUTE_HOST)
			continue;
		ret = TELL(t, TUNNEL_NETWORK, &(struct msg_tunnel_network){ .tunnel = t->number, .network = i->network });
		add->networks++;
	}
	return ret;
}

// --------------------------------------------------------------------------------------------------------------- targets

static int send_target(const struct tunnel *t, struct msg_tunnel_add *add, const char *network, bool allowed)
{
	struct msg_tunnel_target m = { .tunnel = t->number, .allowed = allowed };

	if (addr_parse(network, &m.network) < 0) // "default": it stands for both below
		return 0;
	add->targets++;
	return TELL(t, TUNNEL_TARGET, &m);
}

static int send_targets(const struct tunnel *t, const struct terms *terms, struct msg_tunnel_add *add)
{
	int ret = 0;

	if (terms_reach_all(terms)) {
		ret = send_target(t, add, "0.0.0.0/0", true);
		if (ret == 0)
			ret = send_target(t, add, "::/0", true);
	}
	for (size_t i = 0; i < terms->n_items && ret == 0; i++) {
		const struct terms_item *item = &terms->items[i];

		if (item->kind == ITEM_ROUTE || item->kind == ITEM_NO_ROUTE)
			ret = send_target(t, add, item->text, item->kind == ITEM_ROUTE);
	}
	return ret;
}

// -------------------------------------------------------------------------------------------------------------- services

static int send_service(const struct tunnel *t, struct msg_tunnel_add *add, const struct addr *host, uint16_t port)
{
	struct msg_tunnel_service m = { .tunnel = t->number, .host = *host };

	m.host.port = port;
	add->services++;
	return TELL(t, TUNNEL_SERVICE, &m);
}

// What a restricted client may use in any case, as ocserv's firewall script has it: its DNS servers, and the gateway itself.
static int send_services(const struct tunnel *t, const struct terms *terms, struct msg_tunnel_add *add)
{
	const struct addr *own[] = { address_gateway(t->session, 4), address_gateway(t->session, 6) };
	const char *text;
	struct addr dns;
	int ret = 0;

	for (size_t i = 0; i < 2 && ret == 0; i++)
		if (own[i])
			ret = send_service(t, add, own[i], 0);
	for (unsigned n = 0; ret == 0 && n < SERVERS_MAX && (text = terms_text(terms, ITEM_DNS, n)); n++)
		if (addr_parse(text, &dns) == 0)
			ret = send_service(t, add, &dns, DNS_PORT);
	return ret;
}

static int send_ports(const struct tunnel *t, const struct port_rules *ports, struct msg_tunnel_add *add)
{
	int ret = 0;

	for (unsigned n = 0; n < ports->n && ret == 0; n++) {
		const struct msg_tunnel_port m = { t->number, ports->rule[n].protocol, ports->rule[n].port };

		add->ports++;
		ret = TELL(t, TUNNEL_PORT, &m);
	}
	return ret;
}

static int send_rules(const struct tunnel *t, const struct terms *terms, struct msg_tunnel_add *add)
{
	int ret = 0;

	if (terms->restrict_to_routes) {
		add->rules |= RULE_TARGETS;
		ret = send_targets(t, terms, add);
	}
	if (ret == 0 && terms->ports) {
		add->rules |= terms->ports->but ? RULE_PORTS_BUT : RULE_PORTS;
		ret = send_ports(t, terms->ports, add);
	}
	if (ret == 0 && (terms->restrict_to_routes || terms->ports))
		ret = send_services(t, terms, add);
	return ret;
}

int order_send(const struct tunnel *t, int lane_fd)
{
	struct msg_tunnel_add m = {
		.tunnel = t->number,
		.ipv4 = t->session->ipv4,
		.ipv6 = t->session->ipv6,
		.mtu = t->mtu,
		.app_id_len = APP_ID_SIZE,
		.udp_silence = t->terms->udp_silence,
		.dpd = t->dpd,
		.idle = t->kept.idle_timeout,
		.rekey = t->rekey_time,
		.rules = t->terms->rules,
		.tos = t->terms->tos,
		.rx_rate = t->kept.rx_rate,
		.tx_rate = t->kept.tx_rate,
		.compress = (uint8_t)t->dtls_compress,
		.compress_above = t->compress_above,
	};
	int ret = send_networks(t, &m);

	if (ret == 0)
		ret = send_rules(t, t->kept.where, &m);
	if (ret < 0)
		return ret;
	if (t->where == WHERE_NOWHERE) {
		m.peer = t->path;
		m.ours = t->ours;
	}
	if (t->dtls == DTLS_KIND_CBC)
		m.relay = t->client;
	memcpy(m.app_id, t->app_id, APP_ID_SIZE);
	return link_send(&t->g->dataplane->link, MSG_TUNNEL_ADD, &m, &lane_fd);
}

int order_change(const struct tunnel *t, const struct kept *kept, uint32_t token)
{
	struct msg_tunnel_add lists = { 0 };
	int ret = send_rules(t, kept->where, &lists);

	if (ret < 0)
		return ret;
	return TELL(t, TUNNEL_CHANGE,
	            &(struct msg_tunnel_change){
	                    .token = token,
	                    .tunnel = t->number,
	                    .rules = lists.rules,
	                    .targets = lists.targets,
	                    .services = lists.services,
	                    .ports = lists.ports,
	                    .rx_rate = kept->rx_rate,
	                    .tx_rate = kept->tx_rate,
	                    .idle = kept->idle_timeout,
	            });
}
