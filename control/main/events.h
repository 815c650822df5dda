// What happens, told to operators who listen (penstockctl show events). Main process only.
// Nobody is waited for: who reads slowly loses events, and is told how many.
#pragma once
#include "proto/log.h"
#include "proto/messages.h"

struct admin_client;
struct conn;
struct gateway;
struct session;
struct tunnel;

// `show events`: from now on, until as many as its argument says, or without end.
void events_listen(struct admin_client *a);
// It has read all that waited for it.
void events_drained(struct admin_client *a);

void events_login(struct gateway *g, const struct msg_auth_event *m, const char *outcome);
void events_connect(const struct tunnel *t);
void events_refused(const struct conn *c, const char *user, const char *reason);
void events_disconnect(const struct tunnel *t);
void events_session_end(struct gateway *g, const struct msg_session_gone *m, const struct session *s); // s NULL: never connected
// Of a client's worker: EVENT_STALL, EVENT_WORKER.
void events_worker(const struct conn *c, enum event_kind kind, enum log_level level, const char *reason);
// The same before there is a worker: nothing has come.
void events_stall(struct gateway *g, const struct addr *client);
void events_process(struct gateway *g, const char *name, int pid, const char *reason);
// Of the whole: its text is the reason.
void events_gateway(struct gateway *g, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void events_ban(struct gateway *g, const struct addr *network, const char *reason);
void events_unban(struct gateway *g, const struct addr *network);
