// Reload: everybody prepares, then everybody switches; any refusal keeps the old configuration whole. Main process only.
// Main reads the file, sec-mod loads its part beside the old one, a new nursery warms up; then main switches all three.
#pragma once
#include "control/main/gateway.h"
#include "proto/messages.h"

// The result comes through the log and admin_reloaded(), perhaps before this returns.
void reload_start(struct gateway *g);
// The configuration in force once more (c, which is ours from here on), for processes of another version; upgrade_settled() is
// told.
void reload_again(struct gateway *g, struct config *c);
// SIGHUP: now, or as soon as that is possible.
void reload_signal(struct gateway *g);
// Something has become ready or has ended: perhaps one that had to wait can begin.
void reload_resume(struct gateway *g);
void reload_secmod_ready(struct gateway *g, const struct msg_secmod_reloaded *m);
void reload_nursery_ready(struct gateway *g, bool ok, const char *text);
// To it, what of the configuration in force it can be told while it runs.
void reload_tell_dataplane(struct gateway *g);
// A process has died, and what it had prepared is lost; or it does not answer.
void reload_peer_lost(struct gateway *g, const char *why);
