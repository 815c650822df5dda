#include "secmod/coa.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/account.h"
#include "secmod/coa_inside.h"
#include "secmod/coa_request.h"
#include "secmod/radius_client.h"
#include "secmod/secmod.h"

#define READ_MOST 16    // datagrams a turn
#define ORDERS_MAX 1024 // that are remembered: more within their time are not served
#define MEMORY_LEAST_MS 60000
#define SAY_MS 60000

// A request that was let in: what became of it, so that the same one is not done again.
struct order {
	TAILQ_ENTRY(order) next; // the oldest first
	struct addr from;
	uint8_t head[RADIUS_HEADER]; // with the authenticator: it tells requests apart
	uint32_t timestamp;          // its Event-Timestamp; 0: none
	int64_t since_ms;
	bool disconnect;
	uint32_t token;
	unsigned waiting; // sessions that main has not answered for
	unsigned done;    // sessions that were changed
	enum coa_cause cause;
	char secret[RADIUS_SECRET_MAX + 1]; // until it is answered
	struct radius_attributes *repeat;   // likewise
	uint8_t *answer;                    // NULL: not yet
	size_t answer_len;
};

struct coa {
	struct secmod *sm;
	const struct coa_config *config;
	struct addr bound;
	int fd; // -1: nobody may send
	struct event *readable;
	TAILQ_HEAD(orders, order) orders;
	unsigned n_orders;
	uint32_t last_token;
	uint32_t forgotten; // the last Event-Timestamp of those that are not remembered any more
	int64_t said_ms;
	uint64_t unsaid;
};

// ----------------------------------------------------------------------------------------------------------------- orders

static void forget_secret(struct order *o)
{
	secret_wipe(o->secret, sizeof(o->secret));
	free(o->repeat);
	o->repeat = NULL;
}

static void order_free(struct coa *c, struct order *o)
{
	TAILQ_REMOVE(&c->orders, o, next);
	c->n_orders--;
	forget_secret(o);
	free(o->answer);
	free(o);
}

// After that its Event-Timestamp is too old for it to come again, also where that was as far ahead as it may be. Its last second
// is good until it has passed.
static int64_t memory_ms(const struct coa *c)
{
	int64_t window_ms = 2000 * (int64_t)c->config->window + 1000;

	return window_ms > MEMORY_LEAST_MS ? window_ms : MEMORY_LEAST_MS;
}

static void forget_old(struct coa *c)
{
	int64_t now = monotonic_ms();
	struct order *o;

	while ((o = TAILQ_FIRST(&c->orders)) && now - o->since_ms > memory_ms(c)) {
		if (o->timestamp > c->forgotten)
			c->forgotten = o->timestamp;
		order_free(c, o);
	}
}

// Wherever it comes from: whoever repeats another's request from elsewhere has no part in it.
static struct order *order_find(struct coa *c, const uint8_t *head)
{
	struct order *o;

	TAILQ_FOREACH(o, &c->orders, next)
	if (memcmp(o->head, head, RADIUS_HEADER) == 0)
		return o;
	return NULL;
}

static struct order *order_of_token(struct coa *c, uint32_t token)
{
	struct order *o;

	TAILQ_FOREACH(o, &c->orders, next)
	if (o->token == token && !o->answer)
		return o;
	return NULL;
}

static struct order *order_new(struct coa *c, const struct addr *from, const uint8_t *bytes, size_t len, const char *secret)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->repeat = calloc(1, sizeof(*o->repeat));
	if (!o->repeat) {
		free(o);
		return NULL;
	}
	coa_request_repeat(bytes, len, o->repeat);
	o->from = *from;
	memcpy(o->head, bytes, RADIUS_HEADER);
	o->disconnect = bytes[0] == RADIUS_DISCONNECT_REQUEST;
	o->since_ms = monotonic_ms();
	o->token = ++c->last_token;
	text_copy(o->secret, RADIUS_SECRET_MAX, secret);
	TAILQ_INSERT_TAIL(&c->orders, o, next);
	c->n_orders++;
	return o;
}

