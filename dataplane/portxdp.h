// net_af_xdp ports: the driver's own XDP program takes every frame of the interface. Ours takes our UDP port only, so that TCP, ARP
// and all else reach the kernel as before. Control thread, at start, right after the port has been started.
#pragma once
#include <stdint.h>

// Put our program in the place of the driver's; it goes with this process. udp_port: host order. 0 or -errno.
int portxdp_share(const char *interface, uint16_t udp_port);
