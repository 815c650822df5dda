#include "control/main/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/err.h"

#define WATCHDOG_MS_MIN 100
#define STOP_MS 15000 // more than an orderly stop takes

static struct {
	int fd;
	struct event *watchdog;
	char status[256];
	bool (*through)(void *who, const char *text);
	void *who;
} notify = { .fd = -1 };

uint64_t notify_watchdog_ms(const char *usec, const char *for_pid, int pid)
{
	unsigned long long n;
	char *end;

	if (!usec || usec[0] < '0' || usec[0] > '9' || (for_pid && atol(for_pid) != pid))
		return 0;
	errno = 0;
	n = strtoull(usec, &end, 10);
	if (errno || *end || n == 0 || n > INT64_MAX)
		return 0;
	return n / 2000 < WATCHDOG_MS_MIN ? WATCHDOG_MS_MIN : n / 2000;
}

int notify_address(const char *text, struct sockaddr_un *sun, unsigned *len)
{
	size_t n = strlen(text);

	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((text[0] != '/' && text[0] != '@') || n < 2 || n >= sizeof(sun->sun_path))
		return -EINVAL;
	memcpy(sun->sun_path, text, n);
	if (text[0] == '@')
		sun->sun_path[0] = 0;
	*len = (unsigned)(offsetof(struct sockaddr_un, sun_path) + n + (text[0] == '/'));
	return 0;
}

void notify_through(bool (*through)(void *who, const char *text), void *who)
{
	notify.through = through;
	notify.who = who;
}

static void tell(const char *text)
{
	if (notify.through && notify.through(notify.who, text))
		return;
	if (notify.fd >= 0 && send(notify.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
		log_debug("NOTIFY_SOCKET: %s", strerror(errno));
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	tell("WATCHDOG=1");
}

static int socket_open(const char *text)
{
	struct sockaddr_un sun;
	unsigned len;
	int fd, ret;

	if (notify_address(text, &sun, &len) < 0)
		return errno_log(EINVAL, "NOTIFY_SOCKET '%s' is no address of a Unix socket", text);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, len) == 0)
		return fd;
	ret = errno_log(errno, "NOTIFY_SOCKET '%s': %s", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

int notify_socket(void)
{
	const char *text = getenv("NOTIFY_SOCKET");
	int fd = text ? socket_open(text) : -1;

	return fd < 0 ? -1 : fd;
}

int notify_open(struct event_base *base)
{
	const char *text = getenv("NOTIFY_SOCKET");
	uint64_t ms = notify_watchdog_ms(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), (int)getpid());
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	int ret;

	if (!text)
		return 0;
	ret = socket_open(text);
	if (ret < 0)
		return ret;
	notify.fd = ret;
	if (!ms)
		return 0;
	notify.watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, NULL);
	if (!notify.watchdog || event_add(notify.watchdog, &tv) < 0)
		return errno_log(ENOMEM, "the watchdog cannot be fed");
	tell("WATCHDOG=1");
	return 0;
}

void notify_close(void)
{
	if (notify.watchdog)
		event_free(notify.watchdog);
	if (notify.fd >= 0)
		close(notify.fd);
	notify.watchdog = NULL;
	notify.fd = -1;
	notify.status[0] = 0;
}

void notify_alive(void)
{
	if (notify.watchdog)
		tell("WATCHDOG=1");
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	struct timespec ts;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	tell(text);
}

void notify_stopping(uint64_t ms)
{
	char text[64];

	// what systemd waits for a stop (TimeoutStopSec) by itself
	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu", ((unsigned long long)ms + STOP_MS) * 1000);
	tell(ms ? text : "STOPPING=1");
}

void notify_status(const char *fmt, ...)
{
	char text[sizeof(notify.status)] = "STATUS=";
	size_t n = strlen(text);
	va_list ap;

	if (notify.fd < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	// a newline would begin another of systemd's variables
	for (char *p = text + n; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	if (strcmp(text, notify.status) == 0)
		return;
	memcpy(notify.status, text, sizeof(text));
	tell(text);
}
