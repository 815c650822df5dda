// Traffic for benches of the dataplane in memory: records of random clients with fresh sequence numbers, packets for random
// clients, medians. One client's keys serve all tunnels; only the dataplane's copies of them are many.
#pragma once
#include <errno.h>

#include "dataplane_client.h"

static struct world w;
static struct world_client client;
static uint64_t *sequences; // of each tunnel's client
static __thread uint64_t seed = 88172645463325252ULL;

static WORLD_UNUSED uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 32) * n >> 32);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static WORLD_UNUSED double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	for (unsigned i = 0; i < COUNTERS; i++)
		if (w.lc->count.value[i])
			fprintf(stderr, "  %-24s %lu\n", counter_descs[i].name, w.lc->count.value[i]);
	exit(1);
}

static WORLD_UNUSED void tunnels_set_up(uint8_t cipher)
{
	world_client_init(&client, cipher, 7);
	for (uint32_t t = 0; t < w.tunnels; t++) {
		struct path path = world_path(&w, t, 0, false);
		world_up(&w, t, world_keys(&w, t, 0, &client, 1, &path));
		sequences[t] = 1;
	}
}

// The frame that brings this packet of the client.
static WORLD_UNUSED void make_record_of(struct rte_mbuf *m, uint32_t t, const uint8_t *packet, unsigned size)
{
	struct path path = world_path(&w, t, 0, false);
	unsigned headers = headers_len(&path);
	uint8_t plain[2048], record[2200];
	uint16_t len;

	plain[0] = TYPE_DATA;
	memcpy(plain + 1, packet, size);
	len = world_seal(&client, record, CONTENT_DATA, 1, sequences[t]++, plain, (uint16_t)(size + 1));
	struct path back = path;
	memcpy(back.key.peer_ip, path.key.our_ip, 16);
	memcpy(back.key.our_ip, path.key.peer_ip, 16);
	back.key.peer_udp = path.key.our_udp;
	back.key.our_udp = path.key.peer_udp;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(headers + len));
	memcpy(frame + headers, record, len);
	headers_write(&back, frame + headers, len, (struct marks){ .id = 1 });
}

static WORLD_UNUSED void make_record(struct rte_mbuf *m, uint32_t t, unsigned size)
{
	uint8_t packet[2048];

	world_ip(packet, (uint16_t)size, world_ipv4(t), rte_cpu_to_be_32(0x08080808));
	make_record_of(m, t, packet, size);
}

static WORLD_UNUSED void make_inner(struct rte_mbuf *m, uint32_t t, unsigned size)
{
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(ETHER_HEADER + size));

	memset(frame, 0, ETHER_HEADER);
	store16(frame + 12, ETHER_IPV4);
	world_ip(frame + ETHER_HEADER, (uint16_t)size, rte_cpu_to_be_32(0x08080808), world_ipv4(t));
}

// Tunnels with their addresses and paths; keys come with tunnels_set_up().
static WORLD_UNUSED void tunnels_make(uint32_t tunnels)
{
	sequences = calloc(tunnels, sizeof(*sequences));
	world_must(sequences != NULL, "sequences");
	for (uint32_t t = 0; t < tunnels; t++) {
		struct path path = world_path(&w, t, 0, false);
		world_tunnel_add(&w, t);
		world_path_link(&w, t, &path);
	}
}
