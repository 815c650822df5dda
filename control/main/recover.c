#include "control/main/recover.h"

#include <stdlib.h>
#include <string.h>

#include "control/main/deposit.h"
#include "control/main/events.h"
#include "control/main/handover.h"
#include "control/main/keep.h"
#include "control/main/keeper.h"
#include "control/main/listen.h"
#include "control/main/refill.h"
#include "control/main/reload.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "proto/err.h"

#define ANSWER_SECONDS 10
// More than one round of the loop brings.
#define CONNS_LENT 1024
#define SESSIONS_LENT 16

struct recovery {
	struct gateway *g;
	struct event timer;
	unsigned asked;         // who have not answered
	bool secmod, dataplane; // have
	uint8_t *strays;        // by number of a tunnel: the dataplane has it, and no record
	uint32_t n_strays, strays_max;
	struct config *config_again; // half a reload has to be done whole; NULL: none
	uint64_t died_ms, began_ms;
	char why[96];
	uint32_t n_touched;
	uint64_t touched[KEEPER_TOUCHED];
};

static void finish(struct recovery *r);

// ------------------------------------------------------------------------------------------------------------------- ask

static void ask(struct recovery *r, struct child *c)
{
	int ret = -EPIPE;

	if (c->kind == &child_secmod)
		ret = LINK_SEND(&c->link, SESSIONS_ASK, &(struct msg_sessions_ask){});
	else if (c->kind == &child_dataplane)
		ret = LINK_SEND(&c->link, TUNNELS_ASK, &(struct msg_tunnels_ask){});
	else if (c->kind == &child_nursery)
		ret = LINK_SEND(&c->link, WORKERS_ASK, &(struct msg_workers_ask){});
	if (ret < 0)
		return;
	c->asked = true;
	r->asked++;
}

static bool is_current(const struct child *c)
{
	return c == c->g->secmod || c == c->g->dataplane || c == c->g->nursery;
}

// One that was not ready yet may have said so to nobody; one that was to be the next of a reload waits for ever.
static void children_ask(struct recovery *r)
{
	struct child *c, *next;

	for (c = TAILQ_FIRST(&r->g->children); c; c = next) {
		next = TAILQ_NEXT(c, all);
		if (!supervise_is_ours(r->g, c->pid))
			supervise_ended(r->g, c->pid, -1);
		else if (is_current(c) ? !c->ready : !c->leaving)
			child_kill(c);
		else
			ask(r, c);
	}
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct recovery *r = arg;
	struct child *c;

	TAILQ_FOREACH(c, &r->g->children, all)
	if (c->asked || (r->n_strays && c == r->g->dataplane)) {
		log_err("%s (pid %d) does not say what it has: it is killed", c->kind->name, (int)c->pid);
		child_kill(c);
	}
}

static void conns_hold(const struct gateway *g, bool on)
{
	struct conn *c;

	TAILQ_FOREACH(c, &g->conns, all)
	link_hold(&c->link, on);
}

static void page_take(struct recovery *r)
{
	const struct keeper_page *p = deposit_page(r->g);

	if (!p)
		return;
	r->died_ms = p->died_ms;
	r->n_touched = p->n_touched;
	memcpy(r->touched, p->touched, sizeof(r->touched));
	memcpy(r->why, p->why, sizeof(r->why));
	r->why[sizeof(r->why) - 1] = '\0';
}

int recover_begin(struct gateway *g, struct handover *h)
{
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	struct recovery *r = calloc(1, sizeof(*r));
	struct session *s;

	if (!r)
		return -ENOMEM;
	r->g = g;
	r->strays_max = g->tunnels_max;
	r->strays = calloc(g->tunnels_max + 1, 1);
	if (!r->strays) {
		free(r);
		return -ENOMEM;
	}
	r->began_ms = clock_ms();
	page_take(r);
	if (deposit_page(g) && deposit_page(g)->reloading) {
		r->config_again = h->config_again;
		h->config_again = NULL;
	}
	// nobody has this number yet: the one before may have lent some that no record knows
	g->conn_last += CONNS_LENT;
	g->session_last += SESSIONS_LENT;
	TAILQ_FOREACH(s, &g->sessions, all)
	s->kept = false;
	g->recovery = r;
	evtimer_assign(&r->timer, g->base, on_late, r);
	evtimer_add(&r->timer, &patience);
	r->asked = 1; // until all are asked
	conns_hold(g, true);
	// it had died before main did, and the next one is to get its tunnels
	if (!g->dataplane)
		refill_lose(g);
	children_ask(r);
	if (--r->asked == 0)
		finish(r);
	return 0;
}

// ----------------------------------------------------------------------------------------------------------------- answers

void recover_session(struct gateway *g, const struct msg_session_kept *m)
{
	struct msg_session_resume resume = { .sid_len = SID_SIZE };
	struct session *s = keep_find(g, m);

	resume.uses = s ? s->tunnels : 0;
	memcpy(resume.sid, m->sid, SID_SIZE);
	LINK_SEND(&g->secmod->link, SESSION_RESUME, &resume);
	if (!s)
		return;
	s->kept = true;
	if (s->voided)
		session_revoke(s);
}

