// Tunnels in a state: see tunnel.h and handover.h.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/conn.h"
#include "control/main/handover.h"
#include "control/main/session.h"
#include "control/main/tally.h"
#include "control/main/usage.h"
#include "proto/err.h"

#define I(member) STATE_NUMBER(struct connect_info, member)

const struct state_field connect_info_fields[] = {
	STATE_TEXT(struct connect_info, hostname),
	STATE_TEXT(struct connect_info, user_agent),
	STATE_TEXT(struct connect_info, device_type),
	STATE_TEXT(struct connect_info, device_platform),
	STATE_TEXT(struct connect_info, tls_cipher),
	STATE_TEXT(struct connect_info, dtls_cipher),
	I(base_mtu),
	I(mtu),
	I(dtls_offers),
	I(cstp_encodings),
	I(dtls_encodings),
	I(want_ipv4),
	I(want_ipv6),
};
const unsigned connect_info_fields_n = sizeof(connect_info_fields) / sizeof(*connect_info_fields);

#undef I

STATE_COVERS(struct connect_info, 720);

// --------------------------------------------------------------------------------------------------------------- numbers

struct numbers {
	uint32_t max, next; // next: the free number that has been unused longest
};

static const struct state_field numbers_fields[] = {
	STATE_UPTO(struct numbers, max, LIMIT_TUNNELS),
	STATE_UPTO(struct numbers, next, LIMIT_TUNNELS - 1),
};

void tunnel_table_save(const struct gateway *g, struct state_writer *w)
{
	const struct numbers n = { g->tunnels_max, g->tunnels_free_count ? g->tunnels_free[g->tunnels_free_first] : 0 };

	state_write(w, "tunnels", STATE_PARTS(STATE_PART("", numbers_fields, &n)));
}

