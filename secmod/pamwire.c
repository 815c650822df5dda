#include "secmod/pamwire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/secret.h"
#include "proto/states.h"
#include "proto/text.h"

static bool is_ended(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

#define ENDED(field) is_ended((field), sizeof(field))
#define PRINTABLE(field) text_fits((field), sizeof(field))

bool pamwire_from_helper(const struct pamwire *w, size_t len)
{
	if (len != sizeof(*w))
		return false;
	switch (w->kind) {
	case PAMWIRE_ASK:
		return w->ask.echo <= 1 && PRINTABLE(w->ask.prompt);
	case PAMWIRE_RESULT:
		if (w->result.outcome > AUTH_ERROR || !PRINTABLE(w->result.user) || !PRINTABLE(w->result.group) ||
		    !PRINTABLE(w->result.reason) || !PRINTABLE(w->result.say))
			return false;
		return w->result.outcome != AUTH_OK || w->result.user[0] != '\0';
	default:
		return false;
	}
}

bool pamwire_from_secmod(const struct pamwire *w, size_t len)
{
	if (len != sizeof(*w))
		return false;
	switch (w->kind) {
	case PAMWIRE_START:
		return ENDED(w->start.service) && ENDED(w->start.user) && ENDED(w->start.group) && ENDED(w->start.rhost) &&
		       ENDED(w->start.tty) && w->start.session <= PAMWIRE_SESSION_LAST;
	case PAMWIRE_ANSWER:
		return ENDED(w->answer.password);
	default:
		return false;
	}
}

int pamwire_send(int fd, const struct pamwire *w)
{
	ssize_t n;

	do
		n = send(fd, w, sizeof(*w), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int pamwire_receive(int fd, struct pamwire *w, bool (*check)(const struct pamwire *w, size_t len))
{
	ssize_t n;

	memset(w, 0, sizeof(*w));
	do
		n = recv(fd, w, sizeof(*w), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if (check(w, n))
		return 1;
	secret_wipe(w, sizeof(*w));
	return -EBADMSG;
}