// ---------------------------------------------------------------------------------------------------------------- answers

static void send_answer(const struct coa *c, const struct order *o)
{
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(&o->from, &to);

	// what the network does not take now is asked for again
	if (c->fd >= 0)
		sendto(c->fd, o->answer, o->answer_len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to, len);
}

static void answer(struct coa *c, struct order *o)
{
	bool ok = o->cause == COA_FINE;
	uint8_t code = o->disconnect ? ok ? RADIUS_DISCONNECT_ACK : RADIUS_DISCONNECT_NAK : ok ? RADIUS_COA_ACK : RADIUS_COA_NAK;
	struct radius_packet p;
	char from[ADDR_TEXT];

	if (!ok)
		radius_add_number(o->repeat, RADIUS_ERROR_CAUSE, o->cause);
	log_info("%s from %s: %s, %u sessions (error cause %d)", o->disconnect ? "Disconnect-Request" : "CoA-Request",
	         addr_text(&o->from, from), ok ? "done" : "refused", o->done, o->cause);
	if (radius_build_answer(&p, code, o->head, o->repeat, o->secret) < 0)
		return;
	forget_secret(o);
	o->answer = malloc(p.len);
	if (!o->answer)
		return;
	memcpy(o->answer, p.bytes, p.len);
	o->answer_len = p.len;
	send_answer(c, o);
}

static enum coa_cause cause_of(uint8_t result)
{
	static const enum coa_cause causes[] = {
		[CHANGE_DONE] = COA_FINE,         [CHANGE_NO_SESSION] = COA_NO_SESSION, [CHANGE_NO_FILTER] = COA_INVALID_VALUE,
		[CHANGE_BUSY] = COA_NO_RESOURCES, [CHANGE_FAILED] = COA_NO_RESOURCES,
	};

	return causes[result];
}

void coa_changed(struct coa *c, const struct msg_session_changed *m)
{
	struct order *o = order_of_token(c, m->token);

	if (!o || o->waiting == 0)
		return;
	o->waiting--;
	if (m->result == CHANGE_DONE)
		o->done++;
	else
		o->cause = cause_of(m->result);
	if (o->waiting > 0)
		return;
	// one of several that has ended by itself is as good as ended
	if (o->disconnect && o->done > 0)
		o->cause = COA_FINE;
	answer(c, o);
}

// --------------------------------------------------------------------------------------------------------------- sessions

static bool matches(const struct account *a, const struct coa_request *r)
{
	char caller[ADDR_TEXT];

	return (!r->by_id || strcmp(a->acct_id, r->acct_id) == 0) && (!r->by_user || strcmp(a->user, r->user) == 0) &&
	       (!r->by_ipv4 || addr_equal(&a->ipv4, &r->ipv4)) && (!r->by_ipv6 || addr_equal(&a->ipv6, &r->ipv6)) &&
	       (!r->by_caller || strcmp(addr_text(&a->client, caller), r->caller) == 0) && (!r->by_port || a->id == r->port);
}

static bool is_our_address(const struct coa *c, const struct account *a, const struct addr *nas)
{
	if (!nas->family || addr_equal(nas, &a->local) || addr_equal(nas, &c->config->listen))
		return true;
	for (unsigned i = 0; i < c->config->n_nas; i++)
		if (addr_equal(nas, &c->config->nas[i].ip))
			return true;
	return false;
}

static bool is_our_identifier(const struct coa *c, const char *identifier)
{
	for (unsigned i = 0; i < c->config->n_nas; i++)
		if (strcmp(identifier, c->config->nas[i].identifier) == 0)
			return true;
	return identifier[0] == '\0';
}

static bool is_for_us(const struct coa *c, const struct account *a, const struct coa_request *r)
{
	return is_our_address(c, a, &r->nas4) && is_our_address(c, a, &r->nas6) && is_our_identifier(c, r->nas_identifier);
}

