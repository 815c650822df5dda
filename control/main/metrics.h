// Metrics: main opens the socket (metrics-listen), starts penstock-metrics, which speaks HTTP there, and sends it all numbers when
// it asks. Its own it has; sec-mod's and the dataplane's it asks for, and tells without them where there is no answer in time. Main
// process only.
#pragma once
#include "control/main/samples.h"
#include "control/main/supervise.h"

// Where a configuration wants them. Zeroed: it is not another place than before.
struct metrics_place {
	bool changes;
	int fd; // listening; -1: nowhere
	char *text;
};

// What the configuration says; a place that is taken is tried again and again: that is no reason not to start.
void metrics_open(struct gateway *g);
void metrics_close(struct gateway *g);
// A reload: 0 or -errno (logged), and then metrics_switch() or nothing; metrics_forget() in any case.
int metrics_prepare(struct gateway *g, const struct config *c, struct metrics_place *out);
void metrics_switch(struct gateway *g, struct metrics_place *place);
void metrics_forget(struct metrics_place *place);
// Its process runs; it does not hear us any more.
void metrics_started(struct child *c);
void metrics_lost(struct gateway *g);

// Was it metrics that peers were asked for with this token? Then their answers are told there, which is nowhere if they are late.
bool metrics_asked(uint32_t token);
struct samples *metrics_samples(struct gateway *g, uint32_t token);
void metrics_answered(struct gateway *g, uint32_t token, enum part whose);

// Where they are told, for another penstockd, which starts a process of its own for it.
struct handover;
struct state_record;
struct state_writer;
void metrics_save(const struct gateway *g, struct state_writer *w);
int metrics_restore(struct handover *h, const struct state_record *rec);
