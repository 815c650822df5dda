// What clients are given points for, and what follows when they are banned for it. Main process only.
#pragma once
#include <stdbool.h>

#include "proto/addr.h"

struct gateway;

enum abuse { ABUSE_CONNECTION, ABUSE_PASSWORD, ABUSE_CRASH, ABUSE_STALL, ABUSE_KKDCP, ABUSE_KINDS };

// True: that has made a ban; it is logged, and all of that network that have no session yet are on their way out.
bool abuse_score(struct gateway *g, const struct addr *client, enum abuse what);
// A wrong password for a user.
void abuse_guess(struct gateway *g, const struct addr *client, const char *user);
// A new connection: may it be? It is counted.
bool abuse_admits(struct gateway *g, const struct addr *client);
bool abuse_banned(struct gateway *g, const struct addr *client);