static void tell_main(struct coa *c, struct order *o, const struct account *a, const struct coa_request *r)
{
	struct msg_session_change m = {
		.token = o->token,
		.sid_len = SID_SIZE,
		.end = r->disconnect,
		.what = r->what,
		.rx_rate = r->rx_rate,
		.tx_rate = r->tx_rate,
		.session_timeout = r->session_timeout,
		.idle_timeout = r->idle_timeout,
	};

	memcpy(m.sid, a->sid, SID_SIZE);
	strcpy(m.filter, r->filter);
	o->waiting++;
	to_main(c->sm, MSG_SESSION_CHANGE, &m);
}

// All that match are disconnected; a change is for one, since half of it could not be taken back.
static void carry_out(struct coa *c, struct order *o, const struct coa_request *r)
{
	const struct account *a = NULL;
	unsigned n = 0, others = 0;

	while ((a = account_next(c->sm->accounts, a))) {
		if (!matches(a, r))
			continue;
		if (is_for_us(c, a, r))
			n++;
		else
			others++;
	}
	if (n == 0)
		o->cause = others ? COA_NAS_MISMATCH : COA_NO_SESSION;
	else if (n > 1 && !r->disconnect)
		o->cause = COA_MANY_SESSIONS;
	if (o->cause != COA_FINE) {
		answer(c, o);
		return;
	}
	while ((a = account_next(c->sm->accounts, a)))
		if (matches(a, r) && is_for_us(c, a, r))
			tell_main(c, o, a, r);
}

// --------------------------------------------------------------------------------------------------------------- requests

// Anybody can send us datagrams: the log does not grow with them.
static void refuse(struct coa *c, const struct addr *from, const char *why)
{
	int64_t now = monotonic_ms();
	char text[ADDR_TEXT];

	c->unsaid++;
	if (c->said_ms && now - c->said_ms < SAY_MS)
		return;
	log_warn("coa-listen: a packet from %s is dropped: %s (%llu since the last such line)", addr_text(from, text), why,
	         (unsigned long long)c->unsaid);
	c->said_ms = now;
	c->unsaid = 0;
}

static bool is_from(const struct coa_client *client, const struct addr *from)
{
	struct addr now;

	if (client->name[0] == '\0')
		return addr_in(from, &client->network);
	return radius_servers_find(client->name, &now) && addr_equal(from, &now);
}

// The secret of a client that has signed it, or NULL.
static const char *secret_of(const struct coa *c, const struct addr *from, const uint8_t *bytes, size_t len, const char **why)
{
	*why = "nobody there may send";
	for (unsigned i = 0; i < c->config->n_clients; i++) {
		const struct coa_client *client = &c->config->client[i];

		if (!is_from(client, from))
			continue;
		*why = radius_check_request(bytes, len, client->secret);
		if (!*why)
			return client->secret;
	}
	return NULL;
}

static bool is_timely(const struct coa *c, uint32_t timestamp)
{
	int64_t age = (int64_t)time(NULL) - timestamp, window = c->config->window;

	return window == 0 || timestamp == 0 || (age <= window && age >= -window);
}

// Nobody remembers what was done before. When that was is said by the clock of today: it may have been set since.
static bool is_ours(const struct coa *c, uint32_t timestamp)
{
	struct timespec ts;
	int64_t started;

	clock_gettime(CLOCK_REALTIME, &ts);
	started = ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 - (monotonic_ms() - c->sm->started_ms)) / 1000;
	return c->config->window == 0 || timestamp == 0 || timestamp >= started;
}

// A clock that goes back makes old requests timely again.
static bool is_forgotten(const struct coa *c, uint32_t timestamp)
{
	return c->config->window != 0 && timestamp != 0 && timestamp <= c->forgotten;
}

