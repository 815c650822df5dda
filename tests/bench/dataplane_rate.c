// At what rate one poll core still loses nothing, and how long packets then take: a generator on another CPU puts prepared records
// of random sessions into the outer port's queue at an even rate, as a NIC would, and takes the inner packets out at the other end.
//
//   generator ── 1024 descriptors ──► loop_round() ── 1024 descriptors ──► generator
//
// NDR is the highest rate without loss, PDR that with at most 0.5% (RFC 2544; TST009), each the median of five searches over short
// trials: on a machine that is shared, a longer trial measures the neighbours. Latency at 90% of PDR is set beside that of an empty
// loop, which only moves packets from one queue to the other: the jitter of the machine itself.
#include <getopt.h>

#include <rte_launch.h>
#include <rte_pause.h>

#include "dataplane_load.h"

#define RING 1024
#define TUNNELS 1000
#define PACKETS 32768 // of a trial
#define SEARCHES 5
#define STEPS 7
#define PDR_LOSS 0.005
#define MARK (ETHER_HEADER + IPV4_HEADER) // where an inner frame carries its number

static struct rte_mbuf *prepared[PACKETS];
static uint64_t sent_at[PACKETS], took[PACKETS];
static unsigned n_took;
static bool markdown, empty_loop, stop;
static unsigned size = 1408;

static void move_only(void)
{
	void *pkts[BURST];
	unsigned n = rte_ring_sc_dequeue_burst(w.outer.rx, pkts, BURST, NULL), sent;

	sent = rte_ring_sp_enqueue_burst(w.inner.tx, pkts, n, NULL);
	rte_pktmbuf_free_bulk((struct rte_mbuf **)pkts + sent, n - sent);
}

static int run_core(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		if (empty_loop)
			move_only();
		else
			loop_round(w.lc);
	}
	return 0;
}

// Inner frames with their number: as they are for the empty loop, sealed in frames for the path.
static void prepare(void)
{
	uint8_t plain[2048];

	if (rte_pktmbuf_alloc_bulk(w.pool, prepared, PACKETS) != 0)
		die("out of packets");
	for (uint32_t i = 0; i < PACKETS; i++) {
		uint32_t t = random_below(TUNNELS);
		world_ip(plain, (uint16_t)size, world_ipv4(t), rte_cpu_to_be_32(0x08080808));
		memcpy(plain + IPV4_HEADER, &i, sizeof(i));
		if (empty_loop)
			memcpy(rte_pktmbuf_append(prepared[i], (uint16_t)(ETHER_HEADER + size)) + ETHER_HEADER, plain, size);
		else
			make_record_of(prepared[i], t, plain, size);
	}
}

static void take(void)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_ring_sc_dequeue_burst(w.inner.tx, (void **)pkts, BURST, NULL);
	uint64_t now = rte_rdtsc();
	uint32_t i;

	for (unsigned k = 0; k < n; k++) {
		memcpy(&i, rte_pktmbuf_mtod_offset(pkts[k], uint8_t *, MARK), sizeof(i));
		if (i < PACKETS)
			took[n_took++] = now - sent_at[i];
	}
	rte_pktmbuf_free_bulk(pkts, n);
}

// Offer all packets at so many a second; the share that was lost.
static double trial(double rate)
{
	double interval = (double)w.dp.tsc_hz / rate;
	uint64_t begin, now, quiet;
	uint32_t i = 0;

	prepare();
	n_took = 0;
	stop = false;
	rte_eal_remote_launch(run_core, NULL, rte_get_next_lcore((unsigned)-1, 1, 0));
	begin = rte_rdtsc() + w.dp.tsc_hz / 10000;
	while (i < PACKETS) {
		now = rte_rdtsc();
		while (i < PACKETS && now >= begin + (uint64_t)(i * interval)) {
			sent_at[i] = now;
			if (rte_ring_sp_enqueue(w.outer.rx, prepared[i]) < 0)
				rte_pktmbuf_free(prepared[i]);
			i++;
		}
		take();
	}
	for (quiet = rte_rdtsc(); rte_rdtsc() - quiet < w.dp.tsc_hz / 500;)
		take();
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	rte_eal_mp_wait_lcore();
	take();
	return 1.0 - (double)n_took / PACKETS;
}

