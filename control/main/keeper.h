// The keeper: the process that the operator starts, and the parent of main. It holds what main has left with it (vault.h), and
// when main dies, or says nothing, starts another that goes on with it. It speaks with main alone, over one socket and a page that
// both see; what it is told by signals it passes on. Not part of main's loop.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KEEPER_VERSION 1
#define KEEPER_TOUCHED 1022

enum keeper_phase {
	KEEPER_FIRST,   // main has not been up yet: where it ends, so do we
	KEEPER_AGAIN,   // another is taking over
	KEEPER_UP,      // all that another needs to go on is in the vault
	KEEPER_LEAVING, // main ends in order
	KEEPER_BECOMES, // as UP, and main is becoming another program (upgrade.h), or again the one before
};

// What both see. Each field has one writer.
struct keeper_page {
	uint32_t version;
	// main
	uint32_t phase; // but for KEEPER_AGAIN
	uint64_t beat;
	uint32_t reloading; // half of a reload has been told to others
	uint32_t traceable; // somebody may be looking at it with a debugger
	uint32_t to_syslog, detached;
	int32_t facility;
	uint32_t n_touched; // connections that main has heard since its last commit; more than KEEPER_TOUCHED: any of them
	uint64_t touched[KEEPER_TOUCHED];
	// the keeper
	uint32_t restarts; // of main
	uint64_t died_ms;  // when the last one has (clock_ms)
	char why[96];
};

// A process that was main's has ended, and main no more to see it. pid 0: what main has left is no more; all of it again, please.
struct keeper_news {
	int32_t pid, status;
};

// Main's end.
struct keeper_link {
	int fd, page_fd; // -1: there is no keeper
	struct keeper_page *page;
};

// Become the keeper of ourselves. Returns in main: 0 or -errno (logged); in the keeper, where main has ended for good, it ends the
// process as main has ended. to_root: it leaves the working directory. ready_fd: as that of daemon_start().
int keeper_start(char **argv, bool to_root, int ready_fd, struct keeper_link *out);
// In a main that was exec'd: the two descriptors, and what they are. 0 or -errno.
int keeper_attach(int fd, int page_fd, struct keeper_link *out);
void keeper_detach(struct keeper_link *l);

// What the keeper decides by, apart from its processes: may another go on, or does it begin anew?
enum keeper_next { KEEPER_ENDS, KEEPER_TAKES_OVER, KEEPER_BEGINS_ANEW };

struct keeper_history {
	unsigned points; // for deaths in a row, each soon after the one before
	unsigned begun;  // anew, in a row
};

struct keeper_death {
	enum keeper_phase phase;
	uint64_t lived_ms;
	bool by_others; // SIGKILL that is not ours: no fault of its own
};

enum keeper_next keeper_judge(struct keeper_history *h, const struct keeper_death *d);
