// The sockets that clients reach: TCP is accepted here; UDP is held so that the kernel answers for it with silence, while the
// dataplane reads the packets themselves. Main process only.
#pragma once
#include "control/main/gateway.h"

// Bind every configured address. 0 or -errno; what failed is logged.
int listen_open(struct gateway *g);
// Clients may connect. 0 or -errno (logged). Accepting begins with listen_resume().
int listen_start(struct gateway *g);
// UDP sockets, ours or systemd's, that the dataplane is to use: how many.
unsigned listen_sockets(const struct gateway *g, int *fds, unsigned most);
void listen_close(struct gateway *g);
// They cannot any more: the ports stay ours, and connections are refused until listen_start(). take_waiting: those that wait in the
// kernel's queue are served still; otherwise they are reset.
void listen_shut(struct gateway *g, bool take_waiting);
// No connections are taken for a moment: we lack `why` (errno).
void listen_rest(struct gateway *g, int why);
// Everybody is there whom a connection needs.
bool listen_serves(const struct gateway *g);
// While a child that a connection needs is missing, clients wait in the kernel's queue.
void listen_pause(struct gateway *g);
void listen_resume(struct gateway *g);

// A reload, all or nothing: sockets at the tcp-port that is to come (0 or -errno, logged); clients may connect there (likewise); it
// has come, and the old ones go. Or it has failed.
int listen_prepare(struct gateway *g, const struct policy *p);
int listen_ready(struct gateway *g);
void listen_switch(struct gateway *g);
void listen_forget(struct gateway *g);

struct handover;
struct state_record;
struct state_writer;
void listen_save(const struct gateway *g, struct state_writer *w);
int listen_restore(struct handover *h, const struct state_record *rec);
