// Pool of client addresses of one family. Main process only, single thread; the pool owns its memory.
// lease_take() lends an address until lease_return(). Never lent: the network's and the broadcast address, the gateway's own
// (the first host), and with IPv6 subnets the subnet that holds the gateway.
#pragma once
#include "proto/addr.h"

struct lease_pool;

// subnet_prefix: how much of an IPv6 network one client gets (128: one address). IPv4: 32.
// 0; -EINVAL for a prefix that does not fit; -ENOSPC where no address would be left to lend; -ENOMEM.
int lease_pool_new(const struct addr *network, unsigned subnet_prefix, struct lease_pool **out);
void lease_pool_free(struct lease_pool *p); // whatever is still lent; NULL is fine
// Tell when it is freed.
void lease_pool_watch(struct lease_pool *p, void (*freed)(void *who, const struct addr *gateway), void *who);

// The gateway's own address; its prefix is the network's.
const struct addr *lease_gateway(const struct lease_pool *p);
bool lease_covers(const struct lease_pool *p, const struct addr *a); // is it in the pool's network?
// What it never lends: the network's address, the gateway's, and IPv4's broadcast address. How many they are.
unsigned lease_reserved(const struct lease_pool *p, struct addr out[3]);
// The prefix length that one client gets: 32 or ipv6-subnet-prefix.
unsigned lease_subnet_prefix(const struct lease_pool *p);

// The first free address from a start that `hint` chooses: the same hint finds the same address while it is free.
// `out` is one host (prefix 32 or 128). 0 or -ENOSPC.
int lease_take(struct lease_pool *p, uint64_t hint, struct addr *out);
// This very address (with subnets: the subnet that it is in). 0; -EADDRINUSE: it is lent, or it never is; -EINVAL: of another
// network.
int lease_claim(struct lease_pool *p, const struct addr *a);
// An address that is not lent is left alone.
void lease_return(struct lease_pool *p, const struct addr *a);

size_t lease_size(const struct lease_pool *p);
size_t lease_lent(const struct lease_pool *p);
// Whether it lends that network in that way.
bool lease_pool_is(const struct lease_pool *p, const struct addr *network, unsigned subnet_prefix);
// A stable hash of a user's name, for `hint`: the same over restarts.
uint64_t lease_hint(const char *user);
