// What nic-address and nic-route say: addresses and routes of the interfaces that the kernel has beside NICs of the dataplane's
// own. Main process only.
#pragma once
#include <stdbool.h>

#include "control/main/config.h"
#include "proto/addr.h"

#define NIC_INTERFACE 16 // bytes of a name

// "pnic0 192.0.2.1/24". 0 or -EINVAL.
int nic_address_parse(const char *text, char interface[NIC_INTERFACE], struct addr *out);
struct nic_route {
	struct addr to, via; // family 0: everywhere; nobody in between
};
// "pnic0 default 192.0.2.254", "pnic1 10.0.0.0/8 172.16.0.1", "pnic1 10.1.0.0/16". 0 or -EINVAL.
int nic_route_parse(const char *text, char interface[NIC_INTERFACE], struct nic_route *out);
// Is any port of this configuration a NIC of the dataplane's own?
bool nic_wanted(const struct config *c);
// The interface has just come: up, addressed and routed. 0 or -errno; what failed is logged.
int nic_up(const struct config *c, const char *interface, unsigned mtu);
