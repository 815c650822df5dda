#include "secmod/radius_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/lookup.h"

// A socket has 256 identifiers; together more than sec-mod has logins at one time.
#define PORTS_MAX 16
#define IDS 256
// So many datagrams of one socket before the others get their turn.
#define RECEIVE_MOST 64
#define BAD_LOG_MS 10000      // between lines about answers that are none
#define LOOK_AGAIN_SECONDS 30 // for who has a name and no address

TAILQ_HEAD(port_list, port);

struct port {
	struct server *server;
	int fd;
	struct event *readable;
	bool stale; // its server did not answer: perhaps our own address is another now, or a firewall has forgotten us
	bool busy;  // its datagrams are being read: not to be freed
	unsigned used;
	uint8_t next; // identifier to be tried first: the longest unused
	struct radius_exchange *by_id[IDS];
	TAILQ_ENTRY(port) all;
};

struct server {
	struct radius_servers *set;
	int number;
	const struct radius_config_server *config;
	struct addr addr; // now: names move
	char text[ADDR_TEXT];
	struct lookup *lookup; // of its name, under way
	struct port_list ports;
	unsigned n_ports;
	bool lost;        // nobody knew its name, as has been said
	bool dead, tried; // dead: no answer; tried: one request finds out whether it still is
	int64_t dead_until_ms, heard_ms, bad_logged_ms;
	uint64_t requests, timeouts, late, bad;
	uint32_t waiting;
	struct health_times times; // of answers
};

struct radius_servers {
	unsigned refs;
	bool need_signed;
	struct radius_config config;
	struct server server[RADIUS_SERVERS_MAX];
	TAILQ_ENTRY(radius_servers) next;
};

TAILQ_HEAD(radius_servers_list, radius_servers);

static struct {
	struct event_base *base;
	struct event *nameless; // looks for servers without an address
	struct radius_servers_list all;
} client = { .all = TAILQ_HEAD_INITIALIZER(client.all) };

struct radius_exchange {
	struct radius_servers *set;
	const struct radius_kind *kind;
	void *who;
	struct port *port; // NULL: between two servers
	uint8_t id;
	uint8_t asked; // bit set of servers
	int only;
	bool trial; // finds out whether a dead server still is
	uint32_t tries;
	int64_t sent_us, began_ms;
	struct event *timer;
	size_t len;
	uint8_t *bytes; // the request as it was sent
};

_Static_assert(RADIUS_SERVERS_MAX <= 8, "exchange.asked has a bit for each");

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t now_ms(void)
{
	return now_us() / 1000;
}

static struct radius_servers *servers_hold(struct radius_servers *s)
{
	s->refs++;
	return s;
}

// ------------------------------------------------------------------------------------------------------------------ health

static void server_answers(struct server *s, int64_t sent_us)
{
	health_took(&s->times, now_us() - sent_us);
	s->heard_ms = now_ms();
	if (s->dead)
		log_notice("RADIUS server %s (%s) answers again", s->config->name, s->text);
	s->dead = s->tried = false;
}

static void ports_are_stale(struct server *s)
{
	struct port *p;

	TAILQ_FOREACH(p, &s->ports, all)
	p->stale = true;
}

static void on_found(void *who, const struct addr *found)
{
	struct server *s = who;
	const uint16_t port = s->config->addr.port;

	s->lookup = NULL;
	if (found == NULL && s->addr.family == 0 && !s->lost) {
		log_warn("RADIUS server %s: its address cannot be found, and is looked up again", s->config->name);
		s->lost = true;
	}
	if (found == NULL || addr_equal(found, &s->addr))
		return;
	s->addr = *found;
	s->addr.port = port;
	addr_text_port(&s->addr, s->text);
	log_notice("RADIUS server %s is %s now", s->config->name, s->text);
	ports_are_stale(s);
	s->dead = s->tried = s->lost = false;
}

// Where its name is none but an address there is nothing to look up.
static void look_up(struct server *s)
{
	struct addr a;

	if (s->lookup == NULL && s->config->secret[0] != '\0' && addr_parse(s->config->name, &a) < 0)
		s->lookup = lookup_name(s->config->name, on_found, s);
}

