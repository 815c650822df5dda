// What main has said of the tunnel that it is about to add: lists come one entry a message, before TUNNEL_ADD. Control thread only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"
#include "proto/limits.h"
#include "proto/messages.h"
#include "rules.h"

struct draft {
	uint32_t tunnel;
	unsigned n_networks; // these count on where there is no room: then they cannot match
	unsigned n_targets, n_services, n_ports;
	struct addr networks[LIMIT_NETWORKS];
	struct rules_target targets[LIMIT_ITEMS];
	struct addr services[LIMIT_SERVICES];
	struct rules_port ports[LIMIT_PORTS];
};

void draft_network(struct draft *d, const struct msg_tunnel_network *m);
void draft_target(struct draft *d, const struct msg_tunnel_target *m);
void draft_service(struct draft *d, const struct msg_tunnel_service *m);
void draft_port(struct draft *d, const struct msg_tunnel_port *m);
// Has everything come that this TUNNEL_ADD says? Nothing that was lost may widen what a client may do.
bool draft_is_whole(const struct draft *d, const struct msg_tunnel_add *m);
void draft_forget(struct draft *d);
