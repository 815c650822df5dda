// A storm of logins on any OpenConnect-compatible server, all out of one process: TLS, openconnect's XML login, and, as wanted,
// CONNECT and DTLS with the key of PSK-NEGOTIATE.
//
//   worker_storm [OPTION...] HOST PORT USER PASSWORD
//     -n N    logins (100)                     -p N    of them at once (all)
//     -c      go on to CONNECT                 -d      and to DTLS, until it has answered a DPD
//     -r      CONNECT on a new connection that offers the TLS session of the login
//     -k      keep the sessions, say "open", and go when standard input ends
//     -s PID  the server's main process: its CPU time, and that of all its descendants
//     -t S    patience in all (60)             -j      JSON
//
// Times: of a login, from connect() to the cookie; from there to the answer to CONNECT; from there to that of DPD. CPU time is
// counted until all have what they wanted and, without CONNECT, the processes that served them have gone. The status is 1 if
// anything failed.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "server_cpu.h"

#define APP_ID 32
#define APP_ID_EXTENSION 48018
#define REPLY_ROOM 16384
#define TICK_MS 50
#define DTLS_FIRST_MS 400 // as GnuTLS does it
#define CSTP_HEADER 8
#define DPD_REQUEST 3
#define DPD_RESPONSE 4
#define DISCONNECT 5
#define AGENT "Open AnyConnect VPN Agent v9.01"

static struct {
	struct sockaddr_in server;
	const char *host, *user, *password;
	unsigned logins, at_once;
	bool connect, dtls, reconnect, keep, json;
	int server_pid;
	double patience;
} want = { .logins = 100, .patience = 60 };

enum stage { TCP, TLS, INIT, USER, PASSWORD, TCP_AGAIN, TLS_AGAIN, TUNNEL, DTLS, DPD, SETTLED, FAILED };
static const char *const stages[] = { "connecting",       "TLS",        "init",    "user", "password",
	                              "connecting again", "TLS, again", "CONNECT", "DTLS", "DPD" };

struct session {
	enum stage stage;
	int fd;
	SSL *tls, *dtls;
	SSL_SESSION *first; // of the login's connection
	char request[4096], *reply;
	size_t request_len, reply_len;
	bool sent, resumed;
	char cookie[1024];
	uint8_t app_id[APP_ID], psk[32];
	double began, in, connected, ended, asked;
};

static struct session *sessions;
static unsigned started, settled, failed;
static SSL_CTX *tls_ctx, *dtls_ctx;
static int loop;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

// 1: it is done; 0: it waits; -1: it has failed.
static int outcome(SSL *ssl, int n)
{
	int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, n);

	if (n > 0)
		return 1;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

// ----------------------------------------------------------------------------------------------------------------- TLS

static int watch(struct session *s, int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s };

	return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
}

static int tcp_begin(struct session *s)
{
	const int on = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -1;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, (struct sockaddr *)&want.server, sizeof(want.server)) < 0 && errno != EINPROGRESS)
		return -1;
	return watch(s, s->fd);
}

static int tcp_step(struct session *s)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_state == TCP_CLOSE)
		return -1;
	if (info.tcpi_state != TCP_ESTABLISHED && info.tcpi_state != TCP_CLOSE_WAIT)
		return 0;
	s->tls = SSL_new(tls_ctx);
	if (!s->tls || SSL_set_fd(s->tls, s->fd) != 1)
		return -1;
	SSL_set_app_data(s->tls, s);
	if (s->first)
		SSL_set_session(s->tls, s->first);
	return 1;
}

static int tls_step(struct session *s)
{
	int ret = outcome(s->tls, SSL_connect(s->tls));

	if (ret > 0)
		s->resumed = SSL_session_reused(s->tls);
	return ret;
}

static int on_new_session(SSL *ssl, SSL_SESSION *fresh)
{
	struct session *s = SSL_get_app_data(ssl);

	if (s->stage >= TCP_AGAIN)
		return 0;
	SSL_SESSION_free(s->first);
	s->first = fresh;
	return 1; // it is ours
}

