// The inner interface: up, sized, and with the gateway's own address in every network that clients have addresses of. A network
// that a reload has taken away keeps its address, and with it its route, until its last lease has come back. Main process only.
#pragma once
#include "control/main/gateway.h"

// The pool's network belongs to the interface (from the next inner_sync() on) until the pool is freed. 0 or -ENOMEM.
int inner_use(struct gateway *g, struct lease_pool *pool);
// The dataplane has made the interface; it is called that. 0 or -errno (logged).
int inner_up(struct gateway *g, const char *interface);
// It has gone with the dataplane.
void inner_down(struct gateway *g);
// Give it the addresses that it lacks. 0 or -errno (logged).
int inner_sync(struct gateway *g);

struct handover;
struct state_record;
struct state_writer;
void inner_save(const struct gateway *g, struct state_writer *w);
// After the pools: what the interface has and the dataplane knows of their networks.
int inner_restore(struct handover *h, const struct state_record *rec);
