// The kernel side of af_packet and TAP ports: descriptors that DPDK's drivers keep to themselves. Control thread, at start.
#pragma once
#include <stdint.h>

#include "port.h"

// Every packet socket of ours gets a filter, so that the kernel copies nothing but datagrams to our UDP port to us (not our own
// sent frames, and not the TCP that the kernel serves), and room to send. udp_port: host order.
void portfd_tune_packet_sockets(uint16_t udp_port);
// TAPs are polled: without this the kernel would send a signal for each packet.
void portfd_quiet_taps(void);
// visit() every descriptor of this process.
void portfd_each(void (*visit)(int fd, void *arg), void *arg);
// The descriptors opened so far are no port's that is still to come.
void portfd_pass_over(void);
// What a thread can wait for on each receive queue of the port that was opened last: packet and XDP sockets, queues of TAPs.
void portfd_of_port(struct port *p);