static void tls_end(struct session *s)
{
	if (s->tls)
		SSL_set_shutdown(s->tls, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); // or OpenSSL would not resume its session
	SSL_free(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	s->tls = NULL;
	s->fd = -1;
}

// ---------------------------------------------------------------------------------------------------------------- HTTP

static void ask(struct session *s, const char *path, const char *type, const char *what)
{
	char body[2048];
	int len;

	snprintf(body, sizeof(body),
	         "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config-auth client=\"vpn\" type=\"%s\"><version "
	         "who=\"vpn\">v9.01</version>"
	         "<device-id>linux-64</device-id>%s</config-auth>\n",
	         type, what);
	len = snprintf(s->request, sizeof(s->request),
	               "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: " AGENT
	               "\r\nX-Transcend-Version: 1\r\nX-Aggregate-Auth: 1\r\nAccept: */*\r\n"
	               "Content-Type: application/xml; charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s",
	               path, want.host, strlen(body), body);
	s->request_len = (size_t)len;
	s->reply_len = 0;
	s->sent = false;
}

static void ask_init(struct session *s)
{
	char what[256];

	snprintf(what, sizeof(what), "<group-access>https://%s</group-access>", want.host);
	ask(s, "/", "init", what);
}

static void ask_login(struct session *s, const char *field, const char *value)
{
	char what[512];

	snprintf(what, sizeof(what), "<auth><%s>%s</%s></auth>", field, value, field);
	ask(s, "/auth", "auth-reply", what);
}

static void ask_tunnel(struct session *s)
{
	int len = snprintf(s->request, sizeof(s->request),
	                   "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: %s\r\nUser-Agent: " AGENT "\r\nCookie: webvpn=%s\r\n"
	                   "X-CSTP-Version: 1\r\nX-CSTP-Hostname: storm\r\nX-CSTP-Base-MTU: 1500\r\nX-CSTP-MTU: 1400\r\n"
	                   "X-CSTP-Address-Type: IPv4\r\n%s\r\n",
	                   want.host, s->cookie,
	                   want.dtls ? "X-DTLS12-CipherSuite: PSK-NEGOTIATE\r\nX-DTLS-CipherSuite: PSK-NEGOTIATE\r\n" : "");

	s->request_len = (size_t)len;
	s->reply_len = 0;
	s->sent = false;
}

static bool reply_is_whole(const struct session *s)
{
	const char *end = strstr(s->reply, "\r\n\r\n"), *length = strcasestr(s->reply, "\r\nContent-Length:");
	size_t body = length && end && length < end ? strtoul(length + 17, NULL, 10) : 0;

	return end && s->reply_len >= (size_t)(end + 4 - s->reply) + body;
}

// The request goes, its answer comes.
static int exchange(struct session *s)
{
	int n, ret;

	if (!s->sent) {
		ret = outcome(s->tls, SSL_write(s->tls, s->request, (int)s->request_len));
		if (ret <= 0)
			return ret;
		s->sent = true;
	}
	do {
		n = SSL_read(s->tls, s->reply + s->reply_len, (int)(REPLY_ROOM - 1 - s->reply_len));
		ret = outcome(s->tls, n);
		if (ret <= 0)
			return ret;
		s->reply_len += (size_t)n;
		s->reply[s->reply_len] = 0;
	} while (!reply_is_whole(s) && s->reply_len < REPLY_ROOM - 1);
	return strncmp(s->reply, "HTTP/1.1 200", 12) == 0 ? 1 : -1;
}

static int take_cookie(struct session *s)
{
	const char *at = strstr(s->reply, "webvpn=");
	size_t len = at ? strcspn(at + 7, ";\r\n") : 0;

	if (len == 0 || len >= sizeof(s->cookie) || !strstr(s->reply, "success"))
		return -1;
	memcpy(s->cookie, at + 7, len);
	s->cookie[len] = 0;
	s->in = now();
	return 1;
}

// ---------------------------------------------------------------------------------------------------------------- DTLS

static int take_app_id(struct session *s)
{
	const char *at = strcasestr(s->reply, "\r\nX-DTLS-App-ID:");
	size_t i;

	if (!at)
		return -1;
	at += 16 + strspn(at + 16, " ");
	for (i = 0; i < APP_ID; i++)
		if (sscanf(at + 2 * i, "%2hhx", &s->app_id[i]) != 1)
			return -1;
	return SSL_export_keying_material(s->tls, s->psk, sizeof(s->psk), "EXPORTER-openconnect-psk", 24, NULL, 0, 0) == 1 ? 1 : -1;
}

static unsigned int psk_client(SSL *ssl, const char *hint, char *identity, unsigned int room, unsigned char *psk,
                               unsigned int psk_room)
{
	const struct session *s = SSL_get_app_data(ssl);

	snprintf(identity, room, "psk");
	memcpy(psk, s->psk, sizeof(s->psk));
	return sizeof(s->psk);
}

static int add_app_id(SSL *ssl, unsigned int type, const unsigned char **out, size_t *len, int *alert, void *arg)
{
	static unsigned char body[1 + APP_ID] = { APP_ID };

	memcpy(body + 1, ((struct session *)SSL_get_app_data(ssl))->app_id, APP_ID);
	*out = body;
	*len = sizeof(body);
	return 1;
}

static unsigned int dtls_timeout(SSL *ssl, unsigned int last_us)
{
	return last_us ? last_us * 2 : DTLS_FIRST_MS * 1000;
}

static int dtls_begin(struct session *s)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	BIO *bio;

	if (fd < 0 || connect(fd, (struct sockaddr *)&want.server, sizeof(want.server)) < 0)
		return -1;
	bio = BIO_new_dgram(fd, BIO_CLOSE);
	s->dtls = SSL_new(dtls_ctx);
	if (!bio || !s->dtls)
		return -1;
	BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &want.server);
	SSL_set_bio(s->dtls, bio, bio);
	SSL_set_app_data(s->dtls, s);
	SSL_set_mtu(s->dtls, 1300);
	DTLS_set_timer_cb(s->dtls, dtls_timeout);
	return watch(s, fd);
}