static void serve(struct coa *c, const struct addr *from, const uint8_t *bytes, size_t len)
{
	struct coa_request r;
	enum coa_cause cause;
	const char *why = radius_check(bytes, &len), *secret;
	struct order *o;

	if (!why && bytes[0] != RADIUS_DISCONNECT_REQUEST && bytes[0] != RADIUS_COA_REQUEST)
		why = "neither a Disconnect- nor a CoA-Request";
	secret = why ? NULL : secret_of(c, from, bytes, len, &why);
	if (!secret) {
		refuse(c, from, why);
		return;
	}
	forget_old(c);
	o = order_find(c, bytes);
	if (o) {
		if (o->answer)
			send_answer(c, o);
		return;
	}
	cause = coa_request_read(bytes, len, &r);
	if (!is_timely(c, r.timestamp)) {
		refuse(c, from, "its Event-Timestamp is not of this time");
		return;
	}
	if (!is_ours(c, r.timestamp)) {
		refuse(c, from, "its Event-Timestamp is before sec-mod's start, so that it may have been done already");
		return;
	}
	if (is_forgotten(c, r.timestamp)) {
		refuse(c, from, "its Event-Timestamp is that of one that was done long ago: was the clock set back?");
		return;
	}
	if (cause == COA_FINE && c->config->window && !r.timestamp)
		cause = COA_MISSING_ATTRIBUTE;
	o = c->n_orders < ORDERS_MAX ? order_new(c, from, bytes, len, secret) : NULL;
	if (!o) {
		refuse(c, from, "there are too many at once");
		return;
	}
	o->cause = cause;
	o->timestamp = r.timestamp;
	if (cause == COA_FINE)
		carry_out(c, o, &r);
	else
		answer(c, o);
}

static void on_readable(evutil_socket_t fd, short what, void *who)
{
	struct coa *c = who;
	uint8_t bytes[RADIUS_MAX];
	struct sockaddr_storage sa;
	struct addr from;
	socklen_t sa_len;
	ssize_t n;

	for (int i = 0; i < READ_MOST; i++) {
		sa_len = sizeof(sa);
		n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&sa, &sa_len);
		if (n < 0)
			return;
		addr_from_sockaddr((struct sockaddr *)&sa, &from);
		serve(c, &from, bytes, (size_t)n);
	}
}

// ------------------------------------------------------------------------------------------------------------------- life

struct coa *coa_new(struct secmod *sm)
{
	struct coa *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sm = sm;
	c->fd = -1;
	TAILQ_INIT(&c->orders);
	return c;
}

static void stop_listening(struct coa *c)
{
	if (c->readable)
		event_free(c->readable);
	if (c->fd >= 0)
		close(c->fd);
	c->readable = NULL;
	c->fd = -1;
}

void coa_free(struct coa *c)
{
	if (!c)
		return;
	stop_listening(c);
	while (!TAILQ_EMPTY(&c->orders))
		order_free(c, TAILQ_FIRST(&c->orders));
	free(c);
}

static int open_socket(const struct addr *where)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(where, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, ret;

	if (fd < 0)
		return -errno;
	if (where->family == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

int coa_listen(struct coa *c, const struct coa_config *config, char text[LIMIT_TEXT + 1])
{
	bool same = config && c->fd >= 0 && addr_equal(&config->listen, &c->bound) && config->listen.port == c->bound.port;
	char where[ADDR_TEXT];
	int fd;

	if (!config || !same)
		stop_listening(c);
	c->config = config;
	if (!config || same)
		return 0;
	fd = open_socket(&config->listen);
	if (fd < 0) {
		text_format(text, "coa-listen %s: %s", addr_text_port(&config->listen, where), strerror(-fd));
		return fd;
	}
	c->fd = fd;
	c->bound = config->listen;
	c->readable = event_new(c->sm->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	if (c->readable && event_add(c->readable, NULL) == 0) {
		log_info("RADIUS orders are taken at %s from %u clients", addr_text_port(&config->listen, where),
		         config->n_clients);
		return 0;
	}
	stop_listening(c);
	text_format(text, "coa-listen: no memory");
	return -ENOMEM;
}
