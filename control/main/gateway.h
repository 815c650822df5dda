// Everything that penstockd knows while it runs: one object, one thread, one event loop.
// Each part is written by the file that it is named after; the others read it.
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>
#include <time.h>

#include "control/main/address.h"
#include "control/main/ban.h"
#include "control/main/config.h"
#include "control/main/door.h"
#include "control/main/figures.h"
#include "control/main/htab.h"
#include "control/main/iroute.h"
#include "control/main/lobby.h"
#include "control/main/policy.h"
#include "control/main/stats.h"
#include "proto/addr.h"
#include "proto/log.h"

struct config;
struct config_word;
struct options;
struct conn;
struct child;
struct listener;
struct session;
struct tunnel;
struct admin;
struct telemetry;
struct metrics;
struct deposit;
struct recovery;
struct reload;
struct upgrade;
struct handover_process;

enum gateway_phase { GATEWAY_STARTING, GATEWAY_UP, GATEWAY_STOPPING };

// A child that dies again and again is started ever later, and at last not at all.
struct respawn {
	unsigned failures; // in a row, each soon after its start
	struct event timer;
};

// A configuration as the children see it: sealed memfds, by enum config_view. Zeroed: there are none.
struct pictures {
	int fd[VIEWS];
	unsigned n;
};

// refill.c: the tunnels of a dataplane that has died, on their way into the next one.
struct refill {
	struct event step;
	uint32_t at; // numbers below it were looked at
	unsigned asked, done, failed;
	uint64_t since_ms; // of the death
};

struct gateway {
	struct event_base *base;
	const struct options *options;
	char **argv;                         // as we were started
	const struct handover_process *self; // what another program needs to know besides
	struct config *config;               // in force
	struct policy policy;                // what of it main itself uses
	struct pictures pictures;
	enum gateway_phase phase;
	int exit_status;
	int ready_fd;   // the starting process waits for a word on it; -1: nobody does
	bool to_syslog; // not to stderr
	struct stats stats;
	struct figures figures;

	// supervise.c
	TAILQ_HEAD(child_list, child) children;
	struct child *secmod, *dataplane, *nursery; // the current ones; NULL: not running
	struct child *reporter;                     // penstock-metrics
	struct respawn respawn[PARTS];
	struct event stop_timer;
	struct event pulse;
	int64_t wall_ahead_us; // of clock_ms(), when it was looked at last; 0: not yet
	uint64_t stop_deadline_ms;
	int stop_step;

	// listen.c
	TAILQ_HEAD(listener_list, listener) listeners;
	bool accepting;
	struct event accept_pause;
	uint64_t pause_logged_ms, stranger_logged_ms;
	bool logins_wait; // sec-mod is behind

	struct door door;
	struct lobby lobby;

	// conn.c
	struct htab conns_by_id;
	TAILQ_HEAD(conn_list, conn) conns;
	size_t conns_count, clients_count; // clients_count: those that have a session, and are not on their way out
	uint64_t conn_last;

	// cputime.c
	struct event cputime_look;
	uint64_t cputime_ms; // of the last look

	// session.c
	struct htab sessions_by_sid, sessions_by_id, sessions_by_user;
	TAILQ_HEAD(session_list, session) sessions;
	size_t sessions_count, sessions_active;
	uint32_t session_last;
	struct address_book addresses;
	struct htab iroutes; // by network

	// inner.c
	uint16_t inner_mtu; // that it has; 0: not set yet
	char inner[16];     // the kernel interface behind the dataplane; "": there is none
	LIST_HEAD(inner_list, inner_network) inner_networks;

	// tunnel.c
	struct tunnel **tunnels; // by number
	uint32_t *tunnels_free;  // ring of free numbers: the longest unused is used first
	uint32_t tunnels_max, tunnels_free_first, tunnels_free_count;

	struct refill refill;

	struct usage *usage; // usage.c; NULL: nothing is counted

	// keep.c
	char secmod_says[LIMIT_TEXT + 1]; // until it has told its records
	bool keeps_sessions;              // sec-mod keeps them in a file
	bool had_secmod;                  // one has told its records: the next comes into the middle of things

	struct programs *programs; // program.c
	struct utmp_book *utmp;    // utmp.c
	struct pings *pings;       // ping.c; NULL: none yet
	struct ban_list *bans;
	struct admin *admin;
	struct telemetry *telemetry; // NULL: off
	struct metrics *metrics;     // NULL: off
	struct upgrade *upgrade;     // NULL: none is going on, of another program in the place of ours
	struct event renew;          // renew.c
	uint64_t renew_due_ms;       // until then it waits for those who are logging in
	struct reload *reload;       // NULL: none is going on
	struct deposit *deposit;     // NULL: there is no keeper
	struct recovery *recovery;   // NULL: none is going on, of what the main before us has left
	uint32_t terms_last;         // number of terms that the keeper has
	bool reload_due;             // SIGHUP came when none could begin
	bool upgrade_due;            // the same of SIGUSR1
};

uint64_t clock_ms(void); // monotonic
static inline uint64_t clock_seconds(void)
{
	return clock_ms() / 1000;
}

// From g->config and g->options. 0 or -errno (logged); gateway_fini() in any case.
int gateway_init(struct gateway *g);
void gateway_fini(struct gateway *g);
// The second half of it, once there are tables and a configuration.
int gateway_begin(struct gateway *g);
// The empty tables and lists alone, without a configuration. 0 or -ENOMEM; gateway_tables_fini() in any case.
int gateway_tables_init(struct gateway *g);
void gateway_tables_fini(struct gateway *g);
// Everything is there: accept clients.
void gateway_up(struct gateway *g);
// Begin an orderly stop; the loop ends by itself. Asked a second time, it hurries.
void gateway_stop(struct gateway *g, int exit_status, const char *why);

enum log_level gateway_level(const struct options *o, const struct config *c);
void gateway_log_level(const struct gateway *g);
int gateway_facility(const struct options *o, const struct config *c);
void gateway_log_facility(const struct gateway *g);
// The snapshots of a configuration for the children. 0 or -errno (logged); then there are none.
int pictures_take(const struct gateway *g, const struct config *c, struct pictures *out);
// With one word more.
int pictures_take_with(const struct gateway *g, const struct config *c, const struct config_word *word, struct pictures *out);
void pictures_drop(struct pictures *p);
