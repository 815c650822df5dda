#include "control/main/conn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/events.h"
#include "control/main/handover.h"
#include "control/main/opening.h"
#include "control/main/peers.h"
#include "control/main/rollcall.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/tunnel.h"
#include "proto/err.h"
#include "proto/sandbox.h"

// From the goodbye to SIGKILL. Long enough to flush a TLS record to a slow client.
#define GRACE_SECONDS 5
// All lines of a session's configuration, its answer and a TERMINATE.
#define WORKER_QUEUE (LIMIT_ITEMS + 8)

struct conn_fds {
	int client;
	int main[2];   // ours, the worker's
	int secmod[2]; // sec-mod's, the worker's
};

static void timer_set(struct conn *c, uint32_t seconds)
{
	const struct timeval tv = { .tv_sec = (time_t)seconds };

	evtimer_add(&c->timer, &tv);
}

static void forget_secmod_end(struct conn *c)
{
	if (c->secmod_end >= 0)
		close(c->secmod_end);
	c->secmod_end = -1;
}

static void part(struct conn *c)
{
	c->g->clients_count -= c->is_client;
	c->is_client = false;
}

void conn_changed(struct conn *c)
{
	deposit_changed(c->g, &c->mark);
}

static void conn_free(struct conn *c)
{
	struct gateway *g = c->g;

	part(c);
	lobby_leave(c);
	deposit_leave(g, &c->mark);
	TAILQ_REMOVE(&g->conns, c, all);
	htab_remove(&g->conns_by_id, &c->by_id);
	g->conns_count--;
	evtimer_del(&c->timer);
	forget_secmod_end(c);
	free(c->info);
	config_free(c->granted);
	profile_forget(c);
	free(c);
	door_settle(g);
}

static void score(struct conn *c, enum abuse what)
{
	if (!c->of_proxy)
		abuse_score(c->g, &c->client, what);
}

static void conn_kill(struct conn *c)
{
	if (c->killed)
		return;
	c->killed = true;
	conn_changed(c);
	if (!c->nursery) {
		if (c->pid) // never 0: that would be all of us
			kill((pid_t)c->pid, SIGKILL);
		return;
	}
	LINK_SEND(&c->nursery->link, CONN_KILL, &(struct msg_conn_kill){ .conn = c->id });
}

// The channel is gone for good; what is left is to see the process end.
static void conn_close(struct conn *c, enum end_reason reason)
{
	if (c->closed)
		return;
	c->closed = true;
	part(c);
	conn_changed(c);
	if (c->opening)
		opening_cancel(c->opening);
	if (c->tunnel)
		tunnel_end(c->tunnel, reason, false);
	link_close(&c->link);
	forget_secmod_end(c);
	chan_enter(&c->link.chan, MW_CLOSING);
	timer_set(c, GRACE_SECONDS);
}

static void on_ended(void *who, int why)
{
	struct conn *c = who;
	bool broke = why < 0 && c->link.chan.state != MW_CLOSING;

	// a worker that ends its session by itself says so first
	conn_close(c, broke ? END_ERROR : END_WORKER);
	if (!broke)
		return;
	conn_kill(c);
	// one that reads too slowly for us has broken nothing
	if (why == -ETIMEDOUT)
		return;
	events_worker(c, EVENT_WORKER, LOG_LEVEL_WARN, "broke the rules of its channel");
	score(c, ABUSE_CRASH);
}

void conn_hangs(struct conn *c, const char *how)
{
	if (c->closed || c->killed || getenv(SANDBOX_TRACEABLE)) // a debugger would have no time
		return;
	events_worker(c, EVENT_WORKER, LOG_LEVEL_WARN, how);
	conn_close(c, END_WORKER);
	conn_kill(c);
}

void conn_break(struct conn *c)
{
	on_ended(c, -EPROTO);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	bool our_fault = c->opening;
	char text[64];

	if (c->link.chan.state != MW_CLOSING) {
		snprintf(text, sizeof(text), "login took longer than %u seconds", c->g->policy.auth_timeout);
		events_worker(c, EVENT_STALL, LOG_LEVEL_INFO, text);
		conn_end(c, END_AUTH_TIMEOUT);
		if (!our_fault)
			score(c, ABUSE_STALL);
		return;
	}
	if (c->killed) {
		log_warn("%s: nobody reports its end", c->link.chan.name);
		conn_close(c, END_ERROR);
		conn_free(c);
		return;
	}
	conn_close(c, END_ERROR);
	conn_kill(c);
	timer_set(c, GRACE_SECONDS);
}

// ----------------------------------------------------------------------------------------------------------------- start

static void fds_close(struct conn_fds *f)
{
	int all[] = { f->client, f->main[0], f->main[1], f->secmod[0], f->secmod[1] };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i] >= 0)
			close(all[i]);
}

