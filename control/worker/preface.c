#include "preface.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "proto/err.h"

// Main has nothing to say yet but that it is over.
static int await(int fd, int main, uint64_t until)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = main, .events = POLLIN } };
	uint64_t now = clock_ms();
	int n = now < until ? poll(p, 2, (int)(until - now)) : 0;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return errno_log(errno, "poll: %s", strerror(errno));
	if (n == 0) {
		log_info("no whole PROXY header within %d s", PREFACE_MS / 1000);
		return -ETIMEDOUT;
	}
	return p[1].revents ? -ECANCELED : 0;
}

// What is looked at first stays in the socket: only then is it known how much of it is the header's.
static int take(int fd, uint8_t *buf, size_t *have, struct proxy_header *out)
{
	ssize_t n = recv(fd, buf + *have, PROXY_HEADER_MAX - *have, MSG_PEEK | MSG_DONTWAIT);
	const char *why;
	int ret;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -ECONNRESET;
	ret = proxy_parse(buf, *have + (size_t)n, out, &why);
	if (ret == -EBADMSG)
		log_info("refused: %s (listen-proxy-proto)", why);
	if (ret < 0 && ret != -EAGAIN)
		return ret;
	if (ret > 0)
		n = ret - (ssize_t)*have;
	if (recv(fd, buf + *have, (size_t)n, MSG_DONTWAIT) != n)
		return -EIO;
	*have += (size_t)n;
	return ret > 0 ? 0 : -EAGAIN;
}

int preface_read(int fd, int main, struct proxy_header *out)
{
	static uint8_t buf[PROXY_HEADER_MAX];
	uint64_t until = clock_ms() + PREFACE_MS;
	size_t have = 0;
	int ret = -EAGAIN;

	while (ret == -EAGAIN) {
		ret = await(fd, main, until);
		if (ret == 0)
			ret = take(fd, buf, &have, out);
	}
	if (ret == -ECONNRESET && have == 0)
		log_debug("closed without a word"); // a health check that only connects
	else if (ret == -ECONNRESET)
		log_info("closed within its PROXY header");
	return ret;
}
