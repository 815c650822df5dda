// Whether clients can connect at all. While the gateway is full, in maintenance or about to stop, its TCP ports refuse them, so
// that load balancers see it and send them elsewhere; who is connected stays. Main process only.
#pragma once
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct gateway;

struct door {
	bool maintenance, draining;
	bool full;          // until a tenth of the room is free again
	bool shut;          // the ports refuse
	struct event timer; // the end of the draining, or another try to open
};

void door_init(struct gateway *g);
// The gateway is up. 0 or -errno (logged).
int door_begin(struct gateway *g);
void door_end(struct gateway *g);
// So many connections have room in our descriptors.
size_t door_files(const struct gateway *g);
// Connections have come or gone, or what bounds them has changed.
void door_settle(struct gateway *g);
// The ports refuse, and sessions go on; or clients may come again.
void door_maintain(struct gateway *g, bool on);
// The gateway is to stop: first its ports refuse for server-drain-ms, or until nobody is left. Asked a second time, at once.
void door_drain(struct gateway *g, const char *why);
// "online", "full", "maintenance", "draining" or "not accepting clients".
const char *door_state(const struct gateway *g);
