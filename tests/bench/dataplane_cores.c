// Two poll cores beside one: the decrypt path with in-memory ports, each core with its own queues, from a common start to the
// moment when both have emptied theirs. Once with every record coming to the core that owns its tunnel, once with every record
// coming to the other one. Figures are ratios of one run, medians of five samples of batches each; sessions in random order.
#include <getopt.h>

#include <rte_launch.h>
#include <rte_pause.h>

#define CORES 2
#include "dataplane_load.h"

#define RING 8192
#define DEPTH_MAX 2000 // packets of each core: no more than a ring between them holds, whatever else the machine does
#define TUNNELS 2000
#define SAMPLES 5

static unsigned batches = 200;

// Once with as many packets before each core as its second-level cache holds, once with more: then both wait for the same memory.
static const struct row {
	unsigned size; // of the inner packets
	unsigned depth;
} rows[] = { { 64, DEPTH_MAX }, { 512, 768 }, { 512, DEPTH_MAX }, { 1408, 512 }, { 1408, DEPTH_MAX } };
static const struct row *row;
static bool markdown;
static unsigned start, stop; // count the starts and the ends
static bool ready;

static uint64_t sent(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < CORES; i++)
		sum += __atomic_load_n(&w.dp.cores[i]->count.value[COUNT_inner_tx], __ATOMIC_RELAXED);
	return sum;
}

// Each core's records are made by that core itself, as a NIC would bring them: into no other core's cache.
static void fill(unsigned queue, bool astray)
{
	static __thread struct rte_mbuf *pkts[DEPTH_MAX];
	unsigned owner = astray ? (queue + 1) % CORES : queue;

	if (rte_pktmbuf_alloc_bulk(w.pool, pkts, row->depth) != 0)
		die("out of packets");
	for (unsigned i = 0; i < row->depth; i++)
		make_record(pkts[i], random_below(TUNNELS / CORES) * CORES + owner, row->size);
	if (rte_ring_enqueue_bulk(w.outer.rx_of[queue], (void **)pkts, row->depth, NULL) != row->depth)
		die("the ring is full");
}

static unsigned drain(unsigned queue)
{
	static __thread struct rte_mbuf *pkts[RING];
	unsigned n = rte_ring_dequeue_burst(w.inner.tx_of[queue], (void **)pkts, RING, NULL);

	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static int run_second(void *astray)
{
	static __thread bool begun;

	if (!begun && aead_thread_init() < 0)
		die("no AEAD on the second core");
	begun = true;
	unsigned before = __atomic_load_n(&start, __ATOMIC_ACQUIRE);

	fill(1, astray != NULL);
	__atomic_store_n(&ready, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&start, __ATOMIC_ACQUIRE) == before)
		rte_pause();
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == before)
		loop_round(w.dp.cores[1]);
	return (int)drain(1);
}

// Until so many packets have left, by whichever core.
static uint64_t run_first(uint64_t until)
{
	uint64_t deadline = rte_rdtsc() + w.dp.tsc_hz;

	while (sent() < until) {
		loop_round(w.dp.cores[0]);
		if (rte_rdtsc() > deadline)
			die("packets were lost");
	}
	return rte_rdtsc();
}

static void start_second(bool astray)
{
	ready = false;
	world_must(rte_eal_remote_launch(run_second, astray ? &w : NULL, rte_get_next_lcore((unsigned)-1, 1, 0)) == 0,
	           "second core");
	while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
		rte_pause();
}

// Packets a TSC cycle.
static double run_batch(unsigned cores, bool astray)
{
	uint64_t begin, end, before = sent();
	unsigned out = 0;

	fill(0, astray);
	if (cores > 1)
		start_second(astray);
	begin = rte_rdtsc();
	__atomic_fetch_add(&start, 1, __ATOMIC_RELEASE);
	end = run_first(before + cores * row->depth);
	__atomic_fetch_add(&stop, 1, __ATOMIC_RELEASE);
	out = drain(0);
	if (cores > 1)
		out += (unsigned)rte_eal_wait_lcore(rte_get_next_lcore((unsigned)-1, 1, 0));
	return (double)out / (double)(end - begin);
}

static double sample(unsigned cores, bool astray)
{
	static double rates[10000];

	w.dp.n_cores = cores;
	for (unsigned b = 0; b < batches; b++)
		rates[b] = run_batch(cores, astray);
	return median(rates, batches);
}

static void print_head(void)
{
	printf(markdown ? "| inner bytes | packets a core | 1 core, Mpps | 2 cores, Mpps | 2 / 1 | all on the wrong core, Mpps | "
	                  "wrong / right "
	                  "|\n|---:|---:|---:|---:|---:|---:|---:|\n"
	                : "%8s %10s %14s %14s %8s %16s %14s\n",
	       "bytes", "packets", "1 core Mpps", "2 cores Mpps", "2 / 1", "wrong core Mpps", "wrong / right");
}

static void measure(void)
{
	double one[SAMPLES], two[SAMPLES], wrong[SAMPLES], hz = (double)w.dp.tsc_hz / 1e6;

	sample(2, false);
	for (unsigned s = 0; s < SAMPLES; s++) {
		one[s] = sample(1, false);
		two[s] = sample(2, false);
		wrong[s] = sample(2, true);
	}
	double a = median(one, SAMPLES), b = median(two, SAMPLES), c = median(wrong, SAMPLES);
	printf(markdown ? "| %u | %u | %.2f | %.2f | %.2f | %.2f | %.0f%% |\n" : "%8u %10u %14.2f %14.2f %8.2f %16.2f %13.0f%%\n",
	       row->size, row->depth, a * hz, b * hz, b / a, c * hz, 100 * c / b);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "quick", 0, 0, 'q' }, { "markdown", 0, 0, 'm' }, { 0 } };
	bool quick = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c != 'q' && c != 'm') {
			fprintf(stderr, "usage: dataplane_cores [--quick] [--markdown]\n");
			return 2;
		}
		quick |= c == 'q';
		markdown |= c == 'm';
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < CORES) {
		printf("%sone CPU: two cores cannot be measured\n", markdown ? "- " : "");
		return 0;
	}
	batches = quick ? 20 : batches;
	world_eal_cores(256, true, CORES);
	world_init_cores(&w, TUNNELS, RING, 4 * RING - 1, CORES);
	world_must(aead_init() == 0 && aead_thread_init() == 0, "AEAD");
	tunnels_make(TUNNELS);
	tunnels_set_up(AEAD_AES_256_GCM);
	for (uint32_t t = 0; t < TUNNELS; t++)
		w.dp.owner[t] = (uint8_t)(t % CORES);
	print_head();
	for (row = rows; row < rows + RTE_DIM(rows); row++)
		measure();
	rte_eal_cleanup();
	return 0;
}
