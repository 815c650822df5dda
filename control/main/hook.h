// The operator's scripts: connect-script, disconnect-script and host-update-script. Each client that has had the first has the
// second, and those of one session, or of one address, run in the order in which things happened. Main process only.
#pragma once
#include "control/main/hook_env.h"
#include "control/main/program.h"

struct conn;
struct opening;
struct session;

// Is there one that says whether clients may come?
bool hook_decides(const struct gateway *g);
// connect-script for a client whose addresses are lent; opening_decided() follows from the loop. NULL: no memory.
struct hook *hook_connect(struct opening *o);
// Nobody waits for it any more. Where it has run, or will have, disconnect-script follows it.
void hook_abandon(struct hook *h);
// host-update-script, where the client of this tunnel, which has just come up, has said what its host is called.
void hook_host_update(struct tunnel *t);
// disconnect-script: this tunnel is over, and all is counted. Takes over what the client said of itself.
void hook_disconnect(struct tunnel *t);
