// A channel: one end of a SOCK_SEQPACKET pair, whose other end is one known role.
// One packet is one message and exactly the declared descriptors. Identity is the channel: nothing a peer says about itself counts.
// Each channel is used by one thread.
#pragma once
#include <stdbool.h>

#include "msg.h"

// 0, or a negative errno: the peer broke a rule that only the handler can know, and the channel is dropped.
// Descriptors belong to the handler only once it has taken them with chan_take_fd(); the rest are closed afterwards.
// A handler may chan_fini() its own channel (chan_serve() then returns 0) but must not free the struct: the caller of chan_serve()
// does.
typedef int (*chan_handler)(void *who, const void *msg, const int *fds);

struct chan {
	int fd;                      // -1: closed
	uint8_t self, peer;          // enum role
	uint32_t state;              // one enum chan_state; chan_enter() moves it
	uint16_t used[MSG_NUMBERS];  // for `times`
	uint16_t burst[MSG_NUMBERS]; // for `per_second`
	uint32_t burst_second;       // monotonic second that burst[] counts
	char name[48];               // for the log: "worker 17 (192.0.2.1)"
	// A good message was lost because its descriptors did not fit into this process; NULL: whoever waits for an answer waits in
	// vain.
	void (*lost)(void *who, enum msg_number number, const union msg_any *msg);
};

// Make a pair, close-on-exec and non-blocking. 0 or -errno.
int chan_pair(int fds[2]);
void chan_init(struct chan *c, int fd, enum role self, enum role peer, uint32_t state, const char *name_fmt, ...)
        __attribute__((format(printf, 6, 7)));
void chan_fini(struct chan *c);
static inline void chan_enter(struct chan *c, uint32_t state)
{
	c->state = state;
}

// Send one message with its descriptors (which stay the caller's). 0; -EAGAIN when the peer does not read; -EPIPE; -EINVAL for a
// message that the table does not allow from us to this peer.
int chan_send(struct chan *c, enum msg_number number, const void *msg, const int *fds);
#define CHAN_SEND(c, NAME, ...) chan_send((c), MSG_##NAME, (__VA_ARGS__), NULL)

// Receive and serve at most `most` messages. The ladder, cheap to dear: packet whole; number known; sender and receiver are this
// channel's; state allowed; not used up; descriptors exactly as declared; fields in bounds and nothing left over; then the handler.
// > 0: so many were served. -EAGAIN: nothing there. 0: the peer has closed. Else the peer broke a rule (logged here, once):
// the caller ends it. On every path no descriptor is leaked and secrets are wiped. A message whose descriptors did
// not fit into this process (RLIMIT_NOFILE) is not the peer's fault: it is logged, lost and counted as served.
int chan_serve(struct chan *c, const chan_handler handlers[MSG_NUMBERS], void *who, int most);

// The same checks for bytes that the caller has received by itself (a lane, which carries packets beside messages).
// 1, or the peer broke a rule. Descriptors that the handler has not taken are closed here; the caller wipes buf if it may hold a
// secret.
int chan_serve_packet(struct chan *c, const chan_handler handlers[MSG_NUMBERS], void *who, const uint8_t *buf, size_t len, int *fds,
                      int n_fds);

// Block until a message with this number has been served, or timeout. For start-up and for a worker that waits for sec-mod.
// 0; -ETIMEDOUT; -EPIPE when the peer has closed; or as chan_serve().
int chan_await(struct chan *c, const chan_handler handlers[MSG_NUMBERS], void *who, enum msg_number number, int timeout_ms);

// In a handler: take ownership of descriptor i (chan_serve() has received it close-on-exec).
int chan_take_fd(const int *fds, int i);
