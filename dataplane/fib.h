// Routes as the kernel has them, for one interface: does the way to an address lead by it, and by which neighbour? Built by the
// control thread; read by cores, for which it never changes. Plain memory, no DPDK.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define FIB_ROUTES_MAX (1u << 18) // some 15 MB while a table replaces another; with more, all is the kernel's

struct fib_route {
	uint8_t family; // 4 or 6
	uint8_t prefix;
	uint8_t to[16];
	bool local;  // of the table that comes before the main one, whatever the prefixes
	bool ours;   // by our interface, else the kernel's business
	bool direct; // everybody there is a neighbour; else via
	uint8_t via[16];
	uint32_t metric;
};

struct fib;

// Sorts the routes. NULL: no memory. The caller owns the table.
struct fib *fib_new(struct fib_route *routes, unsigned n);
void fib_free(struct fib *f);
// The neighbour's address: a gateway's, or `to` itself; NULL: the kernel knows, or nobody.
const uint8_t *fib_find(const struct fib *f, uint8_t family, const uint8_t *to);
