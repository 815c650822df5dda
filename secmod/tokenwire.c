#include "secmod/tokenwire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/tbs.h"

static bool is_ended(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

bool tokenwire_from_helper(const struct tokenwire *w, size_t len)
{
	if (len != sizeof(*w))
		return false;
	switch (w->kind) {
	case TOKENWIRE_READY:
		return w->ready.ok <= 1 && w->ready.pin_refused <= 1 && text_fits(w->ready.reason, sizeof(w->ready.reason));
	case TOKENWIRE_SIGNED:
		return w->signature.ok <= 1 && w->signature.pin_refused <= 1 && w->signature.len <= LIMIT_SIGNATURE &&
		       (!w->signature.ok || w->signature.len > 0) && text_fits(w->signature.reason, sizeof(w->signature.reason));
	default:
		return false;
	}
}

bool tokenwire_from_secmod(const struct tokenwire *w, size_t len)
{
	if (len != sizeof(*w))
		return false;
	switch (w->kind) {
	case TOKENWIRE_START:
		return is_ended(w->start.url, sizeof(w->start.url)) && is_ended(w->start.pin, sizeof(w->start.pin)) &&
		       is_ended(w->start.srk_pin, sizeof(w->start.srk_pin)) && w->start.key <= KEY_KIND_LAST;
	case TOKENWIRE_SIGN:
		return w->sign.len <= LIMIT_TBS;
	default:
		return false;
	}
}

int tokenwire_send(int fd, const struct tokenwire *w)
{
	ssize_t n;

	do
		n = send(fd, w, sizeof(*w), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int wait_readable(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, wait_ms);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

int tokenwire_receive(int fd, struct tokenwire *w, bool (*check)(const struct tokenwire *w, size_t len), int wait_ms)
{
	int ret = wait_readable(fd, wait_ms);
	ssize_t n;

	if (ret < 0)
		return ret;
	memset(w, 0, sizeof(*w));
	do
		n = recv(fd, w, sizeof(*w), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if (check(w, (size_t)n))
		return 1;
	secret_wipe(w, sizeof(*w));
	return -EBADMSG;
}
