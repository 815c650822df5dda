// DTLS whose records are the worker's (AES-CBC-SHA): which connections are alive, what comes in by them, and whether packets for
// the client go out by one or over CSTP. Worker only.
#pragma once
#include "bridge.h"

int relay_record(struct bridge *b, const struct msg_dtls_record *m);
// A packet for the client, with a byte of room before it. False: it has to go over CSTP.
bool relay_packet(struct bridge *b, uint8_t *packet, size_t len);
// The client sends its packets over CSTP: so do we, until it is heard over UDP again.
void relay_leave(struct bridge *b);
void relay_tick(struct bridge *b);
int relay_wait_ms(const struct bridge *b, uint64_t now_ms); // -1: nothing to wait for
void relay_restart(struct bridge *b);                       // the lane leads to another dataplane
void relay_fini(struct bridge *b);
