// The inner interface: bring it up, size it, give it the gateway's addresses. Over rtnetlink, no program is run.
// Main process only. The kernel answers at once, so these calls do not wait for anybody.
#pragma once
#include "proto/addr.h"

// Up, without ARP (the dataplane takes frames for any MAC), with this MTU and these addresses (family 0: none).
// Addresses carry their network's prefix length, which makes the route to the pool. 0 or -errno; what failed is logged.
int netlink_inner_up(const char *interface, unsigned mtu, const struct addr *ipv4, const struct addr *ipv6);
