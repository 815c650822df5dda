// What has happened since the start, in sums that only metrics tell (metrics.h); stats.h has those of `show status`. None of them
// ever becomes smaller. Main process only; each is counted where it happens.
#pragma once
#include <stdint.h>
#include <time.h>

#include "proto/limits.h"
#include "proto/metrics.h"
#include "proto/states.h"

struct gateway;
struct handover;
struct state_record;
struct state_writer;
struct tunnel;
struct msg_auth_event;

enum pause { PAUSE_RESOURCES, PAUSE_LOGINS, PAUSE_PARTS, PAUSES };
enum part { PART_SECMOD, PART_DATAPLANE, PART_NURSERY, PART_METRICS, PARTS };

// Methods by which logins can end: those of sec-mod's table are fewer.
#define FIGURES_METHODS 16

struct figures_logins {
	char method[LIMIT_METHOD + 1];
	uint64_t ended[AUTH_OUTCOME_LAST + 1]; // by enum auth_outcome; of all but those that were abandoned there is a time
	uint64_t within[METRIC_BOUNDS];        // in so much time (metric_bounds) and no less than the one before says
	uint64_t ms;
};

struct figures_vhost {
	char name[LIMIT_VHOST + 1];
	uint64_t sessions;
};

// Bytes and packets inside tunnels.
struct figures_traffic {
	uint64_t cstp_in, cstp_out, dtls_in, dtls_out, packets_in, packets_out;
};

struct figures {
	struct figures_logins logins[FIGURES_METHODS];
	struct figures_vhost
	        vhosts[2 * LIMIT_VHOSTS]; // those of before reloads among them; what finds no place is counted with the last
	unsigned n_logins, n_vhosts;
	uint64_t ends[END_REASON_LAST + 1], starts[PARTS], pauses[PAUSES];
	uint64_t reloads, reloads_refused, connections, crashes, bans;
	time_t loaded;                     // the configuration in force
	struct figures_traffic over, told; // of tunnels that are over; what was told last
};

void figures_login(struct gateway *g, const struct msg_auth_event *m);
void figures_tunnel_up(struct gateway *g, const char *vhost);
void figures_tunnel_over(struct gateway *g, const struct tunnel *t);
void figures_reloaded(struct gateway *g);
// With tunnels that are up, and no less than the last time.
struct figures_traffic figures_traffic(struct gateway *g);

void figures_save(const struct gateway *g, struct state_writer *w);
int figures_restore(struct handover *h, const struct state_record *rec);
int figures_login_restore(struct handover *h, const struct state_record *rec);
int figures_vhost_restore(struct handover *h, const struct state_record *rec);
