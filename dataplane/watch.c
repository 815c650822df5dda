#include "watch.h"

#include <stdlib.h>

#include <rte_cycles.h>

#include "frame.h"
#include "packet.h"

struct watch_queue *watch_queue_new(void)
{
	struct watch_queue *q = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*q));

	if (q)
		q->written = q->read = q->lost = 0;
	return q;
}

const struct sighting *watch_peek(const struct watch_queue *q)
{
	if (__atomic_load_n(&q->written, __ATOMIC_ACQUIRE) == q->read)
		return NULL;
	return &q->at[q->read % WATCH_ROOM];
}

void watch_read(struct watch_queue *q)
{
	__atomic_store_n(&q->read, q->read + 1, __ATOMIC_RELEASE);
}

struct part {
	const uint8_t *data;
	uint16_t len;
};

// A frame that we have made: its UDP payload, and its path as seen from here.
static struct part of_frame(struct rte_mbuf *m, struct path_key *path)
{
	const uint8_t *frame = packet_data(m), *ip = frame + ETHER_HEADER, *udp;
	bool tagged = load16(frame + 12) == ETHER_VLAN;

	ip += tagged ? VLAN_TAG : 0;
	memset(path, 0, sizeof(*path));
	path->family = ip[0] >> 4;
	udp = ip + (path->family == 4 ? IPV4_HEADER : IPV6_HEADER);
	memcpy(path->our_ip, ip + (path->family == 4 ? 12 : 8), path->family == 4 ? 4 : 16);
	memcpy(path->peer_ip, ip + (path->family == 4 ? 16 : 24), path->family == 4 ? 4 : 16);
	memcpy(&path->our_udp, udp, 2);
	memcpy(&path->peer_udp, udp + 2, 2);
	return (struct part){ udp + UDP_HEADER, (uint16_t)(m->data_len - (udp + UDP_HEADER - frame)) };
}

// What is told of a packet at this stage: each side of it once, as it comes.
static struct part of_packet(const struct lcore *lc, enum watch_stage stage, struct rte_mbuf *m, struct path_key *path)
{
	const struct packet *p = packet_of(m);
	struct part whole = { packet_data(m), m->data_len };

	path->family = 0;
	if (stage == STAGE_INNER_IN || stage == STAGE_CSTP_OUT)
		return whole;
	if (stage == STAGE_TX_OUTER && !is_bare(lc->dp, p->port))
		return of_frame(m, path);
	if (stage == STAGE_TX_OUTER || stage == STAGE_DTLS_IN || (stage == STAGE_END && p->kind == PACKET_HANDSHAKE)) {
		*path = p->path.key;
		return whole;
	}
	return (struct part){ NULL, 0 };
}

static void see(struct lcore *lc, unsigned place, enum watch_stage stage, enum counter why, struct rte_mbuf *m)
{
	const struct watched *w = &lc->dp->watch[place];
	struct watch_queue *q = lc->sightings;
	struct sighting *s;
	struct part part;

	if (w->tunnel != packet_of(m)->tunnel)
		return;
	if (q->written - __atomic_load_n(&q->read, __ATOMIC_ACQUIRE) == WATCH_ROOM) {
		q->lost++;
		return;
	}
	s = &q->at[q->written % WATCH_ROOM];
	s->at = rte_rdtsc();
	s->serial = w->serial;
	s->packet = (uint32_t)((uintptr_t)m / RTE_CACHE_LINE_SIZE);
	s->place = (uint8_t)place;
	s->stage = (uint8_t)stage;
	s->core = (uint8_t)lc->index;
	s->kind = packet_of(m)->kind;
	s->why = (uint16_t)why;
	part = of_packet(lc, stage, m, &s->path);
	s->len = part.len;
	s->cut = RTE_MIN(part.len, (uint16_t)sizeof(s->data));
	if (s->cut)
		memcpy(s->data, part.data, s->cut);
	__atomic_store_n(&q->written, q->written + 1, __ATOMIC_RELEASE);
}

static void see_by_all(struct lcore *lc, enum watch_stage stage, enum counter why, struct rte_mbuf *m)
{
	uint32_t watched = __atomic_load_n(&lc->dp->watched, __ATOMIC_ACQUIRE);

	for (unsigned place = 0; place < WATCHES_MAX && lc->sightings; place++)
		if (watched >> place & 1)
			see(lc, place, stage, why, m);
}

void watch_burst(struct lcore *lc, enum watch_stage stage, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		see_by_all(lc, stage, COUNTERS, pkts[i]);
}

void watch_end(struct lcore *lc, enum counter why, struct rte_mbuf *m)
{
	see_by_all(lc, STAGE_END, why, m);
}
