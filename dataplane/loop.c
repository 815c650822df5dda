#include "loop.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "hairpin.h"
#include "hand.h"
#include "mailbox.h"
#include "packet.h"
#include "proto/log.h"
#include "rest.h"
#include "stage.h"
#include "watch.h"

// Frames that a round takes over from the kernel.
#define BURST_KERNEL 16
// See ask_for_time().
#define CORE_SLICE_NS 100000
#define CORE_NICE -10

static void send_outside(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	watch(lc, STAGE_DTLS_OUT, pkts, n);
	n = dtls_out(lc, pkts, n);
	watch(lc, STAGE_TX_OUTER, pkts, n);
	tx_outer(lc, pkts, n);
}

// What has been made to fit.
static void take_fitting(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *still[BURST];
	unsigned n_still;

	n = cstp_out(lc, pkts, n, still, &n_still);
	send_outside(lc, pkts, n);
	for (unsigned i = 0; i < n_still; i++)
		drop_of(lc, COUNT_drop_too_big, still[i]);
}

// To who sent a packet that was too big: from inside, or another client.
static void send_answer(struct lcore *lc, struct rte_mbuf *m)
{
	if (hairpin_answer(lc, m))
		take_fitting(lc, &m, hand_over(lc, &m, 1));
	else
		tx_inner(lc, &m, 1);
}

static void take_big(struct lcore *lc, struct rte_mbuf *m)
{
	struct rte_mbuf *parts[BURST], *reply;
	unsigned n = too_big(lc, m, parts, &reply);

	if (reply)
		send_answer(lc, reply);
	take_fitting(lc, parts, n);
}

static void take_inner(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *big[BURST];
	unsigned n_big;

	watch(lc, STAGE_CSTP_OUT, pkts, n);
	n = cstp_out(lc, pkts, n, big, &n_big);
	send_outside(lc, pkts, n);
	for (unsigned i = 0; i < n_big; i++)
		take_big(lc, big[i]);
}

static void send_inside(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *frames[BURST], *inner[BURST];
	unsigned n_frames, n_inner;

	watch(lc, STAGE_INNER_IN, pkts, n);
	n = inner_in(lc, pkts, n, inner, &n_inner);
	if (lc->dp->forwarding.nic) {
		n = forward(lc, pkts, n, frames, &n_frames);
		watch(lc, STAGE_FORWARD, frames, n_frames);
		tx_outer(lc, frames, n_frames);
	}
	watch(lc, STAGE_TX_INNER, pkts, n);
	tx_inner(lc, pkts, n);
	if (unlikely(n_inner > 0))
		take_inner(lc, inner, hand_over(lc, inner, n_inner));
}

static void take_records(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *reply[BURST];
	unsigned n_reply = 0;

	watch(lc, STAGE_DTLS_IN, pkts, n);
	n = dtls_in(lc, pkts, n, reply, &n_reply);
	send_inside(lc, pkts, n);
	send_outside(lc, reply, n_reply);
}

static void take_strays(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	n = adopt(lc, pkts, n);
	take_records(lc, pkts, n);
}

static void take_lanes(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *inner[BURST];
	unsigned n_inner = 0;

	watch(lc, STAGE_LANE_IN, pkts, n);
	n = lane_in(lc, pkts, n, inner, &n_inner);
	send_inside(lc, inner, n_inner);
	send_outside(lc, pkts, n);
}

static unsigned round_outer(struct lcore *lc, const struct rx_queue *q)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n, received;

	received = port_rx(q->port, q->queue, lc, pkts, BURST);
	if (received == 0)
		return 0;
	lc->count.value[COUNT_outer_rx] += received;
	n = is_bare(lc->dp, q->port->number) ? received : outer_in(lc, q->port, pkts, received);
	n = classify(lc, pkts, n);
	n = hand_over(lc, pkts, n);
	take_records(lc, pkts, n);
	return received;
}

static unsigned round_inner(struct lcore *lc, const struct rx_queue *q)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n, received;

	received = port_rx(q->port, q->queue, lc, pkts, BURST);
	if (received == 0)
		return 0;
	lc->count.value[COUNT_inner_rx] += received;
	n = route(lc, q->port, pkts, received);
	n = hand_over(lc, pkts, n);
	take_inner(lc, pkts, n);
	return received;
}

// Few at a time, as the other way.
static unsigned round_kernel(struct lcore *lc, const struct rx_queue *q)
{
	struct rte_mbuf *pkts[BURST];
	unsigned received = port_rx(q->port, q->queue, lc, pkts, BURST_KERNEL);

	lc->count.value[COUNT_kernel_rx] += received;
	tx_kernel(lc, q->port, pkts, received);
	return received;
}

// What came through a ring, each kind at its stage.
static void take_mail(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *records[BURST], *inner[BURST], *lanes[BURST], *frames[BURST], *strays[BURST];
	unsigned n_records = 0, n_inner = 0, n_lanes = 0, n_frames = 0, n_strays = 0;

	for (unsigned i = 0; i < n; i++) {
		switch (packet_of(pkts[i])->kind) {
		case PACKET_RECORD:
			records[n_records++] = pkts[i];
			break;
		case PACKET_INNER:
			inner[n_inner++] = pkts[i];
			break;
		case PACKET_FRAME:
			frames[n_frames++] = pkts[i];
			break;
		case PACKET_STRAY:
			strays[n_strays++] = pkts[i];
			break;
		default:
			lanes[n_lanes++] = pkts[i];
			break;
		}
	}
	tx_frames(lc, frames, n_frames);
	take_strays(lc, strays, n_strays);
	take_records(lc, records, hand_over(lc, records, n_records));
	take_inner(lc, inner, hand_over(lc, inner, n_inner));
	take_lanes(lc, lanes, hand_over(lc, lanes, n_lanes));
}

