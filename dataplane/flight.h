// One packet's way, put together from what stages have seen of it (watch.h). Control thread only; no I/O.
#pragma once
#include <stdbool.h>

#include "watch.h"

// Packets under way at once: two bursts.
#define FLIGHTS 64
#define FLIGHT_STAGES 8
#define FLIGHT_TEXT 96

struct flight_part {
	uint16_t len, cut; // of the packet, and how much of it is in data
	uint8_t data[LIMIT_SNAP];
};

struct flight {
	bool used;
	bool inward; // from the client
	uint32_t packet;
	uint64_t at; // TSC of the first sighting
	uint8_t core;
	uint8_t stage[FLIGHT_STAGES], n_stages;
	struct path_key path; // family 0: it was not outside
	struct flight_part outer, inner;
};

struct flights {
	struct flight at[FLIGHTS];
	unsigned next; // to make room, where all are used
};

typedef void (*flight_done)(void *who, const struct flight *f, enum counter verdict);

// One sighting more; done() is told of each packet whose way has ended by it.
void flights_take(struct flights *f, const struct sighting *s, flight_done done, void *who);
// "dtls_in > inner_in > tx_inner"
const char *flight_stages(const struct flight *f, char out[FLIGHT_TEXT]);
// What there is of it, for people: "epoch 1 record 17"; "10.99.0.38 > 10.99.0.1 ICMP". "" for nothing.
const char *flight_outer(const struct flight *f, char out[FLIGHT_TEXT]);
const char *flight_inner(const struct flight *f, char out[FLIGHT_TEXT]);