static int ask_dpd(struct session *s)
{
	const uint8_t packet = DPD_REQUEST;

	s->asked = now();
	return outcome(s->dtls, SSL_write(s->dtls, &packet, 1));
}

static int await_dpd(struct session *s)
{
	uint8_t packet[2048];
	int ret;

	do
		ret = outcome(s->dtls, SSL_read(s->dtls, packet, sizeof(packet)));
	while (ret > 0 && packet[0] != DPD_RESPONSE);
	return ret;
}

// What was lost is said again.
static void dtls_tick(struct session *s)
{
	if (s->stage == DTLS)
		DTLSv1_handle_timeout(s->dtls);
	else if (s->stage == DPD && now() - s->asked > DTLS_FIRST_MS / 1e3)
		ask_dpd(s);
}

// -------------------------------------------------------------------------------------------------------------- stages

static int work(struct session *s)
{
	switch (s->stage) {
	case TCP:
	case TCP_AGAIN:
		return tcp_step(s);
	case TLS:
	case TLS_AGAIN:
		return tls_step(s);
	case DTLS:
		return outcome(s->dtls, SSL_connect(s->dtls));
	case DPD:
		return await_dpd(s);
	default:
		return exchange(s);
	}
}

static int after_login(struct session *s)
{
	if (take_cookie(s) < 0)
		return -1;
	if (!want.connect) {
		s->stage = SETTLED;
		return 1;
	}
	s->stage = TUNNEL;
	if (!want.reconnect) {
		ask_tunnel(s);
		return 1;
	}
	s->stage = TCP_AGAIN;
	tls_end(s);
	return tcp_begin(s) < 0 ? -1 : 1;
}

static int after_connect(struct session *s)
{
	s->connected = now();
	if (!want.dtls) {
		s->stage = SETTLED;
		return 1;
	}
	s->stage = DTLS;
	return take_app_id(s) < 0 || dtls_begin(s) < 0 ? -1 : 1;
}

static int go_on(struct session *s)
{
	switch (s->stage) {
	case TLS:
		ask_init(s);
		break;
	case INIT:
		ask_login(s, "username", want.user);
		break;
	case USER:
		ask_login(s, "password", want.password);
		break;
	case PASSWORD:
		return after_login(s);
	case TLS_AGAIN:
		ask_tunnel(s);
		break;
	case TUNNEL:
		return after_connect(s);
	case DTLS:
		s->stage = DPD;
		return ask_dpd(s);
	default:
		break;
	}
	s->stage++;
	return 1;
}

