#define ALLOW_EXPERIMENTAL_API // for rte_ip_frag_table_del_expired_entries(), which is still there in all later releases
#include "reassembly.h"

#include <rte_hash_crc.h>
#include <rte_ip_frag.h>
#include <rte_malloc.h>

#include "packet.h"

// So many datagrams at a time, and so many buffers in all of them.
#define DATAGRAMS_MAX 128
#define HELD_MAX 256
#define BUCKETS 64
#define BUCKET_ENTRIES 4
#define LIFETIME_SECONDS 1
// Expired ones are looked for so often a second.
#define LOOKS_A_SECOND 16
// Datagrams that are not ours, by their hash: packet sockets see every fragment of the machine.
#define FOREIGN 128

struct foreign {
	uint32_t mark;
	uint64_t since; // TSC
};

struct reassembly {
	struct rte_ip_frag_tbl *table;
	struct rte_ip_frag_death_row dead;
	struct foreign foreign[FOREIGN];
	uint64_t lifetime, pause; // TSC ticks
	uint64_t look_next;
	unsigned held; // buffers in the table
};

struct reassembly *reassembly_new(int node, uint64_t hz)
{
	struct reassembly *r = rte_zmalloc_socket("reassembly", sizeof(*r), RTE_CACHE_LINE_SIZE, node);

	if (!r)
		return NULL;
	r->lifetime = LIFETIME_SECONDS * hz;
	r->pause = hz / LOOKS_A_SECOND;
	r->table = rte_ip_frag_table_create(BUCKETS, BUCKET_ENTRIES, DATAGRAMS_MAX, r->lifetime, node);
	if (r->table)
		return r;
	rte_free(r);
	return NULL;
}

size_t reassembly_budget(void)
{
	// Entries of librte_ip_frag are four lines for eight fragments; it takes two tables of buckets.
	return sizeof(struct reassembly) + 2 * BUCKETS * BUCKET_ENTRIES * 6 * RTE_CACHE_LINE_SIZE;
}

// ---------------------------------------------------------------------------------------------------------------- foreign

static uint32_t mark_of(const struct outer_fragment *f)
{
	return rte_hash_crc(f->addresses, f->family == 4 ? 8 : 32, f->id);
}

void reassembly_forswear(struct lcore *lc, const struct outer_fragment *f)
{
	uint32_t mark = mark_of(f);

	lc->reassembly->foreign[mark % FOREIGN] = (struct foreign){ mark, lc->now };
}

bool reassembly_is_foreign(const struct lcore *lc, const struct outer_fragment *f)
{
	const struct reassembly *r = lc->reassembly;
	uint32_t mark = mark_of(f);
	const struct foreign *e = &r->foreign[mark % FOREIGN];

	return e->mark == mark && e->since && lc->now - e->since < r->lifetime;
}

// ------------------------------------------------------------------------------------------------------------------- dead

// What librte_ip_frag has thrown out. `m` is the fragment that was just put in, NULL for none: with others beside it they were no
// datagram together; alone there was no place for it; others without it were too old.
static void bury(struct lcore *lc, const struct rte_mbuf *m)
{
	struct reassembly *r = lc->reassembly;
	struct rte_ip_frag_death_row *dead = &r->dead;
	bool with_it = dead->cnt > 0 && dead->row[dead->cnt - 1] == m;
	enum counter why = COUNT_drop_fragment_expired;

	for (uint32_t i = 0; i < dead->cnt && !with_it; i++)
		with_it = dead->row[i] == m;
	if (with_it)
		why = dead->cnt == 1 ? COUNT_drop_fragment_full : COUNT_drop_fragment_bad;
	lc->count.value[COUNT_fragments_out] += dead->cnt;
	lc->count.value[why] += dead->cnt;
	r->held -= dead->cnt;
	rte_pktmbuf_free_bulk(dead->row, dead->cnt);
	dead->cnt = 0;
}

void reassembly_expire(struct lcore *lc)
{
	struct reassembly *r = lc->reassembly;

	if (likely(r->held == 0 || lc->now < r->look_next))
		return;
	r->look_next = lc->now + r->pause;
	rte_ip_frag_table_del_expired_entries(r->table, &r->dead, lc->now);
	bury(lc, NULL);
}

// ------------------------------------------------------------------------------------------------------------------- take

static struct rte_mbuf *put(struct lcore *lc, struct rte_mbuf *m, const struct outer_fragment *f)
{
	struct reassembly *r = lc->reassembly;
	uint8_t *ip = packet_data(m) + f->ip;

	m->l2_len = f->ip;
	m->l3_len = f->headers;
	if (f->family == 4)
		return rte_ipv4_frag_reassemble_packet(r->table, &r->dead, m, lc->now, (struct rte_ipv4_hdr *)ip);
	return rte_ipv6_frag_reassemble_packet(r->table, &r->dead, m, lc->now, (struct rte_ipv6_hdr *)ip,
	                                       (struct rte_ipv6_fragment_ext *)(ip + IPV6_HEADER));
}

// RFC 3168 5.3: one part that met congestion speaks for the datagram.
static uint8_t worst_tos(struct rte_mbuf *whole)
{
	uint8_t tos = packet_of(whole)->path.tos;

	for (struct rte_mbuf *m = whole->next; m; m = m->next)
		if ((packet_of(m)->path.tos & ECN_MASK) == ECN_CE)
			tos |= ECN_CE;
	return tos;
}

struct rte_mbuf *reassembly_take(struct lcore *lc, struct rte_mbuf *m, const struct outer_fragment *f)
{
	struct reassembly *r = lc->reassembly;
	struct rte_mbuf *whole;

	if (r->held >= HELD_MAX) {
		drop(lc, COUNT_drop_fragment_full, m);
		return NULL;
	}
	packet_of(m)->path.tos = f->tos;
	packet_cut(m, 0, (uint16_t)(f->ip + f->headers + f->len));
	count(lc, COUNT_fragments_in);
	r->held++;
	whole = put(lc, m, f);
	bury(lc, m);
	if (!whole)
		return NULL;
	count(lc, COUNT_fragments_out);
	count(lc, COUNT_reassembled);
	r->held -= whole->nb_segs;
	packet_of(whole)->path.tos = worst_tos(whole);
	if (rte_pktmbuf_linearize(whole) == 0)
		return whole;
	drop(lc, COUNT_drop_fragment_long, whole);
	return NULL;
}
