// What main has said of the tunnel that it is about to add: lists come one entry a message, before TUNNEL_ADD. Control thread only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"
#include "proto/limits.h"
#include "proto/messages.h"

struct draft {
	uint32_t tunnel;
	unsigned n_networks; // counts on where there is no room: then it cannot match
	struct addr networks[LIMIT_NETWORKS];
};

void draft_network(struct draft *d, const struct msg_tunnel_network *m);
// Has everything come that this TUNNEL_ADD says? Nothing that was lost may widen what a client may do.
bool draft_is_whole(const struct draft *d, const struct msg_tunnel_add *m);
void draft_forget(struct draft *d);