static void on_nameless(evutil_socket_t fd, short what, void *who)
{
	struct radius_servers *set;

	TAILQ_FOREACH(set, &client.all, next)
	for (unsigned i = 0; i < set->config.n_servers; i++)
		if (set->server[i].addr.family == 0)
			look_up(&set->server[i]);
}

static void server_fails(struct server *s)
{
	const uint32_t ms = s->set->config.dead_ms;

	ports_are_stale(s);
	look_up(s);
	s->tried = false;
	s->dead_until_ms = now_ms() + ms;
	if (!s->dead)
		log_warn("RADIUS server %s (%s) does not answer: for %u s others are asked first", s->config->name, s->text,
		         ms / 1000);
	s->dead = true;
}

// Who answers but is not heard is worth a line: a wrong secret looks like this.
static void server_is_odd(struct server *s, const char *why)
{
	s->bad++;
	if (s->bad_logged_ms != 0 && now_ms() - s->bad_logged_ms < BAD_LOG_MS)
		return;
	s->bad_logged_ms = now_ms();
	log_warn("RADIUS server %s (%s): a datagram is not taken for an answer: %s", s->config->name, s->text, why);
}

static bool is_open(const struct radius_exchange *e, const struct server *s)
{
	return s->addr.family != 0 && !(e->asked & 1u << s->number) && (e->only < 0 || e->only == s->number);
}

// The first that is well; or is due to be tried; or, if all are dead, has been dead for the longest.
static struct server *choose(const struct radius_exchange *e)
{
	struct server *s, *last = NULL;

	for (unsigned i = 0; i < e->set->config.n_servers; i++) {
		s = &e->set->server[i];
		if (!is_open(e, s))
			continue;
		if (!s->dead || (!s->tried && s->dead_until_ms <= now_ms()))
			return s;
		if (last == NULL || s->dead_until_ms < last->dead_until_ms)
			last = s;
	}
	return last;
}

// ----------------------------------------------------------------------------------------------------------------- sockets

static void on_readable(evutil_socket_t fd, short what, void *who);

