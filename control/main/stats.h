// What the gateway has done, since its start and since the last reset (server-stats-reset-time), for `show status`.
// Main process only.
#pragma once
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct gateway;
struct handover;
struct state_record;
struct state_writer;
struct tunnel;

// Clients turned away, mostly because something was full.
enum refused {
	REFUSED_CLIENTS,  // before login: max-clients, or descriptors
	REFUSED_PROXY,    // likewise: not in proxy-from
	REFUSED_SAME,     // max-same-clients
	REFUSED_ADDRESS,  // the lease pools
	REFUSED_SCRIPT,   // not full: connect-script has refused it, or has failed
	REFUSED_TUNNEL,   // tunnel numbers, the dataplane's tables
	REFUSED_STARTUPS, // before login: max-startups, or to make room for others
	REFUSED_KINDS,
};

struct stats_sums {
	uint64_t sessions; // that got a tunnel
	uint64_t logins, logins_failed, login_ms;
	uint64_t ended, ended_idle, ended_timeout, ended_error, session_seconds;
	uint64_t bytes_in, bytes_out;
	uint64_t refused[REFUSED_KINDS];
};

struct stats {
	time_t up_since, reset;
	uint64_t up_since_ms;
	struct stats_sums total;  // since the start; bytes of tunnels that have ended
	struct stats_sums before; // what stats_total() said at the last reset
	// Since the last reset.
	uint64_t login_ms_max, session_seconds_max;
	uint32_t mtu_min, mtu_max; // 0: there was no session
	struct event timer;
	uint64_t latency_median_ns, latency_stdev_ns; // of packets, as the dataplane said last
};

// The gateway is up: count from now on.
void stats_begin(struct gateway *g);
void stats_end(struct gateway *g);
// The time between resets may have changed.
void stats_rearm(struct gateway *g);
void stats_reset(struct gateway *g);

void stats_login(struct gateway *g, bool failed, uint32_t ms);
void stats_refused(struct gateway *g, enum refused why);
void stats_tunnel_up(struct gateway *g, const struct tunnel *t);
void stats_tunnel_over(struct gateway *g, const struct tunnel *t);

void stats_save(const struct gateway *g, struct state_writer *w);
int stats_restore(struct handover *h, const struct state_record *rec);

struct stats_sums stats_total(const struct gateway *g);  // since the start, with the bytes of tunnels that are up
struct stats_sums stats_period(const struct gateway *g); // since the last reset
