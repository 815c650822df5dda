#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "upper.h"

typedef unsigned __int128 u128;

// ----------------------------------------------------------------------------------------------------------------- image

static inline const struct range4 *ranges4_of(const struct rules *r)
{
	return (const struct range4 *)&r->ranges6[r->n6];
}

static inline const struct service *services_of(const struct rules *r)
{
	return (const struct service *)&ranges4_of(r)[r->n4];
}

static inline const uint32_t *ports_of(const struct rules *r)
{
	return (const uint32_t *)&services_of(r)[r->n_services];
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return __builtin_bswap32(n);
}

static inline u128 load128(const uint8_t *p)
{
	uint64_t n[2];

	memcpy(n, p, sizeof(n));
	return (u128)__builtin_bswap64(n[0]) << 64 | __builtin_bswap64(n[1]);
}

static inline bool bit_of(const uint64_t *bits, uint8_t n)
{
	return bits[n / 64] >> (n % 64) & 1;
}

// --------------------------------------------------------------------------------------------------------------- compile

// A network as a range of numbers.
struct span {
	u128 low, high;
	uint8_t prefix;
	bool allowed;
};

struct spans {
	struct span *all;
	unsigned n;
	struct range6 *out; // what is allowed of them
	unsigned n_out;
};

static struct span span_of(const struct rules_target *t)
{
	unsigned width = t->network.family == 4 ? 32 : 128;
	u128 low = t->network.family == 4 ? load32(t->network.ip) : load128(t->network.ip);
	u128 size = width - t->network.prefix == 128 ? 0 : (u128)1 << (width - t->network.prefix);

	low &= ~(size - 1);
	return (struct span){ low, low + (size - 1), t->network.prefix, t->allowed };
}

// Networks nest: the wider comes before what is in it, and of two that are the same what is not allowed comes last, and counts.
static int compare(const void *x, const void *y)
{
	const struct span *a = x, *b = y;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return (int)b->allowed - (int)a->allowed;
}

static void emit(struct spans *s, u128 low, u128 high, bool allowed)
{
	if (!allowed)
		return;
	if (s->n_out && s->out[s->n_out - 1].high + 1 == low && low > 0)
		s->out[s->n_out - 1].high = high;
	else
		s->out[s->n_out++] = (struct range6){ low, high };
}

// From left to right, with those around the place on a stack: the innermost says what holds there.
static void sweep(struct spans *s)
{
	const struct span *stack[130];
	unsigned depth = 0;
	u128 at = 0;

	for (unsigned i = 0; i <= s->n; i++) {
		const struct span *next = i < s->n ? &s->all[i] : NULL;

		while (depth && (!next || stack[depth - 1]->high < next->low)) {
			const struct span *top = stack[--depth];

			if (at <= top->high)
				emit(s, at, top->high, top->allowed);
			if (top->high == ~(u128)0) // nothing is to the right of it
				return;
			at = top->high + 1;
		}
		if (!next)
			return;
		if (depth && at < next->low)
			emit(s, at, next->low - 1, stack[depth - 1]->allowed);
		at = next->low;
		if (depth && stack[depth - 1]->low == next->low && stack[depth - 1]->prefix == next->prefix)
			depth--; // the same network once more
		stack[depth++] = next;
	}
}

// *out: fresh memory, of the caller.
static int ranges_of(const struct rules_source *s, uint8_t family, struct spans *out)
{
	*out = (struct spans){ .all = calloc(s->n_targets + 1, sizeof(*out->all)),
		               .out = calloc(2 * s->n_targets + 1, sizeof(*out->out)) };
	if (!out->all || !out->out)
		return -ENOMEM;
	for (unsigned i = 0; i < s->n_targets; i++)
		if (s->targets[i].network.family == family)
			out->all[out->n++] = span_of(&s->targets[i]);
	qsort(out->all, out->n, sizeof(*out->all), compare);
	sweep(out);
	return 0;
}

static int compare_ports(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return a < b ? -1 : a > b;
}

static void ports_compile(const struct rules_source *s, struct rules *out, uint32_t *ports)
{
	for (unsigned i = 0; i < s->n_ports; i++) {
		const struct rules_port *p = &s->ports[i];

		if (!p->port)
			out->whole[p->protocol / 64] |= 1ULL << (p->protocol % 64);
		else
			out->some[p->protocol / 64] |= 1ULL << (p->protocol % 64);
		if (p->port)
			ports[out->n_ports++] = (uint32_t)p->protocol << 16 | p->port;
	}
	qsort(ports, out->n_ports, sizeof(*ports), compare_ports);
}