// The highest rate with at most so much loss, between nothing and twice what the core can.
static double search(double most, double loss)
{
	double low = 0, high = most;

	for (unsigned step = 0; step < STEPS; step++) {
		double rate = (low + high) / 2;
		// what a neighbour did once, it will not do thrice
		bool good = false;
		for (unsigned again = 0; again < 3 && !good; again++)
			good = trial(rate) <= loss;
		*(good ? &low : &high) = rate;
	}
	return low;
}

static double search_median(double most, double loss)
{
	double found[SEARCHES];

	for (unsigned s = 0; s < SEARCHES; s++)
		found[s] = search(most, loss);
	return median(found, SEARCHES);
}

static int by_ticks(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct percentiles {
	double p50, p99, p999; // microseconds
};

static struct percentiles latency_at(double rate)
{
	double p50[SEARCHES], p99[SEARCHES], p999[SEARCHES], us = 1e6 / (double)w.dp.tsc_hz;

	for (unsigned s = 0; s < SEARCHES; s++) {
		trial(rate);
		if (n_took < 1000)
			die("nearly all was lost");
		qsort(took, n_took, sizeof(*took), by_ticks);
		p50[s] = us * (double)took[n_took / 2];
		p99[s] = us * (double)took[n_took * 99 / 100];
		p999[s] = us * (double)took[(uint64_t)n_took * 999 / 1000];
	}
	return (struct percentiles){ median(p50, SEARCHES), median(p99, SEARCHES), median(p999, SEARCHES) };
}

static void measure(unsigned bytes)
{
	double most = bytes < 1000 ? 16e6 : 8e6, ndr, pdr;
	struct percentiles path, nothing;

	size = bytes;
	empty_loop = false;
	ndr = search_median(most, 0);
	pdr = search_median(most, PDR_LOSS);
	path = latency_at(0.9 * pdr);
	empty_loop = true;
	nothing = latency_at(0.9 * pdr);
	printf(markdown ? "| %u | %.2f | %.2f | %.0f%% | %.1f / %.1f / %.1f | %.1f / %.1f / %.1f | %+.1f |\n"
	                : "%6u %9.2f %9.2f %7.0f%%   %7.1f %7.1f %7.1f   %7.1f %7.1f %7.1f   %+9.1f\n",
	       bytes, ndr / 1e6, pdr / 1e6, 100 * ndr / pdr, path.p50, path.p99, path.p999, nothing.p50, nothing.p99, nothing.p999,
	       path.p999 - nothing.p999);
	fflush(stdout);
}

static void print_head(void)
{
	if (markdown)
		printf("| inner bytes | NDR, Mpps | PDR, Mpps | NDR / PDR | latency p50 / p99 / p99.9, us | empty loop's, us | "
		       "p99.9 more, us |\n"
		       "|---:|---:|---:|---:|---:|---:|---:|\n");
	else
		printf("%6s %9s %9s %8s   %-25s  %-23s  %10s\n", "bytes", "NDR Mpps", "PDR Mpps", "NDR/PDR",
		       "latency p50 p99 p99.9 us", "empty loop's us", "p99.9 more");
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "markdown", 0, 0, 'm' }, { "size", 1, 0, 's' }, { 0 } };
	unsigned only = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c != 'm' && c != 's') {
			fprintf(stderr, "usage: dataplane_rate [--markdown] [--size BYTES]\n");
			return 2;
		}
		markdown |= c == 'm';
		only = c == 's' ? (unsigned)strtoul(optarg, NULL, 10) : only;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("%sone CPU: there is none for a generator\n", markdown ? "- " : "");
		return 0;
	}
	world_eal_cores(512, true, 2);
	world_init(&w, TUNNELS, RING, 65535);
	world_must(aead_init() == 0 && aead_thread_init() == 0, "AEAD");
	tunnels_make(TUNNELS);
	tunnels_set_up(AEAD_AES_256_GCM);
	print_head();
	if (!only || only == 64)
		measure(64);
	if (!only || only == 1408)
		measure(1408);
	rte_eal_cleanup();
	return 0;
}
