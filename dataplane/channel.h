// Over what a tunnel's packets go out: DTLS, or CSTP through its lane. Owner core only.
// A switch happens when the control thread could be told of it; if its ring is full, a later packet tries again.
#pragma once
#include "packet.h"

static inline void channel_to_cstp(struct lcore *lc, uint32_t tunnel, enum channel_why why)
{
	struct tunnel_out *out = &lc->dp->out[tunnel];

	if (out->channel != CHANNEL_DTLS || !tell_control(lc, EVENT_CHANNEL, tunnel, out->keys, CHANNEL_CSTP, (uint8_t)why))
		return;
	out->channel = CHANNEL_CSTP;
	if (out->keys)
		out->keys->quiet = true;
}

// Nothing but alerts is sealed under these keys from now on. What comes under them is opened as before.
static inline void channel_end_keys(struct lcore *lc, uint32_t tunnel, struct tunnel_keys *k, enum channel_why why)
{
	struct tunnel_out *out = &lc->dp->out[tunnel];

	k->closed = true;
	if (out->keys != k)
		return;
	channel_to_cstp(lc, tunnel, why);
	out->keys = NULL;
	out->channel = CHANNEL_CSTP;
}

static inline void channel_to_dtls(struct lcore *lc, uint32_t tunnel)
{
	struct tunnel_out *out = &lc->dp->out[tunnel];

	if (!tell_control(lc, EVENT_CHANNEL, tunnel, out->keys, CHANNEL_DTLS, WHY_HEARD))
		return;
	out->channel = CHANNEL_DTLS;
	out->keys->quiet = false;
}