// Half of what it says may be lost with us.
static void touched(void *who)
{
	struct conn *c = who;

	deposit_touch(c->g, c->id);
	conn_changed(c);
}

static void conn_enter(struct conn *c, bool answered)
{
	struct gateway *g = c->g;

	c->link.handlers = from_worker_handlers;
	c->link.who = c;
	c->link.ended = on_ended;
	evtimer_assign(&c->timer, g->base, on_timer, c);
	htab_insert(&g->conns_by_id, &c->by_id, htab_hash(&c->id, sizeof(c->id)));
	TAILQ_INSERT_TAIL(&g->conns, c, all);
	g->conns_count++;
	c->link.touched = touched;
	deposit_enter(g, &c->mark, VAULT_CONN, c->id, c);
	if (c->link.chan.state & (MW_FRESH | MW_PROXY | MW_OPENING))
		lobby_enter(c, answered);
	else if (c->link.chan.state == MW_UP)
		conn_join(c);
}

static struct conn *conn_new(struct gateway *g, const struct addr *client, const struct addr *local, bool proxied)
{
	struct conn *c = calloc(1, sizeof(*c));
	char text[ADDR_TEXT];

	if (!c)
		return NULL;
	c->g = g;
	c->id = ++g->conn_last;
	deposit_part(g, VAULT_GATEWAY);
	c->client = *client;
	c->local = *local;
	c->of_proxy = proxied;
	c->secmod_end = -1;
	c->nursery = g->nursery;
	c->since_ms = clock_ms();
	cputime_init(&c->cputime);
	c->quiet = c->id % ROLLCALL_QUIET; // not all at once
	chan_init(&c->link.chan, -1, ROLE_MAIN, ROLE_WORKER, proxied ? MW_PROXY : MW_FRESH, "worker %llu (%s)",
	          (unsigned long long)c->id, addr_text(client, text));
	conn_enter(c, false);
	return c;
}

static int tell_secmod(const struct conn *c, int channel)
{
	const struct msg_worker_open m = { .conn = c->id, .client = c->client, .local = c->local };

	return link_send(&c->g->secmod->link, MSG_WORKER_OPEN, &m, &channel);
}

static int tell_nursery(const struct conn *c, const struct conn_fds *f)
{
	const struct msg_conn_start m = { .conn = c->id, .client = c->client, .local = c->local, .proxied = c->of_proxy };
	const int fds[] = { f->client, f->main[1], f->secmod[1] };

	return link_send(&c->g->nursery->link, MSG_CONN_START, &m, fds);
}

// sec-mod first: the worker may ask it as soon as it lives.
static int introduce(struct conn *c, struct conn_fds *f)
{
	int ret = 0;

	if (c->of_proxy) {
		c->secmod_end = f->secmod[0];
		f->secmod[0] = -1;
	} else {
		ret = tell_secmod(c, f->secmod[0]);
	}
	return ret < 0 ? ret : tell_nursery(c, f);
}

static int channels_open(struct conn *c, struct conn_fds *f)
{
	int ret = chan_pair(f->main);

	if (ret == 0)
		ret = chan_pair(f->secmod);
	if (ret < 0)
		return ret;
	c->link.chan.fd = f->main[0];
	f->main[0] = -1;
	return link_open(&c->link, c->g->base, WORKER_QUEUE);
}

int conn_start(struct gateway *g, int fd, const struct addr *client, const struct addr *local, bool proxied, uint32_t spent)
{
	struct conn_fds f = { fd, { -1, -1 }, { -1, -1 } };
	struct conn *c = conn_new(g, client, local, proxied);
	int ret = c ? channels_open(c, &f) : -ENOMEM;

	if (ret == 0)
		ret = introduce(c, &f);
	fds_close(&f);
	if (ret == 0) {
		if (g->policy.auth_timeout)
			timer_set(c, spent < g->policy.auth_timeout ? g->policy.auth_timeout - spent : 1);
		g->figures.connections++;
		log_debug("%s: connected", c->link.chan.name);
	} else if (c) {
		link_close(&c->link);
		conn_free(c);
	}
	return ret;
}

static void be_of(struct conn *c, const struct addr *client, const struct addr *local)
{
	char text[ADDR_TEXT];

	conn_changed(c);
	c->of_proxy = false;
	c->client = *client;
	if (local->family)
		c->local = *local;
	snprintf(c->link.chan.name, sizeof(c->link.chan.name), "worker %llu (%s)", (unsigned long long)c->id,
	         addr_text(client, text));
}

