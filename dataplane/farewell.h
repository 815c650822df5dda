// Tunnels that another dataplane had before it died: their clients still seal DTLS under keys that nobody has any more. A worker
// has kept alerts for that (DTLS_FAREWELL), which make a client begin a new handshake at once. Control thread only.
#pragma once
#include <stdbool.h>

#include <rte_mbuf.h>

#include "proto/messages.h"

struct control;
struct tunnel;

// Where the client was, as main has it (TUNNEL_ADD). 0 or -ENOMEM.
int farewell_expect(struct control *c, struct tunnel *t, const struct msg_tunnel_add *m);
// What its worker has kept. The first goes out at once where the kernel finds the way. 0, or -EPROTO: those are none.
int farewell_take(struct control *c, struct tunnel *t, const struct msg_dtls_farewell *m);
// A record from a path that is nobody's. True: its sender is one of those clients, and something was done about it.
bool farewell_stray(struct control *c, struct rte_mbuf *m);
// Its client has new keys, or the tunnel goes.
void farewell_forget(struct tunnel *t);
