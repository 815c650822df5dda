// Prefixes are laid out flat: ranges of addresses that have the same answer, in order, so that a search halves them.
#include "fib.h"

#include <stdlib.h>
#include <string.h>

// An address as a number; IPv4 stands in the upper 32 bits.
typedef unsigned __int128 address;

#define HOP_KERNEL 0u
#define HOP_DIRECT 1u
#define HOP_VIA 2u    // and above: vias[hop - HOP_VIA]
#define DEPTH_MAX 130 // prefixes inside each other

struct range {
	address from; // up to the next one's
	uint32_t hop;
};

struct ranges {
	unsigned n;
	struct range *all;
};

struct via {
	uint8_t ip[16];
};

struct fib {
	struct ranges ipv4, ipv6;
	struct via *vias;
	unsigned n_vias;
};

static address address_of(uint8_t family, const uint8_t *ip)
{
	address a = 0;

	for (unsigned i = 0; i < (family == 4 ? 4u : 16u); i++)
		a |= (address)ip[i] << (120 - 8 * i);
	return a;
}

static address last_of(address first, uint8_t prefix)
{
	return prefix == 0 ? ~(address)0 : prefix >= 128 ? first : first | ((~(address)0) >> prefix);
}

static address first_of(const struct fib_route *r)
{
	address a = address_of(r->family, r->to);

	return r->prefix == 0 ? 0 : a & ~((~(address)0 >> 1) >> (r->prefix - 1));
}

// By family and address, the wider before the narrower; of the same prefix the one that wins first.
static int by_place(const void *a, const void *b)
{
	const struct fib_route *x = a, *y = b;
	address from_x = first_of(x), from_y = first_of(y);

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (from_x != from_y)
		return from_x < from_y ? -1 : 1;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	if (x->local != y->local)
		return x->local ? -1 : 1;
	return x->metric < y->metric ? -1 : x->metric > y->metric;
}

// ------------------------------------------------------------------------------------------------------------------- build

// Prefixes that are open at a place: each lies in the one below it.
struct open {
	address last;
	uint32_t hop;
	uint8_t prefix;
	bool local;
};

struct building {
	struct ranges *out;
	struct open open[DEPTH_MAX];
	unsigned depth;
};

static void range_add(struct ranges *out, address from, uint32_t hop)
{
	if (out->n > 0 && out->all[out->n - 1].from == from)
		out->n--;
	if (out->n > 0 && out->all[out->n - 1].hop == hop)
		return;
	out->all[out->n++] = (struct range){ from, hop };
}

// Prefixes that end before this place; behind each the one that it lay in goes on.
static void close_before(struct building *b, address from)
{
	while (b->depth > 1 && b->open[b->depth - 1].last < from) {
		b->depth--;
		range_add(b->out, b->open[b->depth].last + 1, b->open[b->depth - 1].hop);
	}
}

static void open_prefix(struct building *b, const struct fib_route *r, uint32_t hop)
{
	const struct open *top = &b->open[b->depth - 1];
	address from = first_of(r), last = last_of(from, r->prefix);

	close_before(b, from);
	top = &b->open[b->depth - 1];
	if (b->depth > 1 && top->last == last && top->prefix == r->prefix)
		return; // the same prefix again, and it has lost
	if (top->local && !r->local)
		return; // the local table has answered already
	b->open[b->depth++] = (struct open){ last, hop, r->prefix, r->local };
	range_add(b->out, from, hop);
}

static uint32_t hop_of(struct fib *f, const struct fib_route *r)
{
	if (!r->ours)
		return HOP_KERNEL;
	if (r->direct)
		return HOP_DIRECT;
	// routes by the same gateway mostly come together
	if (f->n_vias == 0 || memcmp(f->vias[f->n_vias - 1].ip, r->via, sizeof(r->via)) != 0)
		memcpy(f->vias[f->n_vias++].ip, r->via, sizeof(r->via));
	return HOP_VIA + f->n_vias - 1;
}

static int ranges_build(struct fib *f, struct ranges *out, const struct fib_route *routes, unsigned n)
{
	struct building b = { .out = out, .depth = 1 };
	struct range *fit;

	b.open[0] = (struct open){ .last = ~(address)0, .hop = HOP_KERNEL };
	out->all = malloc((2 * (size_t)n + 1) * sizeof(*out->all));
	if (!out->all)
		return -1;
	range_add(out, 0, HOP_KERNEL);
	for (unsigned i = 0; i < n; i++)
		open_prefix(&b, &routes[i], hop_of(f, &routes[i]));
	while (b.depth > 1 && b.open[b.depth - 1].last != ~(address)0)
		close_before(&b, b.open[b.depth - 1].last + 1);
	fit = realloc(out->all, out->n * sizeof(*out->all));
	out->all = fit ? fit : out->all;
	return 0;
}

struct fib *fib_new(struct fib_route *routes, unsigned n)
{
	struct fib *f = calloc(1, sizeof(*f));
	unsigned n_ipv4 = 0;

	if (!f)
		return NULL;
	if (n > 0)
		qsort(routes, n, sizeof(*routes), by_place);
	while (n_ipv4 < n && routes[n_ipv4].family == 4)
		n_ipv4++;
	f->vias = malloc(((size_t)n + 1) * sizeof(*f->vias));
	if (f->vias && ranges_build(f, &f->ipv4, routes, n_ipv4) == 0 &&
	    ranges_build(f, &f->ipv6, routes + n_ipv4, n - n_ipv4) == 0)
		return f;
	fib_free(f);
	return NULL;
}

void fib_free(struct fib *f)
{
	if (!f)
		return;
	free(f->ipv4.all);
	free(f->ipv6.all);
	free(f->vias);
	free(f);
}

// -------------------------------------------------------------------------------------------------------------------- find

const uint8_t *fib_find(const struct fib *f, uint8_t family, const uint8_t *to)
{
	const struct ranges *r = family == 4 ? &f->ipv4 : &f->ipv6;
	const struct range *at = r->all;
	address a = address_of(family, to);

	for (unsigned n = r->n; n > 1;) {
		unsigned half = n / 2;
		at += at[half].from <= a ? half : 0;
		n -= half;
	}
	if (at->hop == HOP_KERNEL)
		return NULL;
	return at->hop == HOP_DIRECT ? to : f->vias[at->hop - HOP_VIA].ip;
}