static int open_socket(const struct server *s)
{
	struct sockaddr_storage to, from;
	socklen_t len = addr_to_sockaddr(&s->addr, &to), from_len = addr_to_sockaddr(&s->set->config.bind, &from);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	// connected: the kernel lets through what comes from there alone
	if ((s->set->config.bind.family == s->addr.family && bind(fd, (struct sockaddr *)&from, from_len) < 0) ||
	    connect(fd, (struct sockaddr *)&to, len) < 0) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

static struct port *port_new(struct server *s)
{
	struct port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->server = s;
	p->fd = open_socket(s);
	if (p->fd >= 0)
		p->readable = event_new(client.base, p->fd, EV_READ | EV_PERSIST, on_readable, p);
	if (p->readable == NULL || event_add(p->readable, NULL) < 0 || secret_random(&p->next, 1) < 0) {
		if (p->fd < 0)
			log_warn("RADIUS server %s (%s): no socket to it: %s", s->config->name, s->text, strerror(-p->fd));
		if (p->readable != NULL)
			event_free(p->readable);
		if (p->fd >= 0)
			close(p->fd);
		free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->ports, p, all);
	s->n_ports++;
	return p;
}

static void port_free(struct port *p)
{
	TAILQ_REMOVE(&p->server->ports, p, all);
	p->server->n_ports--;
	event_free(p->readable);
	close(p->fd);
	free(p);
}

static void drop_stale(struct server *s)
{
	struct port *p, *next;

	for (p = TAILQ_FIRST(&s->ports); p != NULL; p = next) {
		next = TAILQ_NEXT(p, all);
		if (p->stale && p->used == 0 && !p->busy)
			port_free(p);
	}
}

// NULL, errno: EAGAIN where all that it may have are full.
static struct port *port_with_room(struct server *s)
{
	struct port *p;

	drop_stale(s);
	TAILQ_FOREACH(p, &s->ports, all)
	if (p->used < IDS && !p->stale)
		return p;
	errno = s->n_ports < PORTS_MAX ? EHOSTUNREACH : EAGAIN;
	return s->n_ports < PORTS_MAX ? port_new(s) : NULL;
}

static void enter_port(struct radius_exchange *e, struct port *p)
{
	while (p->by_id[p->next] != NULL)
		p->next++;
	e->port = p;
	e->id = p->next++;
	p->by_id[e->id] = e;
	p->used++;
	p->server->waiting++;
}

static void leave_port(struct radius_exchange *e)
{
	if (e->port == NULL)
		return;
	e->port->by_id[e->id] = NULL;
	e->port->used--;
	e->port->server->waiting--;
	if (e->trial)
		e->port->server->tried = false;
	e->trial = false;
	e->port = NULL;
}

// ---------------------------------------------------------------------------------------------------------------- exchange

static void forget_bytes(struct radius_exchange *e)
{
	if (e->bytes != NULL)
		secret_wipe(e->bytes, e->len);
	free(e->bytes);
	e->bytes = NULL;
}

static void exchange_free(struct radius_exchange *e)
{
	leave_port(e);
	if (e->timer != NULL)
		event_free(e->timer);
	forget_bytes(e);
	radius_servers_put(e->set);
	free(e);
}

// An error of the one before (nobody listened) would be told instead of sending this one.
static ssize_t send_again(int fd, const uint8_t *bytes, size_t len)
{
	ssize_t n = send(fd, bytes, len, 0);

	return n < 0 && errno == ECONNREFUSED ? send(fd, bytes, len, 0) : n;
}

static void transmit(struct radius_exchange *e)
{
	const uint32_t ms = e->set->config.wait_ms;
	const struct timeval wait = { ms / 1000, ms % 1000 * 1000 };

	// what cannot be sent is like what is lost on its way
	if (send_again(e->port->fd, e->bytes, e->len) < 0)
		log_debug("RADIUS server %s (%s): %s", e->port->server->config->name, e->port->server->text, strerror(errno));
	e->sent_us = now_us();
	e->port->server->requests++;
	evtimer_add(e->timer, &wait);
}

static int build(struct radius_exchange *e, const struct server *s)
{
	struct radius_packet p;
	int ret = e->kind->build(e->who, &p, e->id, s->config->secret);

	if (ret < 0) {
		secret_wipe(&p, sizeof(p));
		return ret;
	}
	forget_bytes(e);
	e->bytes = malloc(p.len);
	if (e->bytes != NULL)
		memcpy(e->bytes, p.bytes, p.len);
	e->len = p.len;
	secret_wipe(&p, sizeof(p));
	return e->bytes != NULL ? 0 : -ENOMEM;
}

static int ask(struct radius_exchange *e, struct server *s)
{
	struct port *p = port_with_room(s);
	int ret = p != NULL ? 0 : -errno;

	e->asked |= 1u << s->number;
	if (ret < 0)
		return ret;
	enter_port(e, p);
	ret = build(e, s);
	if (ret < 0) {
		leave_port(e);
		return ret;
	}
	e->trial = s->dead && !s->tried;
	s->tried = s->tried || e->trial;
	e->tries = 1;
	e->began_ms = now_ms();
	transmit(e);
	return 0;
}

// The next server that takes it.
static int ask_next(struct radius_exchange *e)
{
	struct server *s;
	int ret = -EHOSTUNREACH;

	leave_port(e);
	while ((s = choose(e)) != NULL) {
		ret = ask(e, s);
		if (ret == 0)
			return 0;
	}
	return ret;
}

static void go_on(struct radius_exchange *e)
{
	if (ask_next(e) == 0)
		return;
	e->kind->done(e->who, NULL, 0, -1);
	exchange_free(e);
}

static void on_timer(evutil_socket_t fd, short what, void *who)
{
	struct radius_exchange *e = who;
	struct server *s = e->port->server;

	s->timeouts++;
	// once is enough for one that has answered nobody, where there are others
	if (e->tries <= e->set->config.retries && !((e->trial || s->dead) && choose(e) != NULL)) {
		e->tries++;
		transmit(e);
		return;
	}
	// one that answers others is slow, or dislikes this one
	if (s->heard_ms < e->began_ms)
		server_fails(s);
	go_on(e);
}

int radius_exchange_start(struct radius_servers *s, const struct radius_kind *kind, void *who, int only,
                          struct radius_exchange **out)
{
	struct radius_exchange *e = calloc(1, sizeof(*e));
	int ret;

	if (e == NULL)
		return -ENOMEM;
	e->set = servers_hold(s);
	e->kind = kind;
	e->who = who;
	e->only = only;
	e->timer = evtimer_new(client.base, on_timer, e);
	ret = e->timer != NULL ? ask_next(e) : -ENOMEM;
	if (ret < 0)
		exchange_free(e);
	else
		*out = e;
	return ret;
}

void radius_exchange_cancel(struct radius_exchange *e)
{
	exchange_free(e);
}

// ----------------------------------------------------------------------------------------------------------------- answers

static bool is_expected(const struct radius_servers *s, uint8_t code)
{
	if (s->config.purpose == RADIUS_ACCT)
		return code == RADIUS_ACCOUNTING_RESPONSE;
	return code == RADIUS_ACCESS_ACCEPT || code == RADIUS_ACCESS_REJECT || code == RADIUS_ACCESS_CHALLENGE;
}

static void on_datagram(struct port *p, const uint8_t *bytes, size_t len)
{
	struct server *s = p->server;
	const char *why = radius_check(bytes, &len);
	struct radius_exchange *e = why == NULL ? p->by_id[bytes[1]] : NULL;

	if (why == NULL && e == NULL) { // it comes too late, or once again
		s->late++;
		return;
	}
	if (why == NULL && !is_expected(s->set, bytes[0]))
		why = "its code is none that is expected";
	if (why == NULL)
		why = radius_check_answer(bytes, len, e->bytes, s->config->secret, s->set->need_signed);
	if (why != NULL) {
		server_is_odd(s, why);
		return;
	}
	server_answers(s, e->sent_us);
	leave_port(e);
	e->kind->done(e->who, bytes, len, s->number);
	exchange_free(e);
}

// Nobody listens there. Who has nobody else to ask waits: it may be starting.
static void on_refused(struct port *p)
{
	for (unsigned id = 0; id < IDS; id++) {
		struct radius_exchange *e = p->by_id[id];

		if (e != NULL && choose(e) != NULL && !choose(e)->dead) {
			if (!p->server->dead)
				server_fails(p->server);
			go_on(e);
		}
	}
}

static void on_readable(evutil_socket_t fd, short what, void *who)
{
	uint8_t bytes[RADIUS_MAX + 1];
	struct port *p = who;
	// the end of an exchange may be the end of all that holds them
	struct radius_servers *set = servers_hold(p->server->set);
	ssize_t n;

	p->busy = true;
	for (int i = 0; i < RECEIVE_MOST; i++) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n < 0 && errno == ECONNREFUSED)
			on_refused(p);
		if (n < 0)
			break;
		on_datagram(p, bytes, (size_t)n);
	}
	p->busy = false;
	secret_wipe(bytes, sizeof(bytes));
	radius_servers_put(set);
}

