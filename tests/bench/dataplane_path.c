// How fast one poll core moves packets, with in-memory ports: the whole decrypt path (outer frame in, inner frame out) and the
// whole encrypt path, through loop_round() as it runs in the dataplane, beside the raw AEAD of the same run.
//
// Records are made outside the timed sections, with fresh sequence numbers, by a client key of its own: nothing that belongs to a
// tunnel is warm when a batch begins, but what earlier batches left. Sessions come in random order. A sample is the median of its
// batches, a figure the median of five samples.
#include <getopt.h>

#include "dataplane_load.h"

#define SESSIONS_MANY 100000
#define SESSIONS_MOST 1000000
#define MB_MOST 6500 // what a million tunnels take
#define RING 8192
#define SAMPLES 5

static struct {
	unsigned batch, batches, samples;
	unsigned cipher, size, sessions; // 0: all
	char direction;                  // 'd', 'e', 0: both
	bool quick, markdown, plain_memory;
} opt = { .batch = 1024, .batches = 400, .samples = SAMPLES };

static void fill(struct world_port *port, unsigned sessions, unsigned size, bool decrypt)
{
	static struct rte_mbuf *pkts[RING];

	if (rte_pktmbuf_alloc_bulk(w.pool, pkts, opt.batch) != 0)
		die("out of packets");
	for (unsigned i = 0; i < opt.batch; i++)
		(decrypt ? make_record : make_inner)(pkts[i], random_below(sessions), size);
	if (rte_ring_enqueue_bulk(port->rx, (void **)pkts, opt.batch, NULL) != opt.batch)
		die("the ring is full");
}

// All must have come through, and the last one is looked into.
static void drain(struct world_port *port, unsigned size, bool decrypt)
{
	static struct rte_mbuf *pkts[RING];
	unsigned n = rte_ring_dequeue_burst(port->tx, (void **)pkts, RING, NULL);
	uint8_t *frame;
	uint16_t len;

	if (n != opt.batch)
		die("packets were lost");
	frame = rte_pktmbuf_mtod(pkts[n - 1], uint8_t *);
	if (decrypt) {
		if (pkts[n - 1]->data_len != ETHER_HEADER + size || frame[ETHER_HEADER + size - 1] != 0x5a)
			die("an inner packet is not what was sent");
	} else {
		unsigned headers = ETHER_HEADER + IPV4_HEADER + UDP_HEADER;
		uint8_t *plain = world_open(&client, frame + headers, (uint16_t)(pkts[n - 1]->data_len - headers), &len);
		if (!plain || len != size + 1 || plain[size] != 0x5a)
			die("a record does not open");
	}
	rte_pktmbuf_free_bulk(pkts, n);
}

// TSC cycles a packet.
static double sample_path(unsigned sessions, unsigned size, bool decrypt)
{
	static double cycles[100000];
	struct world_port *from = decrypt ? &w.outer : &w.inner, *to = decrypt ? &w.inner : &w.outer;

	for (unsigned b = 0; b < opt.batches; b++) {
		fill(from, sessions, size, decrypt);
		uint64_t begin = rte_rdtsc();
		while (loop_round(w.lc))
			;
		cycles[b] = (double)(rte_rdtsc() - begin) / opt.batch;
		drain(to, size, decrypt);
	}
	return median(cycles, opt.batches);
}

// One key, buffers and operations that stay in the first caches: the yardstick.
static double sample_raw(unsigned size, bool decrypt)
{
	static uint8_t buf[BURST][2048] __rte_cache_aligned;
	static uint8_t tag[BURST][AEAD_TAG];
	static double cycles[100000];
	struct aead_op op[BURST];

	memset(op, 0, sizeof(op));
	for (unsigned i = 0; i < BURST; i++) {
		op[i].key = &client.up_key;
		op[i].cipher = client.cipher;
		op[i].data = buf[i];
		op[i].len = size + 1;
		op[i].tag = tag[i];
	}
	for (unsigned b = 0; b < opt.batches; b++) {
		uint64_t begin = rte_rdtsc();
		for (unsigned r = 0; r < opt.batch / BURST; r++)
			(decrypt ? aead_open_burst : aead_seal_burst)(op, BURST);
		cycles[b] = (double)(rte_rdtsc() - begin) / opt.batch;
	}
	return median(cycles, opt.batches);
}

static const char *const cipher_names[] = { "", "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305" };

