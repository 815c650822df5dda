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

struct kdc {
	char path[LIMIT_URL_PATH + 1], realm[LIMIT_REALM + 1];
	bool tcp;
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

struct kdcs {
	unsigned n;
	struct kdc kdc[LIMIT_KDCS];
};

// Names are looked up here, once. 0; or -EINVAL: `text` says why not.
int kdcs_load(struct kdcs *k, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1]);

// From the connection's handler: 0, and KDC_REP comes; or -errno: the connection has broken a rule.
int kdc_ask(struct conn *conn, const struct msg_kdc_req *m);
void kdc_drop(struct conn *conn); // its connection ends
