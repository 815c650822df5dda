// How many logins a second does a gateway take? Speaks the XML login of openconnect to any OpenConnect-compatible server:
// TLS, init, user name, password, cookie; then the connection is closed, as `openconnect --authenticate` does.
//
//   worker_login HOST PORT USER PASSWORD LOGINS PARALLEL     prints "logins failed seconds rate p50_ms p99_ms"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

struct login {
	const char *host, *user, *password;
	int port;
	SSL_CTX *ctx;
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int tcp_connect(const struct login *l)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
	int one = 1, fd;

	inet_pton(AF_INET, l->host, &sa.sin_addr);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

// One POST, one answer: its whole text in `reply`, or false.
static bool post(SSL *ssl, const char *path, const char *body, char *reply, size_t room)
{
	char request[4096], *end, *length;
	size_t used = 0, want = SIZE_MAX;
	int n;

	n = snprintf(
	        request, sizeof(request),
	        "POST %s HTTP/1.1\r\nHost: gateway\r\nUser-Agent: Open AnyConnect VPN Agent v9.01\r\nX-Transcend-Version: 1\r\n"
	        "X-Aggregate-Auth: 1\r\nAccept: */*\r\nContent-Type: application/xml; charset=utf-8\r\nContent-Length: "
	        "%zu\r\n\r\n%s",
	        path, strlen(body), body);
	if (SSL_write(ssl, request, n) != n)
		return false;
	while (used < want && used < room - 1) {
		n = SSL_read(ssl, reply + used, (int)(room - 1 - used));
		if (n <= 0)
			return false;
		used += (size_t)n;
		reply[used] = 0;
		end = strstr(reply, "\r\n\r\n");
		length = strcasestr(reply, "\r\nContent-Length:");
		if (end && length && length < end)
			want = (size_t)(end + 4 - reply) + strtoul(length + 17, NULL, 10);
	}
	return used >= want && strncmp(reply, "HTTP/1.1 200", 12) == 0;
}

#define XML \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config-auth client=\"vpn\" type=\"%s\"><version who=\"vpn\">v9.01</version>"

static bool login_steps(const struct login *l, SSL *ssl)
{
	char body[2048], reply[16384];

	snprintf(body, sizeof(body), XML "<device-id>linux-64</device-id><group-access>https://%s</group-access></config-auth>\n",
	         "init", l->host);
	if (!post(ssl, "/", body, reply, sizeof(reply)))
		return false;
	snprintf(body, sizeof(body), XML "<device-id>linux-64</device-id><auth><username>%s</username></auth></config-auth>\n",
	         "auth-reply", l->user);
	if (!post(ssl, "/auth", body, reply, sizeof(reply)))
		return false;
	snprintf(body, sizeof(body), XML "<device-id>linux-64</device-id><auth><password>%s</password></auth></config-auth>\n",
	         "auth-reply", l->password);
	return post(ssl, "/auth", body, reply, sizeof(reply)) && strstr(reply, "webvpn=") && strstr(reply, "success");
}

static bool login_once(const struct login *l)
{
	bool ok = false;
	SSL *ssl;
	int fd = tcp_connect(l);

	if (fd < 0)
		return false;
	ssl = SSL_new(l->ctx);
	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1)
		ok = login_steps(l, ssl);
	SSL_free(ssl);
	close(fd);
	return ok;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// took[i] < 0: that login failed. Child number `mine` of `parallel` does every parallel-th one.
static void run_child(const struct login *l, double *took, int logins, int mine, int parallel)
{
	double start;
	int i;

	for (i = mine; i < logins; i += parallel) {
		start = seconds();
		took[i] = login_once(l) ? seconds() - start : -1;
	}
	_exit(0);
}

static void print_result(double *took, int logins, double whole)
{
	int i, failed = 0, good;

	qsort(took, (size_t)logins, sizeof(*took), by_value);
	for (i = 0; i < logins && took[i] < 0; i++)
		failed++;
	good = logins - failed;
	printf("%d %d %.3f %.1f %.2f %.2f\n", logins, failed, whole, good / whole, good ? took[failed + good / 2] * 1e3 : 0,
	       good ? took[failed + (good * 99) / 100] * 1e3 : 0);
}

int main(int argc, char **argv)
{
	struct login l;
	int i, logins, parallel;
	double *took, start;

	if (argc != 7 || (logins = atoi(argv[5])) <= 0 || (parallel = atoi(argv[6])) <= 0) {
		fprintf(stderr, "usage: %s HOST PORT USER PASSWORD LOGINS PARALLEL\n", argv[0]);
		return 2;
	}
	l = (struct login){ .host = argv[1], .port = atoi(argv[2]), .user = argv[3], .password = argv[4] };
	l.ctx = SSL_CTX_new(TLS_client_method());
	took = mmap(NULL, (size_t)logins * sizeof(*took), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!l.ctx || took == MAP_FAILED)
		return 1;
	start = seconds();
	for (i = 0; i < parallel; i++)
		if (fork() == 0)
			run_child(&l, took, logins, i, parallel);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	print_result(took, logins, seconds() - start);
	return 0;
}
