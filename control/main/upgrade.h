// Another penstockd in the place of this one, under the same pid, with its sessions, sockets and children: `penstockctl upgrade`,
// SIGUSR1. Main process only.
//
// The new program is tried first: a child of ours restores our state and says whether it could go on with it, while we go on. Then,
// at a moment when nothing is half said on any channel, we become the new program (exec). Until it has everything and comes to its
// event loop it can go back (takeover.h): what it was becomes this program again, with the same state.
#pragma once
#include "control/main/gateway.h"

struct handover;
struct takeover;

// The result comes through the log and admin_upgraded(), perhaps from another program.
void upgrade_start(struct gateway *g);
// SIGUSR1: as soon as it can be, since nobody waits for an answer and would ask again.
void upgrade_signal(struct gateway *g);
// Begins what was put off, if it can now.
void upgrade_resume(struct gateway *g);
// A child has died. True: it was the trial.
bool upgrade_reaped(struct gateway *g, pid_t pid, int status);
// Here we are, in the place of another: tell it, and let the workers be of this version too.
void upgrade_arrived(struct gateway *g, const struct takeover *t, struct handover *h);
// The reload that upgrade_arrived() has begun is over.
void upgrade_settled(struct gateway *g, bool ok, const char *text);
// Clients wait in the kernel's queue, so that those who are between their login and their tunnel become fewer.
bool upgrade_holds(const struct gateway *g);
// We stop meanwhile.
void upgrade_give_up(struct gateway *g);