static void print_head(void)
{
	if (opt.markdown)
		printf("| cipher | path | inner bytes | sessions | Mpps | Gbit/s | cycles/packet | raw AEAD | path / raw |\n"
		       "|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
	else
		printf("%-18s %-8s %6s %9s %8s %8s %14s %9s %7s\n", "cipher", "path", "bytes", "sessions", "Mpps", "Gbit/s",
		       "cycles/packet", "raw AEAD", "ratio");
}

static void print_row(unsigned cipher, bool decrypt, unsigned size, unsigned sessions, double path, double raw)
{
	double mpps = (double)w.dp.tsc_hz / path / 1e6;

	printf(opt.markdown ? "| %s | %s | %u | %u | %.2f | %.1f | %.0f | %.0f | %.0f%% |\n"
	                    : "%-18s %-8s %6u %9u %8.2f %8.1f %14.0f %9.0f %6.0f%%\n",
	       cipher_names[cipher], decrypt ? "decrypt" : "encrypt", size, sessions, mpps, mpps * size * 8 / 1e3, path, raw,
	       100 * raw / path);
	fflush(stdout);
}

// Path and raw in turn, so that what else the machine does hits both.
static void measure(unsigned cipher, bool decrypt, unsigned size, unsigned sessions)
{
	double path[SAMPLES], raw[SAMPLES];

	sample_path(sessions, size, decrypt);
	for (unsigned s = 0; s < opt.samples; s++) {
		raw[s] = sample_raw(size, decrypt);
		path[s] = sample_path(sessions, size, decrypt);
	}
	print_row(cipher, decrypt, size, sessions, median(path, opt.samples), median(raw, opt.samples));
}

static void measure_cipher(unsigned cipher)
{
	static const unsigned sizes[] = { 64, 512, 1408 }, sessions[] = { 1, 1000, SESSIONS_MANY, SESSIONS_MOST };

	tunnels_set_up((uint8_t)cipher);
	for (unsigned d = 0; d < 2; d++) {
		if (opt.direction && opt.direction != "de"[d])
			continue;
		for (unsigned i = 0; i < RTE_DIM(sizes); i++)
			for (unsigned j = 0; j < RTE_DIM(sessions); j++)
				if ((!opt.size || opt.size == sizes[i]) && (!opt.sessions || opt.sessions == sessions[j]) &&
				    sessions[j] <= w.tunnels && (sessions[j] <= SESSIONS_MANY || cipher == AEAD_AES_256_GCM))
					measure(cipher, d == 0, sizes[i], sessions[j]);
	}
}

static unsigned clamp(unsigned v, unsigned low, unsigned high)
{
	return v < low ? low : v > high ? high : v;
}

static void usage(FILE *f)
{
	fputs("usage: dataplane_path [--quick] [--markdown] [--no-huge] [--cipher 1..3] [--size BYTES] [--sessions N] [--direction "
	      "d|e]\n"
	      "                      [--batch PACKETS] [--batches N]\n",
	      f);
}

static void options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "quick", 0, 0, 'q' },
		{ "markdown", 0, 0, 'm' },
		{ "no-huge", 0, 0, 'n' },
		{ "cipher", 1, 0, 'c' },
		{ "size", 1, 0, 's' },
		{ "sessions", 1, 0, 't' },
		{ "direction", 1, 0, 'd' },
		{ "batch", 1, 0, 'b' },
		{ "batches", 1, 0, 'B' },
		{ "help", 0, 0, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		unsigned value = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;
		switch (c) {
		case 'q':
			opt.quick = true;
			break;
		case 'm':
			opt.markdown = true;
			break;
		case 'n':
			opt.plain_memory = true;
			break;
		case 'c':
			opt.cipher = value;
			break;
		case 's':
			opt.size = value;
			break;
		case 't':
			opt.sessions = value;
			break;
		case 'd':
			opt.direction = optarg[0];
			break;
		case 'b':
			opt.batch = clamp(value, BURST, RING / 2) / BURST * BURST;
			break;
		case 'B':
			opt.batches = clamp(value, 1, 100000);
			break;
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (opt.quick) {
		opt.batches = 40;
		opt.samples = 3;
	}
}

static size_t heap_used(void)
{
	struct rte_malloc_socket_stats s;
	size_t used = 0;

	for (int i = 0; i < RTE_MAX_NUMA_NODES; i++)
		if (rte_malloc_get_socket_stats(i, &s) == 0)
			used += s.heap_allocsz_bytes;
	return used;
}

int main(int argc, char **argv)
{
	uint32_t tunnels;
	size_t before;

	options(argc, argv);
	tunnels = opt.quick ? 1000 : SESSIONS_MANY;
	if (!opt.quick && !opt.plain_memory && world_free_huge_mb() >= MB_MOST)
		tunnels = SESSIONS_MOST;
	bool huge = world_eal(opt.quick ? 256 : tunnels == SESSIONS_MOST ? MB_MOST : 1024, !opt.plain_memory);
	before = heap_used();
	world_init(&w, tunnels, RING, 2 * RING - 1);
	world_must(aead_init() == 0, "AEAD");
	tunnels_make(tunnels);
	const char *fence = opt.markdown ? "- " : "";
	printf("%s%s, %s, one core, TSC %.2f GHz, batches of %u packets\n", fence, aead_implementation(),
	       huge ? "huge pages" : "no huge pages (plain 4 kB pages)", (double)w.dp.tsc_hz / 1e9, opt.batch);
	size_t packets = (size_t)w.pool->size * (w.pool->elt_size + w.pool->header_size + w.pool->trailer_size);
	printf("%smemory a tunnel: %zu bytes with its keys, %zu with tables and room for a second handshake\n\n", fence,
	       sizeof(struct tunnel_in) + sizeof(struct tunnel_out) + sizeof(struct tunnel_keys),
	       (heap_used() - before - packets) / tunnels);
	print_head();
	for (unsigned c = AEAD_AES_128_GCM; c <= AEAD_LAST; c++)
		if (opt.cipher ? c == opt.cipher : !opt.quick || c == AEAD_AES_256_GCM)
			measure_cipher(c);
	rte_eal_cleanup();
	return 0;
}
