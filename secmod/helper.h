// Helper processes: foreign libraries and the network run in programs of their own, beside this one and exec'd clean: no key, no
// descriptor and no environment of ours goes along, only one end of a SOCK_SEQPACKET pair. The loop's thread only.
// A helper leads a session of its own, so that what it has started ends with it.
#pragma once
#include <event2/event.h>
#include <stddef.h>
#include <sys/types.h>

#include "secmod/spawn.h"

#define HELPER_FD SPAWN_FD // of the helper: its end of the pair
#define HELPER_REASON 255

struct helper;

struct helper_events {
	// A packet can be received.
	void (*readable)(void *who);
	// It is no more, or has been killed because it spoke nonsense or closed: the last event. reason: for the log.
	void (*ended)(void *who, const char *reason);
};

// Once for each method that has some. 0 or -errno. The last that stops ends what is left of them, without events.
int helpers_start(struct event_base *base);
void helpers_stop(void);

// It may use so many seconds, of the clock. NULL, errno.
struct helper *helper_new(enum spawn_kind kind, unsigned seconds, const struct helper_events *events, void *who);
// No events from here on: it is killed, or, once it has said its last word, may clean up behind itself for a few seconds.
void helper_kill(struct helper *h);
void helper_release(struct helper *h);

// 0 or -errno; -EPIPE and the like are told by `ended` too.
int helper_send(struct helper *h, const void *packet, size_t len);
// The length; 0: it has closed (`ended` comes); -EAGAIN; other -errno. A packet that does not fit is -EMSGSIZE.
ssize_t helper_receive(struct helper *h, void *packet, size_t room);
