// Which tunnels have their peer at an address: an index for the control thread, which alone uses it. A tunnel is in it under the
// path of the keys in force.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "path.h"

#define PEER_NONE UINT32_MAX

// Of each tunnel, by its number. Numbers are kept one higher, so that memory which nobody needs is never touched: 0 is none.
struct peer {
	uint32_t next, before; // in the same bucket
	uint32_t bucket;
	uint8_t family;
	uint8_t ip[16];
};

struct peers {
	struct peer *of; // [tunnels_max]
	uint32_t *first; // [mask + 1]
	uint32_t mask;
};

int peers_init(struct peers *p, uint32_t tunnels_max); // 0, -ENOMEM
// The tunnel is at that path's address, and nowhere else; family 0: nowhere.
void peers_set(struct peers *p, uint32_t tunnel, const struct path_key *at);
// Those at the address of that path, the latest first: PEER_NONE after the last.
uint32_t peers_first(const struct peers *p, const struct path_key *at);
uint32_t peers_next(const struct peers *p, const struct path_key *at, uint32_t tunnel);
