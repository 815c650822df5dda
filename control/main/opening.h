// From a good cookie to a tunnel: addresses, then what takes its time (connect-script). Its client waits for that, everybody else
// goes on. A connection has at most one, and so has a session; sec-mod counts it as a use of the session. Main process only.
#pragma once
#include "control/main/program.h"

struct conn;
struct hook;
struct session;
struct terms;

struct opening {
	struct conn *conn;
	struct session *session;
	struct terms *terms;
	struct hook *hook; // connect-script, which runs or waits to run; NULL: not yet
};

// 0: the rest follows from the loop, or has happened. Or -errno, and there is nothing left of it (opening_refuse()).
int opening_start(struct session *s, struct conn *c, struct terms *terms);
// A tunnel of its session is over.
void opening_resume(struct opening *o);
// connect-script has ended. True: its client has a tunnel, which is over with disconnect-script.
bool opening_decided(struct opening *o, enum program_end how);
// The connection goes.
void opening_cancel(struct opening *o);
// No session for this client, for that reason: it is counted, told and logged. `user` "": not known.
void opening_refuse(struct conn *c, int why, const char *user);
