// Packets from one client to another, or to a network behind one (client-to-client): back into a tunnel of ours without the kernel,
// or nowhere. Asked only where the operator does not leave them to the kernel.
#pragma once
#include "lcore.h"

// For each packet of clients the other client's tunnel; NO_TUNNEL: it is for none, or no packet.
void hairpin_find(const struct dataplane *dp, struct rte_mbuf **pkts, unsigned n, uint32_t *to);
// COUNTERS: the IP packet, which is for another client, may go there.
enum counter hairpin_check(const struct dataplane *dp, const uint8_t *ip);
// It goes to that tunnel's client now (PACKET_INNER), and we were a router on its way.
void hairpin_turn(struct lcore *lc, struct rte_mbuf *m, uint32_t to);
// The same for an answer in the name of a client; false: it is for no other client, or the kernel's all the same.
bool hairpin_answer(struct lcore *lc, struct rte_mbuf *m);
