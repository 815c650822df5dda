#include "control.h"
#include "record.h"

#include <rte_prefetch.h>

// A sweep takes so long, or longer where there are more tunnels than may be looked at in that time: what it costs is bounded, by
// turn and by second.
#define SWEEP_SECONDS 1
#define SWEEP_BURST 256
#define SWEEP_RATE 32768
#define AHEAD 4
// So long the keys before those in force are good for what comes late, on the path of before.
#define PAST_SECONDS 2
#define REKEY_SEQUENCE (DTLS_SEQUENCE_MAX - (1ULL << 32))

static uint64_t period(const struct control *c)
{
	return RTE_MAX(SWEEP_SECONDS * c->dp.tsc_hz, c->n_active * c->dp.tsc_hz / SWEEP_RATE);
}

// How far the sweep should have come by now.
static uint32_t target(const struct control *c)
{
	uint64_t passed = c->now - c->sweep_began;

	return passed >= period(c) ? c->n_active : (uint32_t)(c->n_active * passed / period(c));
}

// ---------------------------------------------------------------------------------------------------------- one tunnel

uint64_t sweep_active(const struct control *c, const struct tunnel *t)
{
	uint64_t in = c->dp.in[t->number].last_data, out = c->dp.out[t->number].last_data, moved = RTE_MAX(in, out);

	return RTE_MAX(t->added, moved);
}

static bool is_idle(const struct control *c, const struct tunnel *t)
{
	uint64_t active = sweep_active(c, t);

	return t->idle && c->now > active && c->now - active >= t->idle;
}

// Main hears of an idle tunnel until it does something about it.
static void check_counters(struct control *c, struct tunnel *t)
{
	const struct tunnel_out *out = &c->dp.out[t->number];
	uint64_t moved = c->dp.in[t->number].packets + out->packets + out->dropped + t->lost + t->datagrams;

	if ((moved != t->reported || is_idle(c, t)) && tunnel_tell_counters(c, t))
		t->reported = moved;
}

// Only over UDP; over CSTP its worker asks.
static void check_liveness(struct control *c, struct tunnel *t)
{
	static const uint8_t question[] = { TYPE_DPD_REQUEST };
	// Only this thread ever frees key sets: they can be looked at.
	const struct tunnel_keys *k = __atomic_load_n(&c->dp.in[t->number].keys, __ATOMIC_RELAXED);
	uint64_t heard;

	if (!k || k->closed)
		return;
	heard = __atomic_load_n(&k->last_udp, __ATOMIC_RELAXED);
	switch (dpd_step(&t->dpd, c->now, heard)) {
	case DPD_ASK:
		lane_seal(c, t, k->handshake, CONTENT_DATA, question, sizeof(question));
		c->count.value[COUNT_dtls_dpd_asked]++;
		break;
	case DPD_GIVE_UP:
		if (t->channel == CHANNEL_DTLS)
			tunnel_give_up_udp(c, t, heard);
		break;
	default:
		break;
	}
}

// Old, or near the last sequence number, which is far more than a sweep can use up.
static bool is_old(const struct control *c, const struct tunnel *t, const struct tunnel_keys *k)
{
	if (t->rekey && c->now - t->keyed >= t->rekey)
		return true;
	return __atomic_load_n(&k->next_sequence, __ATOMIC_RELAXED) >= REKEY_SEQUENCE ||
	       __atomic_load_n(&k->seen.top, __ATOMIC_RELAXED) >= REKEY_SEQUENCE;
}

// A fatal alert makes a client begin a new handshake at once, and nothing is lost: what it sends meanwhile is still opened, and its
// packets go over CSTP. A client that goes on under the old keys has not got it.
static void check_keys(struct control *c, struct tunnel *t)
{
	static const uint8_t alert[] = { ALERT_FATAL, ALERT_USER_CANCELED };
	const struct tunnel_keys *k = __atomic_load_n(&c->dp.in[t->number].keys, __ATOMIC_RELAXED);

	if (!k || k->handshake != t->keyed_for || !is_old(c, t, k))
		return;
	if (t->ended ? __atomic_load_n(&k->last_udp, __ATOMIC_RELAXED) < t->ended + c->dp.tsc_hz / 2 : k->closed)
		return;
	lane_seal(c, t, k->handshake, CONTENT_ALERT, alert, sizeof(alert));
	c->count.value[COUNT_dtls_rekeys]++;
	t->ended = c->now;
}

// What was on its way under the keys before is here by now.
static void check_past(struct control *c, struct tunnel *t)
{
	const struct tunnel_keys *k = __atomic_load_n(&c->dp.in[t->number].next, __ATOMIC_RELAXED);

	if (c->now - t->keyed < PAST_SECONDS * c->dp.tsc_hz)
		return;
	handshake_leave(&c->paths, &t->handshakes, t->number);
	if (k && k->past && k->handshake != t->keyed_for)
		tunnel_forget_past(c, t);
}

static void visit(struct control *c, struct tunnel *t)
{
	if (t->phase != TUNNEL_UP)
		return;
	handshake_sweep(&c->paths, &t->handshakes, t->number, c->now);
	if (t->untold)
		tunnel_tell_state(c, t);
	check_keys(c, t);
	check_past(c, t);
	check_liveness(c, t);
	check_counters(c, t);
}

static void prefetch(const struct control *c, uint32_t at)
{
	uint32_t number = c->active[RTE_MIN(at, c->n_active - 1)];

	rte_prefetch0(&c->tunnels[number]);
	rte_prefetch0(&c->dp.in[number]);
	rte_prefetch0(&c->dp.out[number]);
}

// ----------------------------------------------------------------------------------------------------------------- all

void sweep_turn(struct control *c)
{
	uint32_t end;

	if (c->sweep_at >= c->n_active) {
		if (c->now - c->sweep_began < period(c))
			return;
		c->sweep_at = 0;
		c->sweep_began = c->now;
	}
	end = RTE_MIN(target(c), c->sweep_at + SWEEP_BURST);
	for (; c->sweep_at < end; c->sweep_at++) {
		prefetch(c, c->sweep_at + AHEAD);
		visit(c, &c->tunnels[c->active[c->sweep_at]]);
	}
}

int64_t sweep_wait_ns(const struct control *c)
{
	uint32_t end = RTE_MIN(c->sweep_at + SWEEP_BURST, c->n_active);
	uint64_t whole = period(c), passed = c->now - c->sweep_began;
	uint64_t due = c->sweep_at < c->n_active ? end * whole / c->n_active : whole;

	return due > passed ? (int64_t)((double)(due - passed) * 1e9 / (double)c->dp.tsc_hz) : 0;
}
