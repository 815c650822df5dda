#include "rest.h"

#include <sys/socket.h>
#include <time.h>

#include <rte_pause.h>

// Rounds without a packet before the core lies down: some microseconds, in which the rest of a burst comes.
#define ROUNDS_AWAKE 16
// The first nap and the longest: each is twice the one before. What a packet waits for at most stays below 100 us.
#define NAP_FIRST_NS 5000
#define NAP_LAST_NS 80000
// So many naps, less than half a millisecond: then it sleeps until a frame or the control thread wakes it, where ports can do that.
#define NAPS 8
// NICs hold an interrupt back for a while after the one before, some for 17 ms: a core that sleeps by interrupts naps until such
// a time is over, so that the first frame after a silence wakes it at once.
#define NAPS_INTERRUPTS 640
// So many packets a millisecond are a stream. In one the core lies down after every round that brought less than a burst, until a
// burst or two should have come: the kernel's side of a packet costs little where many come at once, and much where each comes
// alone.
#define STREAM_PACKETS 24
#define STREAM_BURST (2 * BURST)

// Has anybody put something into its rings?
static bool has_mail(const struct lcore *lc)
{
	if (!rte_ring_empty(lc->mailbox) || !rte_ring_empty(lc->from_control))
		return true;
	for (unsigned i = 0; i < lc->dp->n_cores; i++)
		if (lc->handed[i] && !rte_ring_empty(lc->handed[i]))
			return true;
	return false;
}

static void nap(struct lcore *lc, long ns)
{
	struct timespec ts = { 0, ns };

	rte_rcu_qsbr_thread_offline(lc->dp->tables->rcu, lc->index);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	rte_rcu_qsbr_thread_online(lc->dp->tables->rcu, lc->index);
	lc->sleeps++;
}

// A packet socket whose interface went down is readable for good until somebody has seen the error.
static void clear_errors(struct lcore *lc)
{
	int error;
	socklen_t len;

	for (unsigned i = 1; i < lc->n_wait; i++) {
		len = sizeof(error);
		if ((lc->wait[i].revents & ~POLLIN) && getsockopt(lc->wait[i].fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			lc->n_wait = 0; // a TAP that is gone: from here on there are only naps
	}
}

static uint64_t frames_received(const struct lcore *lc)
{
	return lc->count.value[COUNT_outer_rx] + lc->count.value[COUNT_inner_rx] + lc->count.value[COUNT_kernel_rx];
}

static void sleep_long(struct lcore *lc, struct rest *r)
{
	const struct timespec ts = { 0, interrupts_sleep_ns(&lc->interrupts) };
	int ready;

	if (interrupts_arm(&lc->interrupts))
		return; // what came before that is found in one more round
	wake_arm(&lc->wake);
	if (!has_mail(lc) && !__atomic_load_n(&lc->stop, __ATOMIC_RELAXED)) {
		rte_rcu_qsbr_thread_offline(lc->dp->tables->rcu, lc->index);
		ready = ppoll(lc->wait, lc->n_wait, &ts, NULL);
		if (ready > 0)
			clear_errors(lc);
		rte_rcu_qsbr_thread_online(lc->dp->tables->rcu, lc->index);
		lc->sleeps++;
		r->slept = true;
		r->timed_out = ready == 0;
		r->received = frames_received(lc);
	}
	wake_disarm(&lc->wake);
	interrupts_disarm(&lc->interrupts);
}

// Nothing came for so many rounds.
static void rest_empty(struct lcore *lc, struct rest *r)
{
	unsigned empty = r->empty, naps = empty < ROUNDS_AWAKE ? 0 : empty - ROUNDS_AWAKE;
	unsigned naps_most = lc->interrupts.n > 0 ? NAPS_INTERRUPTS : NAPS;
	long ns = naps < 5 ? NAP_FIRST_NS << naps : NAP_LAST_NS;

	if (lc->busy_poll || empty < ROUNDS_AWAKE)
		rte_pause();
	else if (naps < naps_most || lc->n_wait == 0)
		nap(lc, RTE_MIN(ns, (long)NAP_LAST_NS));
	else
		sleep_long(lc, r);
}

long rest_stream(struct rest *r, uint64_t now, uint64_t hz, unsigned moved)
{
	uint64_t passed = now - r->since, per_ms, due;

	r->packets += moved;
	if (passed < hz / 1000)
		return r->nap_ns;
	per_ms = r->packets * (hz / 1000) / passed;
	due = per_ms < STREAM_PACKETS ? 0 : STREAM_BURST * 1000000ull / per_ms;
	r->nap_ns = due < NAP_FIRST_NS ? 0 : RTE_MIN((long)due, (long)NAP_LAST_NS);
	r->since = now;
	r->packets = 0;
	return r->nap_ns;
}

// The round after a long sleep is over.
static void judge_sleep(struct lcore *lc, struct rest *r)
{
	r->slept = false;
	interrupts_judge(&lc->interrupts, r->timed_out, frames_received(lc) != r->received);
	if (lc->interrupts.distrusted)
		lc->n_wait = 0;
}

void rest(struct lcore *lc, struct rest *r, unsigned moved)
{
	long ns = rest_stream(r, lc->now, lc->dp->tsc_hz, moved);

	if (r->slept)
		judge_sleep(lc, r);
	if (moved > 0)
		interrupts_disarm(&lc->interrupts);
	r->empty = moved > 0 ? 0 : r->empty + 1;
	if (ns > 0 && moved < BURST && !lc->busy_poll)
		nap(lc, ns);
	else if (r->empty > 0)
		rest_empty(lc, r);
}
