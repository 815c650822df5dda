// MAC addresses of neighbours as the kernel has them, for one interface. Built by the control thread; read by cores, for which it
// never changes. Plain memory, no DPDK.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define NEIGHBOURS_MAX \
	4096 // the kernel itself keeps 1024 of each family by default; who has no place here is reached by the kernel

struct neighbour {
	uint8_t family; // 4 or 6
	bool stale;     // the kernel should make sure of it again
	uint8_t mac[6];
	uint8_t ip[16];
};

struct neighbours;

// At most NEIGHBOURS_MAX. NULL: no memory. The caller owns the table.
struct neighbours *neighbours_new(const struct neighbour *all, unsigned n);
void neighbours_free(struct neighbours *t);
const struct neighbour *neighbours_find(const struct neighbours *t, uint8_t family, const uint8_t *ip); // NULL: not known
