// The gateway's numbers as METRICS_SAMPLE messages: one function for each source (proto/metrics.def). Main process only.
#pragma once
#include "control/main/link.h"
#include "proto/metrics.h"

struct gateway;
struct session;

#define SAMPLES_NAMES 64

// Where they go (to NULL: nowhere). Peers name what they tell of, and no two samples may have the same names: those of before are
// kept.
struct samples {
	struct link *to;
	uint64_t names[SAMPLES_NAMES];
	unsigned n_names;
};

// All that main has by itself.
void samples_gateway(struct samples *s, struct gateway *g);
void samples_session(struct samples *s, const struct session *session); // with a client connected
void samples_dp_port(struct samples *s, const struct msg_dp_port *m);
void samples_dp_core(struct samples *s, const struct msg_dp_core *m);
void samples_dp_pool(struct samples *s, const struct msg_dp_pool *m);
void samples_dp_ring(struct samples *s, const struct msg_dp_ring *m);
void samples_dp_counter(struct samples *s, const struct msg_dp_counter *m);
void samples_dp_end(struct samples *s, const struct msg_dataplane_stats_end *m);
void samples_auth_row(struct samples *s, const struct msg_auth_status_row *m);
void samples_auth_end(struct samples *s, const struct msg_auth_status_end *m);