static void image_write(const struct rules_source *s, const struct spans *ipv4, const struct spans *ipv6, struct rules *out)
{
	struct range4 *to;
	struct service *service;

	memset(out, 0, rules_room(s));
	out->rules = s->rules;
	out->n6 = (uint16_t)ipv6->n_out;
	out->n4 = (uint16_t)ipv4->n_out;
	out->n_services = (uint16_t)s->n_services;
	memcpy(out->ranges6, ipv6->out, ipv6->n_out * sizeof(*ipv6->out));
	to = (struct range4 *)ranges4_of(out);
	for (unsigned i = 0; i < ipv4->n_out; i++)
		to[i] = (struct range4){ (uint32_t)ipv4->out[i].low, (uint32_t)ipv4->out[i].high };
	service = (struct service *)services_of(out);
	for (unsigned i = 0; i < s->n_services; i++) {
		memcpy(service[i].ip, s->services[i].ip, 16);
		service[i].family = s->services[i].family;
		service[i].port = s->services[i].port;
	}
	ports_compile(s, out, (uint32_t *)ports_of(out));
	out->size = (uint32_t)((const uint8_t *)&ports_of(out)[out->n_ports] - (const uint8_t *)out);
}

size_t rules_room(const struct rules_source *s)
{
	return sizeof(struct rules) + s->n_targets * 2 * sizeof(struct range6) + s->n_services * sizeof(struct service) +
	       s->n_ports * sizeof(uint32_t);
}

int rules_compile(const struct rules_source *s, struct rules *out)
{
	struct spans ipv4, ipv6 = { 0 };
	int ret = ranges_of(s, 4, &ipv4);

	if (ret == 0)
		ret = ranges_of(s, 6, &ipv6);
	if (ret == 0)
		image_write(s, &ipv4, &ipv6, out);
	free(ipv4.all);
	free(ipv4.out);
	free(ipv6.all);
	free(ipv6.out);
	return ret;
}

// ----------------------------------------------------------------------------------------------------------------- check

static bool in_ranges4(const struct rules *r, uint32_t ip)
{
	const struct range4 *ranges = ranges4_of(r);
	unsigned low = 0, high = r->n4;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (ip > ranges[middle].high)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n4 && ip >= ranges[low].low;
}

static bool in_ranges6(const struct rules *r, u128 ip)
{
	unsigned low = 0, high = r->n6;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (ip > r->ranges6[middle].high)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n6 && ip >= r->ranges6[low].low;
}

static bool is_target(const struct rules *r, const struct inner_ip *ip)
{
	return ip->family == 4 ? in_ranges4(r, load32(ip->to)) : in_ranges6(r, load128(ip->to));
}

// port 0: which is not known, or there is none.
static bool is_service(const struct rules *r, const struct inner_ip *ip, uint16_t port)
{
	const struct service *s = services_of(r);

	for (unsigned i = 0; i < r->n_services; i++)
		if (s[i].family == ip->family && (s[i].port == 0 || s[i].port == port) &&
		    memcmp(s[i].ip, ip->to, ip->family == 4 ? 4 : 16) == 0)
			return true;
	return false;
}

static bool is_named_port(const struct rules *r, const struct upper *u)
{
	const uint32_t *ports = ports_of(r), wanted = (uint32_t)u->protocol << 16 | u->port;
	unsigned low = 0, high = r->n_ports;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (ports[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n_ports && ports[low] == wanted;
}

static enum rules_verdict check_port(const struct rules *r, const struct upper *u)
{
	bool named;

	if (u->kind == UPPER_UNKNOWN)
		return RULES_HEADERS;
	named = bit_of(r->whole, u->protocol);
	if (!named && bit_of(r->some, u->protocol)) {
		if (u->kind == UPPER_LATER)
			return RULES_FRAGMENT;
		named = u->kind == UPPER_PORT && is_named_port(r, u);
	}
	return named == ((r->rules & RULE_PORTS) != 0) ? RULES_PASS : RULES_PORT;
}

// TCP and UDP only.
static uint16_t service_port(const struct upper *u)
{
	return u->kind == UPPER_PORT && (u->protocol == 6 || u->protocol == PROTOCOL_UDP) ? u->port : 0;
}

enum rules_verdict rules_check(const struct rules *r, const uint8_t *packet, const struct inner_ip *ip)
{
	struct upper u = upper_parse(packet, ip->len);
	enum rules_verdict v = RULES_PASS;

	if (u.kind == UPPER_ROUTED)
		return RULES_HEADERS;
	if (is_service(r, ip, service_port(&u)))
		return RULES_PASS;
	if (r->rules & (RULE_PORTS | RULE_PORTS_BUT))
		v = check_port(r, &u);
	if (v == RULES_PASS && r->rules & RULE_TARGETS && !is_target(r, ip))
		v = RULES_TARGET;
	return v;
}
