#include "control/main/session.h"

#include <stdlib.h>

#include "control/main/handover.h"
#include "control/main/opening.h"
#include "control/main/report.h"
#include "control/main/supervise.h"
#include "control/main/wallclock.h"
#include "proto/err.h"
#include "proto/secret.h"

// ----------------------------------------------------------------------------------------------------------------- table

struct session *session_find(struct gateway *g, const uint8_t sid[SID_SIZE])
{
	for (struct hlink *l = htab_first(&g->sessions_by_sid, htab_hash(sid, SID_SIZE)); l; l = htab_next(l)) {
		struct session *s = HTAB_OF(l, struct session, by_sid);

		if (memcmp(s->sid, sid, SID_SIZE) == 0)
			return s;
	}
	return NULL;
}

struct session *session_find_id(struct gateway *g, uint32_t id)
{
	for (struct hlink *l = htab_first(&g->sessions_by_id, htab_hash(&id, sizeof(id))); l; l = htab_next(l)) {
		struct session *s = HTAB_OF(l, struct session, by_id);

		if (s->id == id)
			return s;
	}
	return NULL;
}

// What operators are shown and have to type at least; a number is shorter.
#define SID_PREFIX 6

struct session *session_find_name(struct gateway *g, const char *text)
{
	struct session *s, *found = NULL;
	char sid[2 * SID_SIZE + 1], *end;

	if (strlen(text) < SID_PREFIX) {
		unsigned long id = strtoul(text, &end, 10);
		return !text[0] || *end || id > UINT32_MAX ? NULL : session_find_id(g, (uint32_t)id);
	}
	TAILQ_FOREACH(s, &g->sessions, all)
	{
		report_sid(s->sid, sid);
		if (strncmp(sid, text, strlen(text)) != 0)
			continue;
		if (found)
			return NULL;
		found = s;
	}
	return found;
}

static void session_enter(struct session *s)
{
	struct gateway *g = s->g;

	if (!s->gone)
		htab_insert(&g->sessions_by_sid, &s->by_sid, htab_hash(s->sid, SID_SIZE));
	htab_insert(&g->sessions_by_id, &s->by_id, htab_hash(&s->id, sizeof(s->id)));
	htab_insert(&g->sessions_by_user, &s->by_user, htab_hash(s->user, strlen(s->user)));
	TAILQ_INSERT_TAIL(&g->sessions, s, all);
	deposit_enter(g, &s->mark, VAULT_SESSION, s->id, s);
	g->sessions_count++;
}

static struct session *session_new(struct gateway *g, const struct msg_session_reply *m)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->g = g;
	s->id = ++g->session_last;
	deposit_part(g, VAULT_GATEWAY);
	memcpy(s->sid, m->sid, SID_SIZE);
	snprintf(s->user, sizeof(s->user), "%s", m->user);
	snprintf(s->group, sizeof(s->group), "%s", m->group);
	snprintf(s->vhost, sizeof(s->vhost), "%s", m->vhost);
	snprintf(s->method, sizeof(s->method), "%s", m->method);
	snprintf(s->acct_id, sizeof(s->acct_id), "%s", m->acct_id);
	s->certified = m->certified;
	s->created = wallclock_of((time_t)m->created);
	if (s->created < 0) // before the machine was started
		s->created = 0;
	session_enter(s);
	return s;
}

void session_changed(struct session *s)
{
	deposit_changed(s->g, &s->mark);
}

static void session_free(struct session *s)
{
	struct gateway *g = s->g;

	address_return(s);
	deposit_leave(g, &s->mark);
	terms_put(s->changed.filter);
	if (!s->gone)
		htab_remove(&g->sessions_by_sid, &s->by_sid);
	htab_remove(&g->sessions_by_id, &s->by_id);
	htab_remove(&g->sessions_by_user, &s->by_user);
	TAILQ_REMOVE(&g->sessions, s, all);
	g->sessions_count--;
	free(s);
}

struct session *session_get(struct gateway *g, const struct msg_session_reply *m)
{
	struct session *s = session_find(g, m->sid);

	return s ? s : session_new(g, m);
}

bool session_is_same_user(const struct session *a, const struct session *b)
{
	return strcmp(a->user, b->user) == 0 && strcmp(a->vhost, b->vhost) == 0;
}

unsigned session_siblings(const struct session *s)
{
	uint64_t hash = htab_hash(s->user, strlen(s->user));
	unsigned n = 0;

	for (struct hlink *l = htab_first(&s->g->sessions_by_user, hash); l; l = htab_next(l)) {
		const struct session *other = HTAB_OF(l, struct session, by_user);

		if (other != s && (other->tunnel || other->opening) && session_is_same_user(other, s))
			n++;
	}
	return n;
}

// ------------------------------------------------------------------------------------------------------------------- end

static void session_try_free(struct session *s)
{
	if (s->gone && s->tunnels == 0)
		session_free(s);
}

// From now on nobody finds it by its cookie. Its addresses stay lent while the dataplane still knows a tunnel with them.
static void session_void(struct session *s)
{
	if (s->gone)
		return;
	s->gone = true;
	session_changed(s);
	htab_remove(&s->g->sessions_by_sid, &s->by_sid);
}

static void clients_end(struct session *s, enum end_reason reason)
{
	if (s->opening)
		conn_end(s->opening->conn, reason);
	if (s->tunnel)
		conn_end(s->tunnel->conn, reason);
}

void session_gone(struct session *s, enum end_reason reason)
{
	s->tunnels++; // keeps it while its tunnel ends
	session_void(s);
	clients_end(s, reason == END_NONE || reason == END_TEMPORARY ? END_TERMINATED : reason);
	session_tunnel_over(s);
}

