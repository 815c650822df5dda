// A channel in main's event loop, with a bounded queue for what its peer has not read yet. The owner embeds it.
// Main waits for nobody: a peer that lets the queue overflow, or reads nothing for LINK_STALL_SECONDS, loses its channel; of one
// that may be slow (patient) the owner sees to it that little waits.
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "control/main/state.h"
#include "proto/chan.h"

#define LINK_STALL_SECONDS 10

struct link_item;
STAILQ_HEAD(link_queue, link_item);

struct link {
	struct chan chan;
	struct event readable, writable, timer; // timer: a stall, or the end that has been decided
	const chan_handler *handlers;
	void *who;
	void (*ended)(void *who,
	              int why);     // once, from the loop. why 0: the peer closed; else -errno (a broken rule is logged already)
	void (*touched)(void *who); // a message is about to be read; may be NULL
	void (*drained)(void *who); // the queue has become empty again; may be NULL
	struct link_queue queue;
	unsigned queued, queue_max;
	int why;
	bool ending;  // ended() is due
	bool deaf;    // what still comes is thrown away
	bool heard;   // a message has come; the owner clears it
	bool patient; // its peer reads when it likes: no stall
};

// chan is initialised already (chan_init); the link owns it from here. 0 or -ENOMEM, and then chan is closed.
int link_open(struct link *l, struct event_base *base, unsigned queue_max);
// At once and for good; no callback follows. Safe in any callback and twice.
void link_close(struct link *l);
// Queue what cannot go now; fds are duplicated. 0, or a negative errno, and then ended() follows from the loop
// (but for -EINVAL: a message out of its bounds, our own fault, is logged and left out).
int link_send(struct link *l, enum msg_number number, const void *msg, const int *fds);
#define LINK_SEND(l, NAME, ...) link_send((l), MSG_##NAME, (__VA_ARGS__), NULL)
// Read nothing until it is off again.
void link_hold(struct link *l, bool on);
// Read and forget from now on: this peer has been told to go.
void link_deafen(struct link *l);
// Serve now what has come already, as from the loop.
void link_read_rest(struct link *l);

// An open channel that nothing waits in, in a state. What its peer has sent stays in the kernel.
#define LINK_FIELDS(type)                                                                                                         \
	STATE_FD(type, link.chan.fd), STATE_NUMBER(type, link.chan.state), STATE_BYTES(type, link.chan.used),                     \
	        STATE_BYTES(type, link.chan.burst), STATE_NUMBER(type, link.chan.burst_second), STATE_TEXT(type, link.chan.name), \
	        STATE_NUMBER(type, link.deaf), STATE_NUMBER(type, link.heard)
bool link_is_quiet(const struct link *l); // nothing waits for its peer, and its end is not due
// As link_open(), of a channel that those fields have come back of.
int link_open_again(struct link *l, struct event_base *base, unsigned queue_max, enum role peer);
