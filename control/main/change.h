// Changes to a session that is up, as an authorization server (RFC 5176) or the operator orders them: speed, times, where it may
// send. They hold for its later tunnels too. Main process only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/messages.h"

struct gateway;
struct kept;
struct session;
struct terms;

// What holds for a session in the place of its terms.
struct changes {
	uint8_t what; // enum change_what
	uint64_t rx_rate, tx_rate;
	uint32_t idle_timeout;
	struct terms *filter; // a reference; NULL without CHANGE_FILTER
};

// On its way to the dataplane.
struct change;
struct tunnel;

// From sec-mod, answered by SESSION_CHANGED: at once, or when the dataplane has answered.
void change_session(struct gateway *g, const struct msg_session_change *m);
// The same by the operator: limit_done() with this token has the answer.
void change_by_operator(struct session *s, const struct msg_session_change *m, uint32_t token);
void change_done(struct gateway *g, const struct msg_tunnel_changed *m);
void change_free(struct change *c); // NULL is fine
// The dataplane that was told of it has died.
void change_lost(struct tunnel *t);
// What a tunnel of this session under these terms is kept to.
struct kept change_kept(const struct session *s, const struct terms *terms, bool mobile);
