#include "secmod/kdc.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/kdchost.h"
#include "secmod/secmod.h"

// A KDC answers within milliseconds. Over UDP it is asked again each time that this has passed.
#define PATIENCE_MS 2000
#define PATIENCES 4
#define EXCHANGES_MAX 256 // each has a descriptor and 16 KiB
#define SHARE_MAX 32      // of them, for the clients at one address, or in one network of IPv6
#define SAY_MS 60000
#define TCP_LENGTH 4 // RFC 4120 7.2.2

struct kdc_exchange {
	LIST_ENTRY(kdc_exchange) next;
	struct conn *conn;
	struct kdchost *host; // NULL: it has an address; its connection's settings hold it
	bool tcp;
	unsigned patience; // left
	int fd;
	struct event *io, *timer;
	size_t len, done; // of the message, the length before it with TCP; sent or received of it
	bool receiving;
	uint8_t message[TCP_LENGTH + LIMIT_KERBEROS];
};

static LIST_HEAD(exchanges, kdc_exchange) exchanges = LIST_HEAD_INITIALIZER(exchanges);
static unsigned n_exchanges;

// --------------------------------------------------------------------------------------------------------- configuration

// What is no address is a name.
static int place(const struct kdcspec *spec, struct kdc *out)
{
	const struct addrinfo hints = { .ai_socktype = spec->tcp ? SOCK_STREAM : SOCK_DGRAM,
		                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found;

	out->port = (uint16_t)strtoul(spec->port, NULL, 10);
	if (getaddrinfo(spec->host, spec->port, &hints, &found) != 0) {
		out->host = kdchost_get(spec->host);
		return out->host != NULL ? 0 : -ENOMEM;
	}
	memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
	out->addr_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

int kdcs_load(struct kdcs *k, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	struct kdcspec spec;
	const char *value, *wrong;

	for (k->n = 0; (value = snapshot_vhost_nth(snap, vhost, "kkdcp", k->n)) != NULL; k->n++) {
		struct kdc *kdc = &k->kdc[k->n];

		if (k->n == LIMIT_KDCS)
			return text_refuse(text, "kkdcp: more than %d are not supported", LIMIT_KDCS);
		wrong = kdcspec_parse(value, &spec);
		if (wrong != NULL)
			return text_refuse(text, "kkdcp %s: %s", value, wrong);
		if (place(&spec, kdc) < 0)
			return text_refuse(text, "kkdcp %s: no memory", value);
		strcpy(kdc->path, spec.path);
		strcpy(kdc->realm, spec.realm);
		kdc->tcp = spec.tcp;
	}
	return 0;
}

void kdcs_unload(struct kdcs *k)
{
	for (unsigned i = 0; i < k->n; i++)
		kdchost_put(k->kdc[i].host);
	k->n = 0;
}

// Where it is now: the length, or 0 where nobody knows.
static socklen_t where(const struct kdc *kdc, struct sockaddr_storage *out)
{
	struct addr a;

	if (kdc->host == NULL) {
		*out = kdc->addr;
		return kdc->addr_len;
	}
	a = kdchost_addr(kdc->host);
	a.port = kdc->port;
	return addr_to_sockaddr(&a, out);
}

// The one that has this realm at this path; any at this path for a client that names none.
static const struct kdc *find(const struct kdcs *k, const char *path, const char *realm)
{
	for (unsigned i = 0; i < k->n; i++)
		if (strcmp(k->kdc[i].path, path) == 0 && (realm[0] == '\0' || strcmp(k->kdc[i].realm, realm) == 0))
			return &k->kdc[i];
	return NULL;
}

// -------------------------------------------------------------------------------------------------------------- exchange

static void reply(struct conn *conn, const uint8_t *message, size_t len)
{
	struct msg_kdc_rep m = { .message_len = (uint16_t)len };

	if (len > 0)
		memcpy(m.message, message, len);
	if (CHAN_SEND(&conn->chan, KDC_REP, &m) < 0)
		conn_break(conn);
	secret_wipe(m.message, len);
}

static void exchange_free(struct kdc_exchange *x)
{
	x->conn->kdc = NULL;
	LIST_REMOVE(x, next);
	n_exchanges--;
	if (x->io != NULL)
		event_free(x->io);
	if (x->timer != NULL)
		event_free(x->timer);
	if (x->fd >= 0)
		close(x->fd);
	secret_wipe(x->message, sizeof(x->message));
	free(x);
}

// Anybody can ask, and what fails can be what he asks: the log does not grow with it.
static void say(const struct conn *conn, const char *why)
{
	static int64_t said_ms;
	static unsigned unsaid;
	const int64_t now = monotonic_ms();

	unsaid++;
	if (said_ms != 0 && now - said_ms < SAY_MS)
		return;
	log_warn("%s: kkdcp: %s (%u since the last such line)", conn->chan.name, why, unsaid);
	said_ms = now;
	unsaid = 0;
}

static void fail(struct kdc_exchange *x, const char *why)
{
	struct conn *conn = x->conn;

	say(conn, why);
	if (x->host != NULL)
		kdchost_doubt(x->host);
	exchange_free(x);
	reply(conn, NULL, 0);
}

static void succeed(struct kdc_exchange *x, const uint8_t *answer, size_t len)
{
	reply(x->conn, answer, len);
	exchange_free(x);
}

static void wait_for(struct kdc_exchange *x, short what)
{
	event_del(x->io);
	event_assign(x->io, x->conn->sm->base, x->fd, what | EV_PERSIST, event_get_callback(x->io), x);
	event_add(x->io, NULL);
}

static void on_writable(struct kdc_exchange *x)
{
	const ssize_t n = send(x->fd, x->message + x->done, x->len - x->done, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			fail(x, strerror(errno));
		return;
	}
	x->done += (size_t)n;
	if (x->done < x->len)
		return;
	x->receiving = true;
	x->done = 0;
	wait_for(x, EV_READ);
}

// The request stays where it is, to be sent again; the answer is somebody else's until the kernel has said whose.
static void on_datagram(struct kdc_exchange *x)
{
	uint8_t answer[LIMIT_KERBEROS];
	const ssize_t n = recv(x->fd, answer, sizeof(answer), MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (size_t)n > sizeof(answer)) {
		fail(x, n < 0 ? strerror(errno) : "the KDC's answer is larger than fits");
		return;
	}
	succeed(x, answer, (size_t)n);
	secret_wipe(answer, (size_t)n);
}

static void on_stream(struct kdc_exchange *x)
{
	const uint8_t *m = x->message;
	const ssize_t n = recv(x->fd, x->message + x->done, sizeof(x->message) - x->done, 0);
	uint32_t len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(x, n < 0 ? strerror(errno) : "the KDC has hung up");
		return;
	}
	x->done += (size_t)n;
	if (x->done < TCP_LENGTH)
		return;
	len = (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
	if (len == 0 || len > LIMIT_KERBEROS)
		fail(x, "the KDC's answer is larger than fits");
	else if (x->done >= TCP_LENGTH + len)
		succeed(x, x->message + TCP_LENGTH, len);
}

static void on_ready(evutil_socket_t fd, short what, void *who)
{
	struct kdc_exchange *x = who;

	if (!x->receiving)
		on_writable(x);
	else if (x->tcp)
		on_stream(x);
	else
		on_datagram(x);
}

static void on_patience(evutil_socket_t fd, short what, void *who)
{
	struct kdc_exchange *x = who;

	if (--x->patience == 0) {
		fail(x, "the KDC does not answer");
		return;
	}
	if (!x->tcp && x->receiving && send(x->fd, x->message, x->len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		fail(x, strerror(errno));
}

static int open_exchange(struct kdc_exchange *x, const struct sockaddr_storage *to, socklen_t len)
{
	const struct timeval every = { PATIENCE_MS / 1000, PATIENCE_MS % 1000 * 1000 };
	struct event_base *base = x->conn->sm->base;

	x->fd = socket(to->ss_family, (x->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (x->fd < 0 || (connect(x->fd, (const struct sockaddr *)to, len) < 0 && errno != EINPROGRESS))
		return -errno;
	x->io = event_new(base, x->fd, EV_WRITE | EV_PERSIST, on_ready, x);
	x->timer = event_new(base, -1, EV_PERSIST, on_patience, x);
	if (x->io == NULL || x->timer == NULL || event_add(x->io, NULL) < 0 || event_add(x->timer, &every) < 0)
		return -ENOMEM;
	return 0;
}

static bool has_share(const struct conn *conn)
{
	struct addr around = conn->client;
	const struct kdc_exchange *x;
	unsigned n = 0;

	around.prefix = around.family == 6 ? 64 : 32;
	addr_mask(&around);
	LIST_FOREACH(x, &exchanges, next)
	n += addr_in(&x->conn->client, &around);
	return n < SHARE_MAX;
}

static struct kdc_exchange *exchange_new(struct conn *conn, const struct kdc *kdc, const struct msg_kdc_req *m)
{
	struct kdc_exchange *x = n_exchanges < EXCHANGES_MAX && has_share(conn) ? calloc(1, sizeof(*x)) : NULL;
	uint8_t *p;

	if (x == NULL)
		return NULL;
	LIST_INSERT_HEAD(&exchanges, x, next);
	n_exchanges++;
	conn->kdc = x;
	x->conn = conn;
	x->host = kdc->host;
	x->tcp = kdc->tcp;
	x->patience = PATIENCES;
	x->fd = -1;
	p = x->message;
	for (int shift = 24; kdc->tcp && shift >= 0; shift -= 8)
		*p++ = (uint8_t)(m->message_len >> shift);
	memcpy(p, m->message, m->message_len);
	x->len = (size_t)(p - x->message) + m->message_len;
	return x;
}

// What a client may have of a KDC is the same as on its network: nothing in it is secret to whoever can ask, and passwords can be
// guessed by it. So each use is told to main, which counts it.
static void report(const struct conn *conn)
{
	const struct msg_kdc_used m = { .conn = conn->id, .client = conn->client };

	to_main(conn->sm, MSG_KDC_USED, &m);
}

int kdc_ask(struct conn *conn, const struct msg_kdc_req *m)
{
	const struct kdc *kdc = find(&conn->settings->vhosts[conn->vhost].kdcs, m->path, m->realm);
	struct sockaddr_storage to;
	struct kdc_exchange *x;
	socklen_t len;
	int ret;

	if (conn->kdc != NULL)
		return errno_log(EPROTO, "%s: KDC_REQ while one is not answered", conn->chan.name);
	report(conn);
	x = kdc != NULL ? exchange_new(conn, kdc, m) : NULL;
	if (x == NULL) {
		log_info("%s: kkdcp: %s", conn->chan.name, kdc != NULL ? "too many at once" : "no KDC for that realm here");
		reply(conn, NULL, 0);
		return 0;
	}
	len = where(kdc, &to);
	ret = len > 0 ? open_exchange(x, &to, len) : 0;
	if (len == 0)
		fail(x, "the KDC's address is not known");
	else if (ret < 0)
		fail(x, strerror(-ret));
	return 0;
}

void kdc_drop(struct conn *conn)
{
	if (conn->kdc != NULL)
		exchange_free(conn->kdc);
}