// --------------------------------------------------------------------------------------------------------------------- set

int radius_client_start(struct event_base *base)
{
	const struct timeval again = { .tv_sec = LOOK_AGAIN_SECONDS };

	if (client.base != NULL)
		return 0;
	client.nameless = event_new(base, -1, EV_PERSIST, on_nameless, NULL);
	if (client.nameless == NULL || event_add(client.nameless, &again) < 0)
		return -ENOMEM;
	client.base = base;
	on_nameless(-1, 0, NULL);
	return 0;
}

int radius_client_stop(void)
{
	if (client.nameless != NULL)
		event_free(client.nameless);
	client.nameless = NULL;
	return 0;
}

bool radius_servers_find(const char *name, struct addr *out)
{
	const struct radius_servers *set;

	TAILQ_FOREACH(set, &client.all, next)
	for (unsigned i = 0; i < set->config.n_servers; i++)
		if (set->server[i].addr.family != 0 && strcmp(set->config.server[i].name, name) == 0) {
			*out = set->server[i].addr;
			return true;
		}
	return false;
}

// What another set has found out already holds for a new one.
static void server_place(struct server *s)
{
	const uint16_t port = s->config->addr.port;

	s->addr = s->config->addr;
	if (s->addr.family == 0 && s->config->secret[0] != '\0' && radius_servers_find(s->config->name, &s->addr))
		s->addr.port = port;
	addr_text_port(&s->addr, s->text);
}

