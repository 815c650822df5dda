// Rules and a packet: what the compiled image says of it is what the rules say, read one by one.
#include <stdlib.h>
#include <string.h>

#include "dataplane/rules.h"
#include "dataplane/upper.h"

#define MOST 32

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

// Few different bytes, so that networks nest and packets hit them.
static struct addr take_addr(struct input *in)
{
	static const uint8_t bytes[] = { 0, 1, 10, 127, 128, 254, 255, 64 };
	struct addr a = { .family = take(in) & 1 ? 6 : 4 };

	for (unsigned i = 0; i < (a.family == 4 ? 4u : 16u); i++)
		a.ip[i] = bytes[take(in) & 7];
	a.prefix = (uint8_t)(take(in) % (a.family == 4 ? 33 : 129));
	return a;
}

static struct rules_target targets[MOST];
static struct addr services[MOST];
static struct rules_port ports[MOST];

static struct rules_source take_source(struct input *in)
{
	struct rules_source s = { .targets = targets, .services = services, .ports = ports };

	s.rules = take(in) & (RULE_TARGETS | RULE_PORTS | RULE_PORTS_BUT);
	s.n_targets = take(in) % MOST;
	s.n_services = take(in) % 4;
	s.n_ports = take(in) % 8;
	for (unsigned i = 0; i < s.n_targets; i++)
		targets[i] = (struct rules_target){ take_addr(in), take(in) & 1 };
	for (unsigned i = 0; i < s.n_services; i++) {
		services[i] = take_addr(in);
		services[i].port = take(in) & 1 ? 53 : 0;
	}
	for (unsigned i = 0; i < s.n_ports; i++)
		ports[i] = (struct rules_port){ take(in), take(in) };
	return s;
}

static bool slow_target(const struct rules_source *s, const struct addr *to)
{
	int best = -1;
	bool allowed = false;

	for (unsigned i = 0; i < s->n_targets; i++) {
		const struct rules_target *t = &s->targets[i];

		if (!addr_in(to, &t->network) || t->network.prefix < best)
			continue;
		allowed = t->allowed && (t->network.prefix > best || allowed);
		best = t->network.prefix;
	}
	return allowed;
}

static bool slow_service(const struct rules_source *s, const struct addr *to, const struct upper *u)
{
	for (unsigned i = 0; i < s->n_services; i++)
		if (addr_equal(to, &s->services[i]) &&
		    (!s->services[i].port ||
		     (u->kind == UPPER_PORT && (u->protocol == 6 || u->protocol == 17) && u->port == s->services[i].port)))
			return true;
	return false;
}

static enum rules_verdict slow_port(const struct rules_source *s, const struct upper *u)
{
	bool named = false, perhaps = false;

	if (u->kind == UPPER_UNKNOWN)
		return RULES_HEADERS;
	for (unsigned i = 0; i < s->n_ports; i++) {
		const struct rules_port *p = &s->ports[i];

		if (p->protocol != u->protocol)
			continue;
		named = named || !p->port || (u->kind == UPPER_PORT && p->port == u->port);
		perhaps = perhaps || (p->port && u->kind == UPPER_LATER);
	}
	if (!named && perhaps)
		return RULES_FRAGMENT;
	return named == ((s->rules & RULE_PORTS) != 0) ? RULES_PASS : RULES_PORT;
}

static enum rules_verdict slow_check(const struct rules_source *s, const uint8_t *packet, const struct inner_ip *ip)
{
	struct upper u = upper_parse(packet, ip->len);
	struct addr to = { .family = ip->family, .prefix = ip->family == 4 ? 32 : 128 };
	enum rules_verdict v = RULES_PASS;

	memcpy(to.ip, ip->to, ip->family == 4 ? 4 : 16);
	if (u.kind == UPPER_ROUTED)
		return RULES_HEADERS;
	if (slow_service(s, &to, &u))
		return RULES_PASS;
	if (s->rules & (RULE_PORTS | RULE_PORTS_BUT))
		v = slow_port(s, &u);
	return v == RULES_PASS && (s->rules & RULE_TARGETS) && !slow_target(s, &to) ? RULES_TARGET : v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct rules_source s = take_source(&in);
	struct rules *rules = aligned_alloc(64, (rules_room(&s) + 63) / 64 * 64);
	struct inner_ip ip;

	if (!rules || rules_compile(&s, rules) < 0 || rules->size > rules_room(&s))
		abort();
	if (inner_ip_parse(in.at, in.left, &ip) && rules_check(rules, in.at, &ip) != slow_check(&s, in.at, &ip))
		abort();
	free(rules);
	return 0;
}
