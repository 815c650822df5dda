// The RADIUS servers of one purpose: who is asked next, how often, and how they are. The loop's thread only; nothing blocks.
// An exchange is one request and its answer: it goes to the first server that is well, again when no answer comes (RFC 5080 2.2.1:
// the very same packet), and on to the next. A server that answers nothing is left alone for radius_deadtime; then one request
// tries it. An answer counts if it comes from the server's own address and port to the socket that has asked it (sockets are
// connected), has the identifier of a request that still waits, and is signed with the secret; everything else is dropped and
// counted.
#pragma once
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "secmod/health.h"
#include "secmod/radius_config.h"
#include "secmod/radius_packet.h"

struct radius_servers;
struct radius_exchange;

// Build the request for a server with this secret: 0 or -errno.
typedef int (*radius_build)(void *who, struct radius_packet *out, uint8_t id, const char *secret);
// The end of an exchange, which is freed after it. bytes NULL: no answer from anybody. server: who has answered.
typedef void (*radius_done)(void *who, const uint8_t *bytes, size_t len, int server);

struct radius_kind {
	radius_build build;
	radius_done done;
};

// Once, before the first exchange and after lookup_start(); servers may be there already. 0 or -errno. A second time does nothing.
int radius_client_start(struct event_base *base);
int radius_client_stop(void); // 0, as methods are stopped

// Who says the same gets the same: health and open requests live on through reloads, and virtual hosts share them. need_signed:
// answers without a Message-Authenticator are none (Access-Requests: CVE-2024-3596; answers to accounting need none). Copies the
// configuration. NULL, errno. One reference; exchanges hold their own.
struct radius_servers *radius_servers_get(const struct radius_config *c, bool need_signed);
void radius_servers_put(struct radius_servers *s); // NULL is fine

// only: the one server that can answer (it has said State), -1: any. 0; -EAGAIN: as many requests wait as may, at every server;
// -EHOSTUNREACH: no server to ask; -errno of build(). done() is never called from here.
int radius_exchange_start(struct radius_servers *s, const struct radius_kind *kind, void *who, int only,
                          struct radius_exchange **out);
void radius_exchange_cancel(struct radius_exchange *e); // without done()

// Where a server of that name is now; false: nowhere that is known.
bool radius_servers_find(const char *name, struct addr *out);

// A row for each server that is in use, those of accounting too: for show auth.
void radius_servers_report(health_row row, void *who);
bool radius_servers_any_well(const struct radius_servers *s);
