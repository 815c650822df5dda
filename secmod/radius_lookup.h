// Addresses of servers that are configured by name, and may move: looked up in a thread, since a resolver waits for as long as it
// likes. The loop's thread calls.
#pragma once
#include <event2/event.h>

#include "proto/addr.h"

struct radius_lookup;

void radius_lookup_start(struct event_base *base);
int radius_lookup_stop(void); // 0, or -ETIMEDOUT: the resolver is still at it (as pool_stop())

// found NULL: nothing; family and address only. The lookup is over then.
typedef void (*radius_found)(void *who, const struct addr *found);
// NULL: not now (too many, no memory, or it has been stopped).
struct radius_lookup *radius_lookup(const char *name, radius_found done, void *who);
void radius_lookup_cancel(struct radius_lookup *l); // without done()

// Of a name that is an address already: asks nobody. 0, or -EHOSTUNREACH.
int radius_numeric(const char *name, struct addr *out);
