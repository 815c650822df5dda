// What main leaves with its keeper, so that another main can go on with it: records by kind and number, and duplicates of the
// descriptors that belong to them. The keeper owns a vault, and reads nothing of what is in a record; main says what changes in
// packets of operations, which count together (VAULT_COMMIT) or not at all. No I/O but to close descriptors.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "control/main/htab.h"

struct state_writer;

// In the order in which they are restored (handover.c).
enum vault_kind {
	VAULT_PROGRAM, // no record: the program that is main
	VAULT_BASE,    // of which version, and the configuration
	VAULT_GATEWAY, // the last numbers, and the door
	VAULT_FIGURES, // what is counted
	VAULT_METRICS,
	VAULT_BANS,
	VAULT_LISTENERS,
	VAULT_ADMIN,
	VAULT_CHILD, // by pid
	VAULT_TERMS,
	VAULT_SESSION,
	VAULT_CONN,
	VAULT_NUMBERS, // of tunnels
	VAULT_TUNNEL,
	VAULT_INNER,
	VAULT_KINDS,
};

enum vault_word {
	VAULT_PUT,    // a record, in the place of the one under its number
	VAULT_MORE,   // of the record before it
	VAULT_DROP,   // it is no more
	VAULT_RESET,  // none of those before is any more
	VAULT_COMMIT, // all this counts from here on
	VAULT_TELL,   // systemd: its words follow, and count at once
	VAULT_HEARD,  // that a process of this number has ended; counts at once
	VAULT_WORDS,
};

#define VAULT_PACKET 61440 // bytes of operations
#define VAULT_FDS 250      // what one packet of a Unix socket takes is 253
#define VAULT_SAME_FDS 1   // descriptors are those of before

struct vault_op {
	uint8_t word, kind, flags, spare;
	uint16_t n_fds; // of the packet's, the next ones
	uint16_t spare2;
	uint32_t len; // bytes that follow
	uint32_t spare3;
	uint64_t id;
};

#define VAULT_RECORD_MOST (64u << 20)

struct vault_record {
	struct hlink link;
	TAILQ_ENTRY(vault_record) list;
	enum vault_kind kind;
	uint64_t id;
	uint8_t *bytes;
	size_t len;
	int *fds;
	unsigned n_fds;
	bool drop, same_fds; // while it waits for its commit
};

TAILQ_HEAD(vault_list, vault_record);

struct vault {
	struct htab table;
	struct vault_list records; // that count
	struct vault_list waiting; // for a commit, in their order
	size_t count;
	bool reset; // before what is waiting
	bool torn;  // something of it could not be taken: nothing counts before a VAULT_RESET
	// What counts at once; may be NULL.
	void (*tell)(void *who, const char *text);
	void (*heard)(void *who, int pid);
	void *who;
};

int vault_init(struct vault *v); // 0 or -ENOMEM
void vault_fini(struct vault *v);
// A packet of operations with its descriptors, which are the vault's from here on. 0; -EBADMSG: it is none, and nothing of it
// counts that has not counted yet; -ENOMEM.
int vault_take(struct vault *v, const uint8_t *packet, size_t len, const int *fds, unsigned n_fds);
// There was no memory, or no descriptor, for something: what is left is of no moment. Empty, and main has to begin again.
void vault_tear(struct vault *v);
// Whoever spoke does so no more: what still waits will never count.
void vault_forget(struct vault *v);
void vault_empty(struct vault *v); // wiped and closed, all of it
const struct vault_record *vault_find(const struct vault *v, enum vault_kind kind, uint64_t id);
// All that counts, in its order, as a state. The writer's error says whether it went well.
void vault_write(const struct vault *v, struct state_writer *w);