static void round_lane_burst(struct lcore *lc)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_ring_sc_dequeue_burst(lc->from_control, (void **)pkts, BURST, NULL);

	// What was posted before these packets is in force before them: a datagram may be sealed under keys of the same moment.
	mailbox_serve(lc);
	lc->count.value[COUNT_lane_rx] += n;
	take_mail(lc, pkts, n);
}

static unsigned round_handed(struct lcore *lc)
{
	struct rte_mbuf *pkts[BURST];
	unsigned moved = 0;

	for (unsigned i = 0; i < lc->dp->n_cores; i++) {
		unsigned waiting = i == lc->index ? 0 : rte_ring_count(lc->handed[i]);
		lc->handed_most[i] = RTE_MAX(lc->handed_most[i], waiting);
		for (unsigned done = 0; done < waiting; done += BURST)
			take_mail(lc, pkts, hand_take(lc, i, pkts));
		moved += waiting;
	}
	return moved;
}

static unsigned round_ports(struct lcore *lc)
{
	unsigned moved = 0;

	for (unsigned i = 0; i < lc->n_outer; i++)
		moved += round_outer(lc, &lc->outer[i]);
	for (unsigned i = 0; i < lc->n_inner; i++)
		moved += round_inner(lc, &lc->inner[i]);
	for (unsigned i = 0; i < lc->n_kernel; i++)
		moved += round_kernel(lc, &lc->kernel[i]);
	return moved;
}

// All that was there when the round began: main may use a tunnel's number again two rounds after it was retired. Ports get their
// turn after each burst: what a worker floods is answered, and answers are in the way of everybody's.
static unsigned round_lanes(struct lcore *lc)
{
	unsigned waiting = rte_ring_count(lc->from_control), moved = waiting;

	lc->from_control_most = RTE_MAX(lc->from_control_most, waiting);
	for (unsigned done = 0; done < waiting; done += BURST) {
		if (done > 0)
			moved += round_ports(lc);
		round_lane_burst(lc);
	}
	return moved;
}

unsigned loop_round(struct lcore *lc)
{
	unsigned moved;

	lc->now = rte_rdtsc();
	mailbox_serve(lc);
	reassembly_expire(lc);
	moved = round_ports(lc);
	moved += round_lanes(lc);
	if (lc->dp->n_cores > 1)
		moved += round_handed(lc);
	moved += tx_flush(lc);
	__atomic_store_n(&lc->rounds, lc->rounds + 1, __ATOMIC_RELEASE);
	return moved;
}

static void call_control(struct lcore *lc)
{
	if (lc->control_wake && !rte_ring_empty(lc->to_control))
		wake_call(lc->control_wake);
}

// struct sched_attr, which linux/sched/types.h has but cannot be included beside sched.h.
struct sched_request {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

// On a machine that is busy with other things, waking up from a nap must not wait for the end of somebody else's slice: the core
// asks for short ones, which come sooner (kernels from 6.12 on heed that). And it goes before handshakes: what strangers send fills
// the sockets while it waits for a CPU, and pushes out what clients send. One that never sleeps would take too much from the rest.
// Rights are given up later. Who may not have the one has the other.
static void ask_for_time(const struct lcore *lc)
{
	struct sched_request r = { .size = sizeof(r), .policy = SCHED_OTHER, .runtime = CORE_SLICE_NS };
	int nice = getpriority(PRIO_PROCESS, 0);

	r.nice = lc->busy_poll ? nice : RTE_MIN(nice, CORE_NICE);
	if (syscall(SYS_sched_setattr, 0, &r, 0) < 0) {
		log_debug("poll core: no priority: %s", strerror(errno));
		r.nice = nice;
		if (syscall(SYS_sched_setattr, 0, &r, 0) < 0)
			log_debug("poll core: no short slices: %s", strerror(errno));
	}
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
}

int loop_run(void *arg)
{
	struct lcore *lc = arg;
	struct rte_rcu_qsbr *rcu = lc->dp->tables->rcu;
	struct rest pause = { 0 };
	uint64_t begin, cycles;
	unsigned moved;
	int ret;

	ret = aead_thread_init();
	if (ret < 0)
		return ret;
	ask_for_time(lc);
	rte_rcu_qsbr_thread_register(rcu, lc->index);
	rte_rcu_qsbr_thread_online(rcu, lc->index);
	__atomic_store_n(&lc->started, rte_rdtsc(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&lc->stop, __ATOMIC_RELAXED)) {
		begin = rte_rdtsc();
		moved = loop_round(lc);
		rte_rcu_qsbr_quiescent(rcu, lc->index);
		call_control(lc);
		if (moved > 0) {
			cycles = rte_rdtsc() - begin;
			latency_count(&lc->latency, cycles, moved);
			lc->busy_cycles += cycles;
			lc->rounds_busy++;
			lc->packets += moved;
		}
		rest(lc, &pause, moved);
	}
	rte_rcu_qsbr_thread_offline(rcu, lc->index);
	rte_rcu_qsbr_thread_unregister(rcu, lc->index);
	return 0;
}