void session_revoke(struct session *s)
{
	struct msg_session_revoke m = { .sid_len = SID_SIZE };

	s->voided = true;
	session_changed(s);
	memcpy(m.sid, s->sid, SID_SIZE);
	if (!s->orphan && s->g->secmod)
		LINK_SEND(&s->g->secmod->link, SESSION_REVOKE, &m);
}

void session_terminate(struct session *s, enum end_reason reason)
{
	session_revoke(s);
	clients_end(s, reason);
}

void session_tunnel_over(struct session *s)
{
	s->tunnels--;
	session_changed(s);
	if (s->opening)
		opening_resume(s->opening);
	session_try_free(s);
}

void session_orphan(struct session *s)
{
	s->orphan = true;
	session_changed(s);
	session_void(s);
	session_try_free(s);
}

void session_free_all(struct gateway *g)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&g->sessions)))
		session_free(s);
}

// -------------------------------------------------------------------------------------------------------------- handover

#define N(member) STATE_NUMBER(struct session, member)

static const struct state_field fields[] = {
	N(id),
	STATE_BYTES(struct session, sid),
	STATE_TEXT(struct session, user),
	STATE_TEXT(struct session, group),
	STATE_TEXT(struct session, vhost),
	STATE_TEXT(struct session, method),
	STATE_TEXT(struct session, acct_id),
	N(certified),
	N(created),
	N(since_ms),
	N(timeout),
	N(gone),
	N(orphan),
	N(kept),
	N(voided),
	N(left),
	N(fresh4),
	N(fresh6),
	N(listed),
	N(ended.packets_in),
	N(ended.bytes_in),
	N(ended.packets_out),
	N(ended.bytes_out),
	N(ended.dropped),
	N(ended.datagrams),
	N(ended.cstp_bytes_in),
	N(ended.cstp_bytes_out),
	STATE_UPTO(struct session, changed.what, CHANGE_ALL),
	N(changed.rx_rate),
	N(changed.tx_rate),
	N(changed.idle_timeout),
	STATE_ADDR(struct session, client),
	STATE_ADDR(struct session, local),
	STATE_UPTO(struct session, reason, END_REASON_LAST),
	N(ended_seconds),
};

#undef N

STATE_COVERS(struct session, 1040);

struct filter {
	uint32_t filter; // its terms
};

static const struct state_field filter_fields[] = { STATE_NUMBER(struct filter, filter) };

void session_save(const struct session *s, struct state_writer *w)
{
	const struct filter filter = { s->changed.filter ? terms_number(s->changed.filter, w) : 0 };
	struct address_state addresses;

	address_save(s, &addresses);
	state_write(w, "session",
	            STATE_PARTS(STATE_PART("", fields, s), STATE_PART("", filter_fields, &filter), ADDRESS_PART(&addresses)));
}

int session_restore(struct handover *h, const struct state_record *rec)
{
	struct session *s = calloc(1, sizeof(*s));
	struct address_state addresses = { 0 };
	struct filter filter = { 0 };
	int ret = -ENOMEM;

	if (!s)
		return ret;
	s->g = h->g;
	ret = state_read(rec,
	                 STATE_PARTS(STATE_PART("", fields, s), STATE_PART("", filter_fields, &filter), ADDRESS_PART(&addresses)));
	if (ret == 0 && (!s->id || session_find_id(h->g, s->id) || (filter.filter && !handover_terms(h, filter.filter))))
		ret = errno_log(EBADMSG, "state: session: %u is no number for it", s->id);
	if (ret < 0) {
		free(s);
		return ret;
	}
	if (filter.filter)
		s->changed.filter = terms_get(handover_terms(h, filter.filter));
	session_enter(s);
	return address_take_again(s, &addresses);
}

// ------------------------------------------------------------------------------------------------------------------- mtu

// What DTLS costs a packet: IP, UDP, record header, explicit nonce, tag (RFC 5288: the largest of our AEAD ciphers), type byte.
#define OVERHEAD_IPV4 (20 + 8 + 13 + 8 + 16 + 1)
#define OVERHEAD_IPV6 (40 + 8 + 13 + 8 + 16 + 1)
// And what AES-CBC-SHA costs beyond that: an IV, a MAC and a block of padding instead of nonce and tag.
#define OVERHEAD_CBC (16 + 20 + 16 - 8 - 16)
#define PATH_MTU 1500       // where the client says nothing
#define MTU_LEAST 800       // below it no client works
#define MTU_LEAST_IPV6 1280 // RFC 8200 5

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

uint16_t session_mtu_inner(uint16_t configured)
{
	uint32_t mtu = configured ? configured : PATH_MTU - OVERHEAD_IPV4;

	if (mtu < MTU_LEAST_IPV6)
		mtu = MTU_LEAST_IPV6;
	return (uint16_t)least(mtu, LIMIT_MTU_MAX);
}

uint16_t session_mtu(const struct mtu_facts *f)
{
	uint32_t overhead = f->outer == 6 ? OVERHEAD_IPV6 : OVERHEAD_IPV4;
	uint32_t floor = f->inner_ipv6 ? MTU_LEAST_IPV6 : MTU_LEAST;
	uint32_t base = f->base ? f->base : PATH_MTU, mtu;

	if (f->dtls == DTLS_KIND_CBC)
		overhead += OVERHEAD_CBC;
	mtu = least(session_mtu_inner(f->configured), base > overhead ? base - overhead : 0);

	if (f->configured)
		mtu = least(mtu, f->configured);
	if (f->dtls == DTLS_KIND_CBC)
		mtu = least(mtu, LIMIT_MTU_CBC);
	if (f->wanted)
		mtu = least(mtu, f->wanted);
	return (uint16_t)(mtu < floor ? floor : mtu);
}
