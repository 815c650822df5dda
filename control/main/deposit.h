// What main leaves with its keeper: whatever has changed goes there once in a round of the loop, as the records that an upgrade has
// too (handover.h). An object that lasts has a mark; who changes it says so, and more often than needed does no harm: what is the
// same as before is not sent. Main process only.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "control/main/vault.h"

struct gateway;
struct keeper_link;

struct deposit_mark {
	TAILQ_ENTRY(deposit_mark) list; // of those that have changed
	void *object;                   // NULL: no mark yet
	uint64_t id, hash, fds;         // hashes of what the keeper has
	enum vault_kind kind;
	uint8_t where; // enum deposit_where
	bool held;     // the keeper has it
};

struct deposit;

// When an object is made, and when it is no more.
void deposit_enter(struct gateway *g, struct deposit_mark *m, enum vault_kind kind, uint64_t id, void *object);
void deposit_leave(struct gateway *g, struct deposit_mark *m);
void deposit_changed(struct gateway *g, struct deposit_mark *m);
// Of what there is one only.
void deposit_part(struct gateway *g, enum vault_kind kind);
// Of all those.
void deposit_whole(struct gateway *g);
// A message of this connection is about to be read: until the next commit nobody could say what has become of it.
void deposit_touch(struct gateway *g, uint64_t conn);

// Takes over the link. 0 or -ENOMEM.
int deposit_open(struct gateway *g, struct keeper_link *link);
void deposit_close(struct gateway *g);
// Everything is there: from here on another could go on. again: the keeper has everything already.
void deposit_begin(struct gateway *g, bool again);
// Main ends in order: from here on nobody takes over.
void deposit_end(struct gateway *g);
// Main is about to become another program: until that has left all it has, the keeper is patient. false: it could not.
void deposit_becoming(struct gateway *g, bool on);
void deposit_reloading(struct gateway *g, bool on);

struct keeper_page;
struct keeper_page *deposit_page(const struct gateway *g);       // NULL: there is no keeper
const struct keeper_link *deposit_link(const struct gateway *g); // likewise
