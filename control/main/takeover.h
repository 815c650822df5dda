// The side of the program that takes over (upgrade.h): what it is told by its environment, and how it goes back. Main process only.
#pragma once

struct handover;

enum takeover_kind {
	TAKEOVER_NONE,  // an ordinary start
	TAKEOVER_TRIAL, // to say whether we could: by exit status, and a reason on stderr
	TAKEOVER_GO,
	TAKEOVER_BACK, // the one that took over from us has failed
	TAKEOVER_KEPT, // main has died, and this is what its keeper has
	TAKEOVER_ANEW, // likewise, and that was no good: an ordinary start, but for the keeper
};

struct takeover {
	enum takeover_kind kind;
	int state_fd;
	int back_fd;            // the program that goes on if we fail; -1: none
	int keeper_fd, page_fd; // with KEPT and ANEW
	char why[256];          // TAKEOVER_BACK: what has failed
};

#define TAKEOVER_WORD \
	"PENSTOCK_TAKEOVER" // in the environment: "trial:FD", "go:FD:FD", "back:FD:REASON", "kept:FD:FD:FD", "anew:FD:FD"
#define TAKEOVER_SECONDS 10 // then it hangs
#define TAKEOVER_ABLE 78    // exit status of a trial: no program says that which knows nothing of all this

// First of all in main(): from here on, whatever goes wrong, we go back.
void takeover_begin(struct takeover *t, char **argv);
// The state into h->g. 0 or -errno (logged).
int takeover_restore(const struct takeover *t, struct handover *h);
// Become the program of before. Returns only where that cannot be.
void takeover_go_back(const char *why);
// Everything is there: no way back from here on, and no descriptor goes to another program any more.
void takeover_done(struct takeover *t, const struct handover *h);
// Signals that end or move us wait meanwhile, over the exec too; and those that have come are served.
void takeover_signals_hold(void);
void takeover_signals_release(void);
