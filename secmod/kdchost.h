// Where the KDCs are that are configured by name. A name is looked up (lookup.h) when settings come with it, and again while
// nobody knows it or its KDC does not answer. One of each name, shared by virtual hosts and kept through reloads: what has been
// found holds for new settings at once. The loop's thread only.
#pragma once
#include <event2/event.h>
#include <stdint.h>

#include "proto/addr.h"

#define KDCHOST_AGAIN_MS 30000

struct kdchost;

// After lookup_start(); hosts may be there already. Every again_ms it is seen who has to be looked up again. 0 or -errno.
int kdchosts_start(struct event_base *base, uint32_t again_ms);
void kdchosts_stop(void);

struct kdchost *kdchost_get(const char *name); // one reference; NULL: no memory
void kdchost_put(struct kdchost *h);           // NULL is fine

struct addr kdchost_addr(const struct kdchost *h); // without a port; family 0: not known yet
// It does not answer, and may have moved. Strangers can bring this about: the resolver is not asked for each.
void kdchost_doubt(struct kdchost *h);
