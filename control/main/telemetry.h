// The door of DPDK's telemetry protocol: main listens and accepts, the dataplane gets each connection and answers. It never has to
// be able to make a socket by itself.
#pragma once
#include "control/main/gateway.h"

int telemetry_open(struct gateway *g, const char *path); // 0 or -errno (logged)
void telemetry_close(struct gateway *g);