void conn_source(struct conn *c, const struct addr *client, const struct addr *local)
{
	struct gateway *g = c->g;

	chan_enter(&c->link.chan, MW_FRESH);
	if (client->family)
		be_of(c, client, local);
	lobby_move(c);
	// a reload in between: its nursery's numbers of keys mean others to this sec-mod
	if (!g->secmod || !g->secmod->ready || c->nursery != g->nursery) {
		conn_end(c, END_ERROR);
		return;
	}
	if (!c->of_proxy && !abuse_admits(g, &c->client)) {
		conn_end(c, END_ERROR);
		return;
	}
	if (tell_secmod(c, c->secmod_end) < 0)
		conn_end(c, END_ERROR);
	forget_secmod_end(c);
}

// ------------------------------------------------------------------------------------------------------------------- end

struct conn *conn_find(struct gateway *g, uint64_t id)
{
	for (struct hlink *l = htab_first(&g->conns_by_id, htab_hash(&id, sizeof(id))); l; l = htab_next(l)) {
		struct conn *c = HTAB_OF(l, struct conn, by_id);

		if (c->id == id)
			return c;
	}
	return NULL;
}

void conn_leave(struct conn *c, enum end_reason reason)
{
	if (c->link.chan.state == MW_CLOSING)
		return;
	conn_changed(c);
	chan_enter(&c->link.chan, MW_CLOSING);
	part(c);
	link_deafen(&c->link);
	if (c->opening)
		opening_cancel(c->opening);
	if (c->tunnel)
		tunnel_end(c->tunnel, reason, reason == END_BY_USER);
	timer_set(c, GRACE_SECONDS);
}

void conn_end(struct conn *c, enum end_reason reason)
{
	if (c->link.chan.state == MW_CLOSING)
		return;
	LINK_SEND(&c->link, TERMINATE, &(struct msg_terminate){ .reason = (uint8_t)reason });
	conn_leave(c, reason);
}

void conn_deny(struct conn *c, uint16_t status, const char *user, const char *reason)
{
	struct msg_auth_cookie_denied m = { .status = status };

	if (c->link.chan.state == MW_CLOSING)
		return;
	events_refused(c, user, reason);
	snprintf(m.reason, sizeof(m.reason), "%s", reason);
	LINK_SEND(&c->link, AUTH_COOKIE_DENIED, &m);
	conn_leave(c, END_ERROR);
}

bool conn_may_go(const struct conn *c)
{
	return !c->killed && c->link.chan.state != MW_OPENING;
}

void conn_evict(struct conn *c)
{
	lobby_leave(c);
	conn_close(c, END_ERROR);
	conn_kill(c);
}

void conn_join(struct conn *c)
{
	lobby_leave(c);
	c->g->clients_count += !c->is_client;
	c->is_client = true;
}

void conn_up(struct conn *c)
{
	evtimer_del(&c->timer);
	snprintf(c->user, sizeof(c->user), "%s", c->tunnel->session->user);
	conn_changed(c);
	chan_enter(&c->link.chan, MW_UP);
	door_settle(c->g); // it has descriptors less
}

void conn_exited(struct conn *c, unsigned code, unsigned signal)
{
	bool crashed = signal && !(c->killed && signal == SIGKILL);
	char reason[64];

	// its last words may still lie in its channel
	link_read_rest(&c->link);
	if (crashed) {
		snprintf(reason, sizeof(reason), "died of signal %u (%s%s)", signal, strsignal((int)signal),
		         signal == SIGSYS ? ": seccomp" : "");
		events_worker(c, EVENT_WORKER, LOG_LEVEL_WARN, reason);
	} else {
		log_debug("%s: exited with %u", c->link.chan.name, code);
	}
	conn_close(c, END_WORKER);
	if (crashed) {
		c->g->figures.crashes++;
		score(c, ABUSE_CRASH);
	}
	conn_free(c);
}

void conn_reaped(struct gateway *g, pid_t pid, int status)
{
	struct conn *c;

	TAILQ_FOREACH(c, &g->conns, all)
	if ((pid_t)c->pid == pid)
		break;
	if (c)
		conn_exited(c, WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 0,
		            WIFSIGNALED(status) ? (unsigned)WTERMSIG(status) : 0);
}

// Its number may be nobody's any more, or somebody else's. What the nursery has called a worker may be another part of the gateway,
// which main would kill in its place.
static bool is_our_worker(const struct gateway *g, uint32_t pid)
{
	const struct child *part;

	TAILQ_FOREACH(part, &g->children, all)
	if ((uint32_t)part->pid == pid)
		return false;
	return supervise_is_ours(g, (pid_t)pid);
}

static void adopt(struct conn *c)
{
	c->nursery = NULL;
	conn_changed(c);
	if (c->killed) // which the nursery may not have heard any more
		kill((pid_t)c->pid, SIGKILL);
}

