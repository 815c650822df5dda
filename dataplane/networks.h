// Networks behind tunnels, and those that clients' own addresses are lent from: the longest prefix that holds an address. Control
// thread writes, poll cores read, as in tables.h. Hosts come first: whoever has an address exactly is asked before.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"
#include "tables.h"

// Of a network of the inner side: its addresses that no tunnel has are nobody's, whatever wider network is behind a tunnel.
#define NETWORK_OWN UINT32_MAX

// So many at most: sites beside many single clients.
#define NETWORKS_MOST(tunnels_max) ((tunnels_max) + 1024)

struct networks {
	struct table table;               // network -> tunnel or NETWORK_OWN
	uint32_t n;                       // control: rw, cores: ro; 0: nobody needs to look
	uint64_t lengths4, lengths6[3];   // prefix lengths that occur, a bit each; control: rw, cores: ro
	uint32_t count4[33], count6[129]; // how often each; control
};

int networks_init(struct networks *n, uint32_t most); // 0, -ENOMEM
void networks_fini(struct networks *n);
// What the table takes for so many networks.
size_t networks_budget(uint32_t most);

// Control thread. Takes the network over from whoever has it. 0; -ENOSPC.
int networks_add(struct networks *n, const struct addr *network, uint32_t tunnel);
// If it is this tunnel's.
void networks_remove(struct tables *t, struct networks *n, const struct addr *network, uint32_t tunnel);

// Whose is the longest network that holds this address (family 4 or 6, network order)? false: nobody's.
bool networks_find(const struct networks *n, uint8_t family, const uint8_t *ip, uint32_t *tunnel);
