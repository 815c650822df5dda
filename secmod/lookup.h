// Addresses of servers that are configured by name, and may move: looked up in a thread, since a resolver waits for as long as it
// likes. The loop's thread calls.
#pragma once
#include <event2/event.h>

#include "proto/addr.h"

struct lookup;

// Before it nothing is looked up: not in a trial, of which nobody outside is to hear.
void lookup_start(struct event_base *base);
// Lookups that wait are done(). 0, or -ETIMEDOUT: the resolver is still at it (as pool_stop()).
int lookup_stop(void);

// found NULL: nothing; family and address only. The lookup is over then.
typedef void (*lookup_done)(void *who, const struct addr *found);
// NULL: not now (too many, no memory, or it has not been started or been stopped).
struct lookup *lookup_name(const char *name, lookup_done done, void *who);
void lookup_cancel(struct lookup *l); // without done(); NULL is fine

// Of a name that is an address already: asks nobody. 0, or -EHOSTUNREACH.
int lookup_numeric(const char *name, struct addr *out);
