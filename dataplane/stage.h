// The stages of the packet path. Each takes a burst and returns how many go on (compacted to the front of pkts);
// the rest were dropped, punted or answered, each with its counter. Only loop.c (and the bench) calls stages.
// The caller counts what it receives; every way in and out has a counter whose role says what it is in the sum (counters.def).
// Every array has room for BURST packets; n is at most BURST.
#pragma once
#include "lcore.h"

// Outer frames -> datagrams with their path (PACKET_DATAGRAM, data = the UDP payload). Ports that give datagrams skip it. Fragments
// wait here for each other. What is not ours goes to the kernel, where the port is a NIC that the kernel has not.
unsigned outer_in(struct lcore *lc, const struct port *port, struct rte_mbuf **pkts, unsigned n);

// Datagrams -> DTLS application records and alerts with their tunnel (PACKET_RECORD, data at the record header). Handshake
// records of known tunnels and ClientHellos with a known App-ID are punted (PACKET_HANDSHAKE).
unsigned classify(struct lcore *lc, struct rte_mbuf **pkts, unsigned n);

// What belongs to another core's tunnel goes to that core; what belongs to this core's stays. Whoever owns a tunnel may have
// changed since a packet was last looked at: every burst passes here before its tunnels are touched.
unsigned hand_over(struct lcore *lc, struct rte_mbuf **pkts, unsigned n);

// Records from unknown addresses, with tunnels they may belong to (PACKET_STRAY) -> records of the tunnel whose keys have opened
// them and whose path they have moved (PACKET_RECORD). What other cores' tunnels may have sent goes on to those.
unsigned adopt(struct lcore *lc, struct rte_mbuf **pkts, unsigned n);

// Records -> inner packets (PACKET_OPENED, data at the IP header): keys, replay, open, confirm, packet type. DPD requests are
// answered: the answers are appended to reply[] as PACKET_SEAL with type 23 (*n_reply of them, at most n), for dtls_out().
unsigned dtls_in(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **reply, unsigned *n_reply);

// Inner packets from clients (DTLS or lane): whole IP packet, source is the tunnel's own. Then they may enter the inner port; those
// for other clients that the kernel is not to carry go to inner[] (PACKET_INNER), for their owners and cstp_out().
unsigned inner_in(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **inner, unsigned *n_inner);

// Where the inner port is a NIC: packets whose next hop is known go to frames[], behind their Ethernet header, for tx_outer(); the
// others stay, for tx_inner(): the kernel forwards them.
unsigned forward(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **frames, unsigned *n_frames);

// Frames from the inner port -> inner packets with their tunnel (PACKET_INNER). What is for no client goes to the kernel, where the
// port is a NIC that the kernel has not.
unsigned route(struct lcore *lc, const struct port *port, struct rte_mbuf **pkts, unsigned n);

// What the control thread handed over from lanes: inner packets (CSTP data, which moves their tunnel's channel to CSTP) go to
// inner[], for inner_in(); datagrams and plaintext to be sealed stay, for dtls_out().
unsigned lane_in(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **inner, unsigned *n_inner);

// Inner packets of tunnels that are on CSTP go to their lanes; those above their tunnel's MTU go to big[], for too_big(); the
// others stay.
unsigned cstp_out(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **big, unsigned *n_big);

// An inner packet above its tunnel's MTU -> its fragments, where it may have some, for cstp_out() again; else an answer to whoever
// has sent it, where one is due: *reply, for tx_inner(), or NULL.
unsigned too_big(struct lcore *lc, struct rte_mbuf *m, struct rte_mbuf **parts, struct rte_mbuf **reply);

// PACKET_INNER and PACKET_SEAL -> sealed records behind Ethernet, IP and UDP headers; PACKET_DATAGRAM gets the headers only. Where
// the port takes datagrams there are none: the packet's path says where it goes.
unsigned dtls_out(struct lcore *lc, struct rte_mbuf **pkts, unsigned n);

// Queue for a port; flushed when full and at the end of a round. Outer: by packet's port; inner: with an Ethernet header before it.
void tx_outer(struct lcore *lc, struct rte_mbuf **pkts, unsigned n);
void tx_inner(struct lcore *lc, struct rte_mbuf **pkts, unsigned n);
// Done frames of other cores (PACKET_FRAME).
void tx_frames(struct lcore *lc, struct rte_mbuf **pkts, unsigned n);
// Frames from the kernel's TAP beside a NIC: out of that.
void tx_kernel(struct lcore *lc, const struct port *tap, struct rte_mbuf **pkts, unsigned n);
unsigned tx_flush(struct lcore *lc); // how many still wait for the kernel
