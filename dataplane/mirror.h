// Keeps the dataplane's forwarding as the kernel has it: routes, and the neighbours of the TAP beside the inner NIC, over
// rtnetlink. Control thread; opened before rights are given up.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "forward.h"
#include "rtnl.h"
#include "tables.h"

struct mirror {
	struct forwarding *to;
	struct tables *tables; // its limbo
	int index;             // the TAP's
	int news, dump;        // sockets: what happens; what is
	bool asking;           // a dump is under way
	bool routes_due, neighbours_due, neighbours_new;
	bool torn;         // the dump under way is worth nothing
	bool full;         // more routes than there is room for
	uint32_t sequence; // of that dump
	uint64_t hz, ask_at;
	unsigned unburied;        // pictures that cores may still look at
	struct fib_route *routes; // of the dump under way
	unsigned n_routes, room;
	struct neighbour neighbours[NEIGHBOURS_MAX];
	unsigned n_neighbours;
};

// 0 or -errno. Until the first answers have come everything is the kernel's.
int mirror_open(struct mirror *m, struct forwarding *to, struct tables *tables, const struct port *tap, uint64_t hz);
// What has come on one of the sockets; never waits.
void mirror_read_news(struct mirror *m);
void mirror_read_dump(struct mirror *m);
// Asks and publishes what is due; once a turn. Nothing where it was never opened.
void mirror_turn(struct mirror *m, uint64_t now);

// For tests: one message of the kernel's.
void mirror_take_news(struct mirror *m, const struct rtnl *msg);
void mirror_take_dump(struct mirror *m, const struct rtnl *msg);