static void stray(struct recovery *r, const struct msg_tunnel_held *m)
{
	if (m->tunnel >= r->strays_max || r->strays[m->tunnel])
		return;
	r->strays[m->tunnel] = 1;
	r->n_strays++;
	if (!m->leaving)
		LINK_SEND(&r->g->dataplane->link, TUNNEL_DEL, &(struct msg_tunnel_del){ .tunnel = m->tunnel });
}

void recover_tunnel(struct gateway *g, const struct msg_tunnel_held *m)
{
	struct tunnel *t = tunnel_find(g, m->tunnel);

	if (!g->recovery)
		return;
	if (!t || memcmp(t->app_id, m->app_id, APP_ID_SIZE) != 0) {
		stray(g->recovery, m);
		return;
	}
	t->held = true;
	t->leaving = m->leaving;
}

bool recover_counted(struct gateway *g, const struct msg_tunnel_counters *m)
{
	struct recovery *r = g->recovery;

	if (!r || m->tunnel >= r->strays_max || !r->strays[m->tunnel])
		return false;
	if (!m->last)
		return true;
	r->strays[m->tunnel] = 0;
	if (--r->n_strays == 0 && r->asked == 0)
		finish(r);
	return true;
}

void recover_told(struct child *c)
{
	struct recovery *r = c->g->recovery;

	if (!r || (!c->asked && c->ready))
		return;
	r->asked -= c->asked;
	c->asked = false;
	r->secmod = r->secmod || (c == c->g->secmod && c->ready);
	r->dataplane = r->dataplane || (c == c->g->dataplane && c->ready);
	// one that has died takes what it had with it, whatever it has answered
	if (c == c->g->dataplane && !c->ready) {
		r->n_strays = 0;
		memset(r->strays, 0, r->strays_max);
	}
	if (r->asked == 0 && r->n_strays == 0)
		finish(r);
}

// ---------------------------------------------------------------------------------------------------------------- settle

// Not in the dataplane any more: the order to delete it was the last that was said, or it never came there.
static void tunnel_settle(struct tunnel *t)
{
	if (t->phase == TUNNEL_DELETING && !t->held)
		tunnel_over(t);
	else if (t->phase == TUNNEL_DELETING && !t->leaving)
		LINK_SEND(&t->g->dataplane->link, TUNNEL_DEL, &(struct msg_tunnel_del){ .tunnel = t->number });
	else if (t->phase != TUNNEL_DELETING && (!t->held || t->leaving || t->phase == TUNNEL_ADDING))
		conn_end(t->conn, END_MAIN);
}

static void tunnels_settle(struct recovery *r)
{
	struct gateway *g = r->g;

	for (uint32_t i = 0; r->dataplane && i < g->tunnels_max; i++)
		if (g->tunnels[i])
			tunnel_settle(g->tunnels[i]);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_touched(const struct recovery *r, const struct conn *c)
{
	if (r->n_touched > KEEPER_TOUCHED)
		return true;
	return bsearch(&c->id, r->touched, r->n_touched, sizeof(*r->touched), by_number);
}

static bool is_alive(const struct conn *c)
{
	return c->nursery ? c->listed : supervise_is_ours(c->g, (pid_t)c->pid);
}

// What it has said last may be lost, and what it was answered may stand nowhere.
static bool is_half_said(const struct recovery *r, const struct conn *c)
{
	uint32_t state = c->link.chan.state;

	return is_touched(r, c) || state == MW_OPENING || (state == MW_UP) != (c->tunnel != NULL);
}

static unsigned conns_settle(struct recovery *r)
{
	struct conn *c, *next;
	unsigned ended = 0;

	if (r->n_touched <= KEEPER_TOUCHED)
		qsort(r->touched, r->n_touched, sizeof(*r->touched), by_number);
	for (c = TAILQ_FIRST(&r->g->conns); c; c = next) {
		next = TAILQ_NEXT(c, all);
		if (!is_alive(c)) {
			conn_exited(c, 0, 0);
		} else if (c->link.chan.state != MW_CLOSING && is_half_said(r, c)) {
			ended++;
			conn_end(c, END_MAIN);
		}
	}
	return ended;
}

static void sessions_settle(const struct recovery *r)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&r->g->sessions); r->secmod && s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (!s->kept && !s->gone)
			session_orphan(s);
	}
}

static void finish(struct recovery *r)
{
	struct gateway *g = r->g;
	unsigned ended;

	evtimer_del(&r->timer);
	tunnels_settle(r);
	sessions_settle(r);
	ended = conns_settle(r);
	g->recovery = NULL;
	conns_hold(g, false);
	events_gateway(
	        g, LOG_LEVEL_WARN,
	        "main %s; another has taken over in %llu ms: %zu sessions, %zu connections, %u were in the middle of something",
	        r->why, (unsigned long long)(clock_ms() - r->died_ms), g->sessions_count, g->conns_count, ended);
	deposit_part(g, VAULT_GATEWAY);
	if (r->config_again)
		reload_again(g, r->config_again);
	free(r->strays);
	free(r);
	supervise_step(g);
}
