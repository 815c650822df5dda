// Sessions outlive the processes that know of them. sec-mod's records survive in a file; when one is ready, it says which it has:
// who main does not know (it was started anew itself) is a session again, with its addresses; whom sec-mod does not know any more
// is none. How many connections each has only main knows. Main process only.
#pragma once
#include <stdbool.h>

#include "proto/messages.h"

struct child;
struct gateway;
struct session;

// sec-mod is ready but for its records; text: what else it has said.
void keep_ask(struct child *secmod, const char *text);
// 0 or -ENOMEM.
// The session of that record, made where main has it no more; NULL: its client has never connected.
struct session *keep_find(struct gateway *g, const struct msg_session_kept *m);
int keep_session(struct gateway *g, const struct msg_session_kept *m);
void keep_done(struct child *secmod, const struct msg_sessions_restored *m);
// The session's addresses and times, for its record.
void keep_lease(const struct session *s);
// The next sec-mod would know all sessions. While it cannot be written, sec-mod leaves no file there.
bool keep_works(const struct gateway *g);
// An orderly end: no session survives it.
void keep_nothing(struct gateway *g);
