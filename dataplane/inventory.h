// What another main is told of the tunnels that there are: by and by, so that no packet waits for it. Control thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct control;

struct inventory {
	bool asked;
	uint32_t next, told; // number of a tunnel; how many
};

// Answer TUNNELS_ASK from here on.
void inventory_begin(struct control *c);
unsigned inventory_turn(struct control *c);