static void fail(struct session *s)
{
	unsigned long why = ERR_peek_last_error();

	if (failed++ < 5)
		fprintf(stderr, "login %td failed: %s: %s%s%.60s\n", s - sessions, stages[s->stage],
		        why ? ERR_reason_error_string(why) : "", s->reply_len ? " after " : "", s->reply_len ? s->reply : "");
	s->stage = FAILED;
}

static void step(struct session *s)
{
	int ret = 1;

	while (ret > 0 && s->stage < SETTLED) {
		ERR_clear_error();
		ret = work(s);
		if (ret > 0)
			ret = go_on(s);
	}
	if (ret < 0)
		fail(s);
	if (s->stage < SETTLED)
		return;
	s->ended = now();
	settled++;
	free(s->reply);
	s->reply = NULL;
	if (s->stage == FAILED || !want.connect)
		tls_end(s);
}

static void begin(struct session *s)
{
	s->began = now();
	s->reply = malloc(REPLY_ROOM);
	if (!s->reply || tcp_begin(s) < 0) {
		settled++;
		fail(s);
	}
}

// A client that says goodbye is not waited for.
static void leave(struct session *s)
{
	static const uint8_t bye[CSTP_HEADER + 1] = { 'S', 'T', 'F', 1, 0, 1, DISCONNECT, 0, 0xb0 };

	if (s->tls && s->stage == SETTLED)
		SSL_write(s->tls, bye, sizeof(bye));
	SSL_free(s->dtls);
	SSL_SESSION_free(s->first);
	tls_end(s);
}

// ---------------------------------------------------------------------------------------------------------------- loop

static void turn(void)
{
	struct epoll_event events[64];
	int i, n = epoll_wait(loop, events, 64, TICK_MS);

	for (i = 0; i < n; i++) {
		struct session *s = events[i].data.ptr;

		if (s->stage < SETTLED)
			step(s);
	}
}

static void storm(void)
{
	double until = now() + want.patience, tick = now();
	unsigned i;

	while (settled < want.logins && now() < until) {
		for (; started < want.logins && started - settled < want.at_once; started++)
			begin(&sessions[started]);
		turn();
		if (now() - tick < TICK_MS / 1e3)
			continue;
		tick = now();
		for (i = 0; i < started; i++)
			if (sessions[i].stage == DTLS || sessions[i].stage == DPD)
				dtls_tick(&sessions[i]);
	}
	for (i = 0; i < started; i++)
		if (sessions[i].stage < SETTLED)
			fail(&sessions[i]);
}

// --------------------------------------------------------------------------------------------------------------- figures

struct spread {
	double p50, p99;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

enum span { SPAN_LOGIN, SPAN_CONNECT, SPAN_DTLS, SPAN_ALL };

static double span_of(const struct session *s, enum span span)
{
	switch (span) {
	case SPAN_LOGIN:
		return s->in - s->began;
	case SPAN_CONNECT:
		return s->connected - s->in;
	case SPAN_DTLS:
		return s->ended - s->connected;
	default:
		return s->ended - s->began;
	}
}

// In milliseconds, of those that went well.
static struct spread spread_of(enum span span)
{
	double *took = calloc(want.logins, sizeof(*took));
	struct spread spread = { 0 };
	size_t i, n = 0;

