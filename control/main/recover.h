// Another main goes on with what the one before has left with the keeper (deposit.h). That has died in the middle of something:
// what it had read last is lost, and what it had said last stands in no record. So the children are asked what they have, and until
// they have answered no client is heard; what does not fit together then ends, and its clients come back with their cookies. Main
// process only.
#pragma once
#include "control/main/gateway.h"
#include "proto/messages.h"

struct child;
struct handover;

struct recovery;

// Everything is restored. 0, or -ENOMEM.
int recover_begin(struct gateway *g, struct handover *h);
// A child says what it has, and then that this was all; or it has died, and has nothing.
void recover_session(struct gateway *g, const struct msg_session_kept *m);
void recover_tunnel(struct gateway *g, const struct msg_tunnel_held *m);
void recover_told(struct child *c);
// The last counters of a tunnel that no record knows. False: it is none of those.
bool recover_counted(struct gateway *g, const struct msg_tunnel_counters *m);
