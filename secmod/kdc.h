// Exchanges with a KDC for clients that have no ticket yet and cannot reach it themselves (kkdcp). Each is one request and one
// answer, without blocking and with a time-out; what passes through is looked at no further than its framing needs.
// The loop's thread only.
#pragma once
#include "proto/kdcspec.h"
#include "proto/messages.h"
#include "proto/snapshot.h"

#include <sys/socket.h>

struct conn;
struct kdc_exchange;
struct kdchost;

struct kdc {
	char path[LIMIT_URL_PATH + 1], realm[LIMIT_REALM + 1];
	bool tcp;
	uint16_t port;
	struct kdchost *host;         // that has this name; NULL: it is an address
	struct sockaddr_storage addr; // then; with its scope
	socklen_t addr_len;
};

struct kdcs {
	unsigned n;
	struct kdc kdc[LIMIT_KDCS];
};

// Waits for nobody: a name's address is found later (kdchost.h), and until then its KDC is one that cannot be reached. 0; or
// -EINVAL: `text` says why not. Either way `k`, zeroed before, is to be unloaded.
int kdcs_load(struct kdcs *k, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1]);
void kdcs_unload(struct kdcs *k);

// From the connection's handler: 0, and KDC_REP comes; or -errno: the connection has broken a rule.
int kdc_ask(struct conn *conn, const struct msg_kdc_req *m);
void kdc_drop(struct conn *conn); // its connection ends
