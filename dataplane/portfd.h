// The kernel side of af_packet and TAP ports: descriptors that DPDK's drivers keep to themselves. Control thread, at start.
#pragma once
#include <stdint.h>

// Every packet socket of ours gets a filter, so that the kernel copies nothing but datagrams to our UDP port to us (not our own
// sent frames, and not the TCP that the kernel serves), and room to send. udp_port: host order.
void portfd_tune_packet_sockets(uint16_t udp_port);
// TAPs are polled: without this the kernel would send a signal for each packet.
void portfd_quiet_taps(void);
// visit() every descriptor of this process.
void portfd_each(void (*visit)(int fd, void *arg), void *arg);
// Append what a thread can wait for: our packet and XDP sockets and the queues of our TAPs. How many there are.
struct pollfd;
unsigned portfd_collect(struct pollfd *out, unsigned room);
