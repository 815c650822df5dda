// NICs of the dataplane's own, bound to vfio-pci, and the TAP that the kernel has beside each: the two are to look like one
// interface. Control thread.
#pragma once
#include "port.h"
#include "rtnl.h"

// Can this PCI device be ours? 0 or -errno with `why`, which names option, device and what to do about it. root: "", or where tests
// have their /sys and /dev.
int portnic_check(const char *root, const char *option, const char *word, char *why);
// A port that has been started: whatever the kernel may want to hear gets through.
void portnic_start(const struct port *nic);
// The kernel has changed its TAP: another MAC address, or somebody there wants all frames.
void portnic_follow_kernel(struct port *nic, const struct rtnl_link *link);
// Has a cable been pulled or plugged? Then the TAP's carrier follows. Asks the NICs, so not more often than once in a while.
void portnic_follow_links(struct ports *p);
