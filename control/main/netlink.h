// The gateway's interfaces: bring them up, size them, give them addresses and routes and take them away. Over rtnetlink, no program
// is run. Main process only. The kernel answers at once, so these calls do not wait for anybody.
#pragma once
#include <stdbool.h>

#include "proto/addr.h"

// Up, without ARP (the dataplane takes frames for any MAC), with this MTU. 0 or -errno; what failed is logged, here and below.
int netlink_link_up(const char *interface, unsigned mtu);
// The address carries its network's prefix length, which makes the route to the pool.
int netlink_address_add(const char *interface, const struct addr *a);
// -EADDRNOTAVAIL, -ENODEV (not logged): it was not there.
int netlink_address_remove(const char *interface, const struct addr *a);
// A network that is reached through the interface. -EEXIST (logged): the kernel has a route to it that is not ours, which stays.
int netlink_route_add(const char *interface, const struct addr *network);
void netlink_route_remove(const char *interface, const struct addr *network);
// Is it this machine's own, or everybody's here (broadcast, multicast)? Not where the kernel cannot be asked.
bool netlink_is_local(const struct addr *a);

// The same for an interface beside a NIC, with real neighbours: up with ARP, and addresses that look for duplicates.
int netlink_nic_up(const char *interface, unsigned mtu);
int netlink_nic_address_add(const char *interface, const struct addr *a);
// to.family 0: everywhere; via.family 0: everybody there is a neighbour. One of them has a family.
int netlink_nic_route_add(const char *interface, const struct addr *to, const struct addr *via);