int tunnel_table_restore(struct handover *h, const struct state_record *rec)
{
	struct numbers n = { 0 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", numbers_fields, &n)));

	if (ret == 0)
		ret = n.max && n.next < n.max && !h->g->tunnels ? tunnel_table_open(h->g, n.max) : -EBADMSG;
	if (ret == 0)
		h->g->tunnels_free_first = n.next;
	return ret;
}

// Those that were in use last come last.
void tunnel_table_restored(struct gateway *g)
{
	uint32_t first = g->tunnels_free_first, n = 0;

	for (uint32_t i = 0; i < g->tunnels_max; i++) {
		uint32_t number = (first + i) % g->tunnels_max;

		if (!g->tunnels[number])
			g->tunnels_free[n++] = number;
	}
	g->tunnels_free_first = 0;
	g->tunnels_free_count = n;
}

// --------------------------------------------------------------------------------------------------------------- tunnels

#define N(member) STATE_NUMBER(struct tunnel, member)

static const struct state_field fields[] = {
	N(number),
	STATE_UPTO(struct tunnel, phase, TUNNEL_DELETING),
	STATE_ADDR(struct tunnel, client),
	STATE_ADDR(struct tunnel, local),
	STATE_BYTES(struct tunnel, app_id),
	N(mtu),
	STATE_UPTO(struct tunnel, dtls, DTLS_KIND_LAST),
	STATE_FD(struct tunnel, lane_fd),
	N(since_ms),
	N(now.packets_in),
	N(now.bytes_in),
	N(now.packets_out),
	N(now.bytes_out),
	N(now.dropped),
	N(now.datagrams),
	N(now.cstp_bytes_in),
	N(now.cstp_bytes_out),
	N(before.packets_in),
	N(before.bytes_in),
	N(before.packets_out),
	N(before.bytes_out),
	N(before.dropped),
	N(before.datagrams),
	N(before.cstp_bytes_in),
	N(before.cstp_bytes_out),
	STATE_UPTO(struct tunnel, channel, CHANNEL_LAST),
	STATE_UPTO(struct tunnel, why, WHY_LAST),
	STATE_UPTO(struct tunnel, cstp_compress, COMPRESS_LAST),
	STATE_UPTO(struct tunnel, dtls_compress, COMPRESS_LAST),
	N(compress_above),
	N(dpd),
	N(rekey_time),
	N(kept.rx_rate),
	N(kept.tx_rate),
	N(kept.idle_timeout),
	STATE_UPTO(struct tunnel, cipher, AEAD_LAST),
	STATE_ADDR(struct tunnel, path),
	STATE_ADDR(struct tunnel, ours),
	STATE_UPTO(struct tunnel, reason, END_REASON_LAST),
	N(revoke),
	N(greeted),
	N(utmp_pid),
	N(in_utmp),
	N(was_up),
	STATE_TEXT(struct tunnel, from),
};

#undef N

STATE_COVERS(struct tunnel, 824);

struct of {
	uint32_t session, terms, where; // terms: by number
	uint64_t conn;                  // 0: it is being deleted
	uint64_t report_due;
};

static const struct state_field of_fields[] = {
	STATE_NUMBER(struct of, session), STATE_NUMBER(struct of, terms),      STATE_NUMBER(struct of, where),
	STATE_NUMBER(struct of, conn),    STATE_NUMBER(struct of, report_due),
};

bool tunnel_is_quiet(const struct tunnel *t)
{
	return !t->change && t->where == WHERE_DATAPLANE;
}

void tunnel_save(const struct tunnel *t, struct state_writer *w)
{
	const struct of of = {
		.session = t->session->id,
		.terms = terms_number(t->terms, w),
		// what one that ends is kept to may be gone already
		.where = t->phase == TUNNEL_DELETING ? terms_number(t->terms, w) : terms_number(t->kept.where, w),
		.conn = t->conn ? t->conn->id : 0,
		.report_due = tally_due(t),
	};

	state_write(w, "tunnel",
	            STATE_PARTS(STATE_PART("", fields, t), STATE_PART("", of_fields, &of), CONNECT_INFO_PART(t->info)));
	iroute_save(t, w);
}

static bool fits(const struct handover *h, const struct tunnel *t, const struct of *of, const struct session *s,
                 const struct conn *c)
{
	const struct gateway *g = h->g;

	if (t->number >= g->tunnels_max || g->tunnels[t->number])
		return false;
	if (!handover_terms(h, of->terms) || !handover_terms(h, of->where))
		return false;
	if (t->phase == TUNNEL_DELETING)
		return s && !c && !of->conn;
	return s && c && !c->tunnel && !s->tunnel;
}

static void attach(struct handover *h, struct tunnel *t, struct session *s, struct conn *c, const struct of *of)
{
	struct gateway *g = h->g;

	t->g = g;
	t->session = s;
	t->conn = c;
	t->terms = terms_get(handover_terms(h, of->terms));
	t->kept.where = handover_terms(h, of->where);
	TAILQ_INIT(&t->iroutes);
	g->tunnels[t->number] = t;
	g->sessions_active += t->phase == TUNNEL_UP;
	s->tunnels++;
	t->recount = h->kept;
	deposit_enter(g, &t->mark, VAULT_TUNNEL, t->number, t);
	tunnel_time(t);
	usage_begin(t);
	if (!c)
		return;
	s->tunnel = t;
	c->tunnel = t;
	if (t->phase == TUNNEL_UP)
		tally_resume(t, of->report_due);
}

int tunnel_restore(struct handover *h, const struct state_record *rec)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	struct connect_info *info = calloc(1, sizeof(*info));
	struct session *s;
	struct conn *c;
	struct of of = { 0 };
	int ret = -ENOMEM;

	if (!t || !info)
		goto fail;
	ret = state_read(rec, STATE_PARTS(STATE_PART("", fields, t), STATE_PART("", of_fields, &of), CONNECT_INFO_PART(info)));
	if (ret < 0)
		goto fail;
	s = session_find_id(h->g, of.session);
	c = conn_find(h->g, of.conn);
	if (!fits(h, t, &of, s, c)) {
		ret = errno_log(EBADMSG, "state: tunnel %u does not fit", t->number);
		goto fail;
	}
	t->info = info;
	attach(h, t, s, c, &of);
	return 0;
fail:
	free(info);
	free(t);
	return ret;
}