static struct radius_servers *servers_new(const struct radius_config *c, bool need_signed)
{
	struct radius_servers *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	set->refs = 1;
	set->need_signed = need_signed;
	memcpy(&set->config, c, sizeof(*c));
	for (unsigned i = 0; i < c->n_servers; i++) {
		struct server *s = &set->server[i];

		s->set = set;
		s->number = (int)i;
		s->config = &set->config.server[i];
		server_place(s);
		TAILQ_INIT(&s->ports);
	}
	TAILQ_INSERT_TAIL(&client.all, set, next);
	on_nameless(-1, 0, NULL);
	return set;
}

struct radius_servers *radius_servers_get(const struct radius_config *c, bool need_signed)
{
	struct radius_servers *set;

	TAILQ_FOREACH(set, &client.all, next)
	if (set->need_signed == need_signed && memcmp(&set->config, c, sizeof(*c)) == 0)
		return servers_hold(set);
	return servers_new(c, need_signed);
}

// No exchange is left: each holds a reference.
void radius_servers_put(struct radius_servers *set)
{
	struct port *p;

	if (set == NULL || --set->refs > 0)
		return;
	for (unsigned i = 0; i < set->config.n_servers; i++) {
		lookup_cancel(set->server[i].lookup);
		while ((p = TAILQ_FIRST(&set->server[i].ports)) != NULL)
			port_free(p);
	}
	TAILQ_REMOVE(&client.all, set, next);
	secret_wipe(set, sizeof(*set));
	free(set);
}

static void describe(const struct server *s, char out[HEALTH_STATE + 1])
{
	const int64_t left = s->dead_until_ms - now_ms();
	int n;

	if (s->addr.family == 0)
		n = snprintf(out, HEALTH_STATE + 1, "%s",
		             s->config->secret[0] != '\0' ? "its address is not known" : "it has no secret");
	else if (s->dead && left > 0)
		n = snprintf(out, HEALTH_STATE + 1, "down, asked again in %lld s", (long long)(left + 999) / 1000);
	else
		n = snprintf(out, HEALTH_STATE + 1, "%s", s->dead ? "down, asked again next" : "up");
	if (s->late > 0 && n >= 0 && n < HEALTH_STATE)
		snprintf(out + n, HEALTH_STATE + 1 - (size_t)n, "; late answers: %llu", (unsigned long long)s->late);
}

static void report(const struct server *s, health_row row, void *who)
{
	struct health h = {
		.kind = HEALTH_SERVER,
		.down = s->dead || s->addr.family == 0,
		.outstanding = s->waiting,
		.room = PORTS_MAX * IDS,
		.asked = s->requests,
		.timeouts = s->timeouts,
		.failures = s->bad,
		.times = s->times,
	};

	text_copy(h.name, HEALTH_NAME, s->addr.family != 0 ? s->text : s->config->name);
	strcpy(h.owner, s->set->config.purpose == RADIUS_AUTH ? "radius" : "radius accounting");
	describe(s, h.state);
	row(who, &h);
}

void radius_servers_report(health_row row, void *who)
{
	const struct radius_servers *set;

	TAILQ_FOREACH(set, &client.all, next)
	for (unsigned i = 0; i < set->config.n_servers; i++)
		report(&set->server[i], row, who);
}

bool radius_servers_any_well(const struct radius_servers *set)
{
	for (unsigned i = 0; i < set->config.n_servers; i++)
		if (set->server[i].addr.family != 0 && !set->server[i].dead)
			return true;
	return false;
}