	for (i = 0; took && i < started; i++)
		if (sessions[i].stage == SETTLED)
			took[n++] = span_of(&sessions[i], span) * 1e3;
	if (n > 0) {
		qsort(took, n, sizeof(*took), by_value);
		spread = (struct spread){ took[n / 2], took[n * 99 / 100] };
	}
	free(took);
	return spread;
}

static void print_span(const char *name, enum span span)
{
	struct spread s = spread_of(span);

	if (want.json)
		printf(", \"%s_p50_ms\": %.2f, \"%s_p99_ms\": %.2f", name, s.p50, name, s.p99);
	else
		printf("%-9s p50 %.1f ms, p99 %.1f ms\n", name, s.p50, s.p99);
}

static void print_figures(double took, double cpu)
{
	unsigned good = want.logins - failed, resumed = 0, i;

	for (i = 0; i < started; i++)
		resumed += sessions[i].resumed;
	printf(want.json ? "{\"logins\": %u, \"failed\": %u, \"seconds\": %.3f, \"rate\": %.1f"
	                 : "%u logins, %u failed, in %.2f s: %.1f a second\n",
	       want.logins, failed, took, good / took);
	print_span("login", SPAN_LOGIN);
	if (want.connect)
		print_span("connect", SPAN_CONNECT);
	if (want.dtls)
		print_span("dtls", SPAN_DTLS);
	print_span("all", SPAN_ALL);
	if (want.reconnect)
		printf(want.json ? ", \"resumed\": %u" : "%u TLS sessions resumed\n", resumed);
	if (want.server_pid)
		printf(want.json ? ", \"cpu_ms\": %.3f" : "server    %.3f ms of CPU a login\n", good ? cpu * 1e3 / good : 0);
	printf(want.json ? "}\n" : "");
	fflush(stdout);
}

// What the workers of closed connections have used is counted once they have been waited for.
static double cpu_since(const struct server_cpu *before)
{
	double until = now() + 15;
	struct server_cpu cpu = server_cpu(want.server_pid);

	while (!want.connect && cpu.processes > before->processes && now() < until) {
		usleep(TICK_MS * 1000);
		cpu = server_cpu(want.server_pid);
	}
	return cpu.seconds - before->seconds;
}

// ------------------------------------------------------------------------------------------------------------ beginning

static int contexts_new(void)
{
	tls_ctx = SSL_CTX_new(TLS_client_method());
	dtls_ctx = SSL_CTX_new(DTLS_client_method());
	if (!tls_ctx || !dtls_ctx)
		return -1;
	SSL_CTX_set_session_cache_mode(tls_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls_ctx, on_new_session);
	SSL_CTX_set_min_proto_version(dtls_ctx, DTLS1_2_VERSION);
	SSL_CTX_set_options(dtls_ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
	SSL_CTX_set_psk_client_callback(dtls_ctx, psk_client);
	if (SSL_CTX_set_cipher_list(dtls_ctx, "PSK-AES256-GCM-SHA384:PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305") != 1)
		return -1;
	return SSL_CTX_add_client_custom_ext(dtls_ctx, APP_ID_EXTENSION, add_app_id, NULL, NULL, NULL, NULL) == 1 ? 0 : -1;
}

static int options_read(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:p:cdrks:t:j")) != -1) {
		want.logins = c == 'n' ? (unsigned)atoi(optarg) : want.logins;
		want.at_once = c == 'p' ? (unsigned)atoi(optarg) : want.at_once;
		want.server_pid = c == 's' ? atoi(optarg) : want.server_pid;
		want.patience = c == 't' ? atof(optarg) : want.patience;
		want.connect |= c == 'c' || c == 'd' || c == 'r' || c == 'k';
		want.dtls |= c == 'd';
		want.reconnect |= c == 'r';
		want.keep |= c == 'k';
		want.json |= c == 'j';
		if (c == '?')
			return -1;
	}
	if (argc - optind != 4 || want.logins == 0)
		return -1;
	argv += optind;
	want.host = argv[0];
	want.server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])) };
	want.user = argv[2];
	want.password = argv[3];
	want.at_once = want.at_once ? want.at_once : want.logins;
	return inet_pton(AF_INET, want.host, &want.server.sin_addr) == 1 ? 0 : -1;
}

static int prepare(void)
{
	struct rlimit files;
	unsigned i;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	loop = epoll_create1(EPOLL_CLOEXEC);
	sessions = calloc(want.logins, sizeof(*sessions));
	if (loop < 0 || !sessions)
		return -1;
	for (i = 0; i < want.logins; i++)
		sessions[i].fd = -1;
	return contexts_new();
}

int main(int argc, char **argv)
{
	struct server_cpu before = { 0 };
	double start, took, cpu = 0;
	unsigned i;
	char byte;

	if (options_read(argc, argv) < 0) {
		fprintf(stderr,
		        "usage: %s [-n LOGINS] [-p AT_ONCE] [-cdrkj] [-s SERVER_PID] [-t SECONDS] IPV4 PORT USER PASSWORD\n",
		        argv[0]);
		return 2;
	}
	if (prepare() < 0)
		return 2;
	if (want.server_pid)
		before = server_cpu(want.server_pid);
	start = now();
	storm();
	took = now() - start;
	if (want.server_pid)
		cpu = cpu_since(&before);
	print_figures(took, cpu);
	if (want.keep) {
		printf("open\n");
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
	}
	for (i = 0; i < want.logins; i++)
		leave(&sessions[i]);
	return failed > 0;
}
