// From a good cookie to a tunnel: addresses, and what takes its time: whether somebody else has them (ping-leases), and what
// connect-script says. Its client waits for that, everybody else goes on. A connection has at most one, and so has a session;
// sec-mod counts it as a use of the session. Main process only.
#pragma once
#include "control/main/program.h"

#define OPENING_PINGS 8 // addresses of a family that are tried

struct conn;
struct hook;
struct ping;
struct session;
struct terms;

struct opening {
	struct conn *conn;
	struct session *session;
	struct terms *terms;
	// Of each family: whom we ask, and who has answered. Those addresses are nobody's, and not to be lent before this is over.
	struct asking {
		struct opening *opening;
		uint8_t family;
		struct ping *ping; // NULL: none
		struct addr occupied[OPENING_PINGS];
		unsigned n_occupied;
	} asking[2];
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
