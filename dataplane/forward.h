// What cores know of the way out by the inner NIC: the kernel's view of it, as pictures that the control thread replaces under RCU
// (mirror.c).
#pragma once
#include "fib.h"
#include "neighbours.h"
#include "port.h"

struct forwarding {
	const struct port *nic; // NULL: the inner port is the kernel's
	uint16_t mtu;
	const struct fib *routes;            // control: rw
	const struct neighbours *neighbours; // control: rw
};

// A packet passes this router: its TTL or hop limit, which is more than 1.
void forward_hop(uint8_t *ip);

static inline const struct fib *forwarding_routes(const struct forwarding *f)
{
	return __atomic_load_n(&f->routes, __ATOMIC_ACQUIRE);
}
static inline const struct neighbours *forwarding_neighbours(const struct forwarding *f)
{
	return __atomic_load_n(&f->neighbours, __ATOMIC_ACQUIRE);
}
