// Outer frames above what their interface takes by now: somebody has lowered its MTU under running sessions. The kernel throws such
// frames of a packet port away without a word; so they leave in fragments, as the kernel's own would. By the core that sends.
#pragma once
#include "lcore.h"

// parts: of BURST; how many frames it became. 0: it was dropped by name, since it may not be cut, or there was no buffer.
unsigned narrow(struct lcore *lc, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **parts);