void conn_lose_nursery(struct gateway *g, const struct child *nursery)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&g->conns); c; c = next) {
		next = TAILQ_NEXT(c, all);
		if (c->nursery != nursery)
			continue;
		if (is_our_worker(g, c->pid)) {
			adopt(c);
			continue;
		}
		conn_close(c, END_NURSERY);
		conn_free(c);
	}
}

void conn_kill_orphans(struct gateway *g)
{
	struct conn *c;

	TAILQ_FOREACH(c, &g->conns, all)
	if (!c->nursery)
		conn_kill(c);
}

void conn_end_all(struct gateway *g, enum end_reason reason)
{
	struct conn *c;

	TAILQ_FOREACH(c, &g->conns, all)
	conn_end(c, reason);
}

void conn_end_logins(struct gateway *g, const struct addr *network, enum end_reason reason)
{
	struct conn *c;

	TAILQ_FOREACH(c, &g->conns, all)
	if (!c->tunnel && (!network || (!c->of_proxy && addr_in(&c->client, network))))
		conn_end(c, reason);
}

// -------------------------------------------------------------------------------------------------------------- handover

#define N(member) STATE_NUMBER(struct conn, member)

static const struct state_field fields[] = {
	N(id),
	LINK_FIELDS(struct conn),
	STATE_ADDR(struct conn, client),
	STATE_ADDR(struct conn, local),
	N(of_proxy),
	STATE_FD(struct conn, secmod_end),
	N(pid),
	N(cputime.used_us),
	N(cputime.packets),
	N(cputime.credit_us),
	N(since_ms),
	N(profile_asked),
	STATE_TEXT(struct conn, user),
	N(closed),
	N(killed),
};

#undef N

STATE_COVERS(struct conn, 2264);

static const struct state_field login_fields[] = {
	STATE_TEXT(struct profile_login, user),
	STATE_TEXT(struct profile_login, group),
	STATE_TEXT(struct profile_login, vhost),
};

struct rest {
	uint32_t nursery; // pid
	uint64_t due_ms;  // the timer
	bool info, login; // there are such
};

static const struct state_field rest_fields[] = {
	STATE_NUMBER(struct rest, nursery),
	STATE_NUMBER(struct rest, due_ms),
	STATE_NUMBER(struct rest, info),
	STATE_NUMBER(struct rest, login),
};

bool conn_is_quiet(const struct conn *c)
{
	return link_is_quiet(&c->link) && !c->opening && !c->granted &&
	       !(c->grants && c->link.chan.state == MW_OPENING && !c->tunnel);
}

void conn_save(const struct conn *c, struct state_writer *w)
{
	static const struct connect_info no_info;
	static const struct profile_login no_login;
	const struct rest rest = { c->nursery ? (uint32_t)c->nursery->pid : 0, handover_due(&c->timer), c->info, c->login };

	state_write(w, "conn",
	            STATE_PARTS(STATE_PART("", fields, c), STATE_PART("", rest_fields, &rest),
	                        CONNECT_INFO_PART(c->info ? c->info : &no_info),
	                        STATE_PART("login.", login_fields, c->login ? c->login : &no_login)));
}

// It may be NULL: the nursery has died, and the worker is main's own.
static struct child *nursery_of(struct gateway *g, uint32_t pid)
{
	struct child *n;

	TAILQ_FOREACH(n, &g->children, all)
	if (n->kind == &child_nursery && (uint32_t)n->pid == pid)
		return n;
	return NULL;
}

static int copy(void **to, const void *from, size_t size)
{
	*to = malloc(size);
	if (!*to)
		return -ENOMEM;
	memcpy(*to, from, size);
	return 0;
}

int conn_restore(struct handover *h, const struct state_record *rec)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct connect_info info = { 0 };
	struct profile_login login = { 0 };
	struct rest rest = { 0 };
	int ret = -ENOMEM;

	if (!c)
		return ret;
	c->g = h->g;
	ret = state_read(rec, STATE_PARTS(STATE_PART("", fields, c), STATE_PART("", rest_fields, &rest), CONNECT_INFO_PART(&info),
	                                  STATE_PART("login.", login_fields, &login)));
	if (ret == 0 && (!c->id || conn_find(h->g, c->id) || c->closed != (c->link.chan.fd < 0)))
		ret = errno_log(EBADMSG, "state: conn: %llu is none", (unsigned long long)c->id);
	if (ret < 0) {
		free(c);
		return ret;
	}
	conn_enter(c, true);
	c->nursery = nursery_of(h->g, rest.nursery);
	handover_arm(&c->timer, rest.due_ms);
	if (rest.info)
		ret = copy((void **)&c->info, &info, sizeof(info));
	if (ret == 0 && rest.login)
		ret = copy((void **)&c->login, &login, sizeof(login));
	return ret < 0 ? ret : link_open_again(&c->link, h->g->base, WORKER_QUEUE, ROLE_WORKER);
}
