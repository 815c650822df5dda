// The DTLS handshakes of an open session: which are alive, and what comes out of them. Worker only.
#pragma once
#include "bridge.h"

int handshakes_record(struct bridge *b, const struct msg_dtls_record *m);
void handshakes_confirmed(struct bridge *b, uint32_t number);
// The lane leads to another dataplane, which knows nothing: a client that had keys is told so by it, and what was under way is
// over.
void handshakes_restart(struct bridge *b);
void handshakes_tick(struct bridge *b);
int handshakes_wait_ms(const struct bridge *b, uint64_t now_ms); // -1: nothing to wait for
void handshakes_fini(struct bridge *b);
