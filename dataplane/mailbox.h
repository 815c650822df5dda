// Commands from the control thread to the owner core of a tunnel. The core runs them between bursts and answers by `done`.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "lcore.h"

enum command_kind {
	COMMAND_INSTALL, // keys become the tunnel's `next`; they seal data from the first authenticated application record on
	COMMAND_MOVE,    // the tunnel becomes another core's
	COMMAND_GIVE_UP, // UDP has no answer: packets go over CSTP until it is heard again
	COMMAND_POLICY,  // the tunnel is kept to something else
	COMMAND_FORGET,  // keys that are past are out of use
	COMMAND_RETIRE,  // the tunnel leaves the path: not live, no keys; afterwards the control thread may reclaim everything
};

struct command {
	enum command_kind kind;
	uint32_t tunnel;
	struct tunnel_keys *keys;       // COMMAND_INSTALL
	uint8_t to;                     // COMMAND_MOVE: index of that core
	struct policy *policy;          // COMMAND_POLICY: from now on (NULL: nothing); out: the one that is out of use
	uint64_t heard;                 // COMMAND_GIVE_UP: when UDP was last heard; not given up if it has been heard since
	struct tunnel_keys *retired[2]; // out: key sets that this command put out of use (to wipe after a grace period)
	bool done;                      // release/acquire: core -> control
};

// Control thread, to the core that owns the tunnel. The command stays the caller's and must live until done. -EAGAIN: full, try in
// the next round.
int mailbox_post(struct lcore *lc, struct command *c);
// Poll core, once a round before receiving.
void mailbox_serve(struct lcore *lc);
// Key sets that are out of use otherwise travel back the same way: the core posts them here.
void mailbox_release_keys(struct lcore *lc, struct tunnel_keys *k);
unsigned mailbox_collect(struct lcore *lc, struct tunnel_keys **out, unsigned room);
