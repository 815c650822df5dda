// Signatures of handshakes, made beside the loop: in key workers, threads at normal priority whose queue no password hash ever
// enters, and for each key in a token in a thread of its own, which may wait for it. Bounded queues; one signature a connection.
// All functions belong to the loop's thread.
#pragma once
#include <event2/event.h>
#include <stdbool.h>

#include "proto/messages.h"
#include "secmod/health.h"

struct conn;
struct key;
struct signing_lane;

// Once in the process's life, before any settings are loaded.
void signing_init(struct event_base *base);
// And once they are: threads = key workers, 1 at least. 0 or -errno.
int signing_start(unsigned threads);
// At the end of it, when all connections are gone. Not 0: exit without exit handlers, a signature is still being made.
int signing_stop(void);

// A thread for a key in a token. NULL, errno. Freed when nothing signs with the key any more.
struct signing_lane *signing_lane_new(void);
void signing_lane_free(struct signing_lane *l);

// Answers SIGN_REQ, now or later. 0, or -errno: the connection cannot go on.
int signing_begin(struct conn *conn, const struct msg_sign_req *m);
// The key workers, for show auth. Those of keys in tokens are their own.
void signing_health(health_row row, void *who);
// The connection has ended; its signature is nobody's.
void signing_forget(struct conn *conn);
