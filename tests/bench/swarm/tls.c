// A client's TCP connection and the TLS in it.
#include "swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

static SSL_CTX *ctx;

int tls_prepare(void)
{
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return -1;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return 0;
}

int tls_outcome(SSL *ssl, int n)
{
	int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, n);

	if (n > 0)
		return 1;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

in_addr_t tls_address(const struct client *c)
{
	uint32_t number = (uint32_t)(c - swarm), room = wish.addresses / wish.clients;

	return htonl(wish.network + (c->moves % room) * wish.clients + number);
}

int tls_tcp_begin(struct client *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = tls_address(c) };
	const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		return -1;
	if (connect(c->fd, (struct sockaddr *)&wish.server, sizeof(wish.server)) < 0 && errno != EINPROGRESS)
		return -1;
	return loop_watch(c->fd, c);
}

int tls_tcp_step(struct client *c)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_state == TCP_CLOSE)
		return -1;
	if (info.tcpi_state != TCP_ESTABLISHED && info.tcpi_state != TCP_CLOSE_WAIT)
		return 0;
	c->tls = SSL_new(ctx);
	return c->tls && SSL_set_fd(c->tls, c->fd) == 1 ? 1 : -1;
}

int tls_step(struct client *c)
{
	return tls_outcome(c->tls, SSL_connect(c->tls));
}

void tls_end(struct client *c, bool hard)
{
	const struct linger at_once = { .l_onoff = 1 };

	SSL_free(c->tls);
	c->tls = NULL;
	if (c->fd < 0)
		return;
	if (hard)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(c->fd);
	c->fd = -1;
}
