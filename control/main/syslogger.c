#include "control/main/syslogger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/main/journal.h"
#include "control/main/logline.h"

#define LINES_PER_SECOND 1000 // of one child with all its workers

static struct {
	const char *ident;
	int facility, fd;
	unsigned lost;
	bool echo;
	bool journal;                        // its own language, not syslog's
	const struct msg_admin_event *event; // what the next line tells of
} syslogger = { .fd = -1 };

static int connect_log(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

// As /dev/log's readers expect it (RFC 3164: local time).
static size_t syslog_packet(int level, const char *who, const char *text, char *packet, size_t room)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;
	int len;

	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime_r(&now, &tm));
	len = snprintf(packet, room, "<%d>%s %s: %s", syslogger.facility | level, stamp, who, text);
	return (size_t)len < room ? (size_t)len : room - 1;
}

static bool post(int level, const char *who, const char *text)
{
	const struct journal_line l = { level, syslogger.facility, who, text, syslogger.event };
	char packet[JOURNAL_ENTRY_MAX];
	size_t len = syslogger.journal ? journal_entry(&l, packet) : syslog_packet(level, who, text, packet, LOGLINE_MAX + 128);

	for (int i = 0; i < 2; i++) {
		if (syslogger.fd < 0)
			syslogger.fd = syslogger.journal ? journal_connect() : connect_log();
		if (syslogger.fd < 0)
			return false;
		if (send(syslogger.fd, packet, len, MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS)
			return false;
		// syslog has been restarted: once more on a new socket
		close(syslogger.fd);
		syslogger.fd = -1;
	}
	return false;
}

static void line_pass(int level, const char *who, const char *text)
{
	const struct msg_admin_event *event = syslogger.event;
	char lost[64];

	if (syslogger.echo)
		dprintf(STDERR_FILENO, "%s: %s\n", who, text);
	if (syslogger.lost) {
		syslogger.event = NULL;
		snprintf(lost, sizeof(lost), "%u lines could not be logged", syslogger.lost);
		if (post(LOG_LEVEL_WARN, who, lost))
			syslogger.lost = 0;
		syslogger.event = event;
	}
	if (!post(level, who, text))
		syslogger.lost++;
}

static void sink(enum log_level level, const char *line)
{
	char who[64];

	snprintf(who, sizeof(who), "%s[%d]", syslogger.ident, (int)getpid());
	line_pass((int)level, who, line);
}

void syslogger_open(const char *ident, int facility)
{
	syslogger.ident = ident;
	syslogger.facility = facility;
	log_set_sink(sink);
}

void syslogger_facility(int facility)
{
	syslogger.facility = facility;
}

void syslogger_journal(void)
{
	syslogger.journal = true;
}

void syslogger_event(const struct msg_admin_event *event)
{
	syslogger.event = event;
}

void syslogger_close(void)
{
	log_set_sink(NULL);
	if (syslogger.fd >= 0)
		close(syslogger.fd);
	syslogger.fd = -1;
}

bool syslogger_echo(bool on)
{
	bool before = syslogger.echo;

	syslogger.echo = on;
	return before;
}

// ----------------------------------------------------------------------------------------------------------------- pipes

struct logpipe {
	struct event *readable;
	int fd;
	const char *name;
	size_t used;
	time_t second;
	unsigned in_second, dropped;
	char line[LOGLINE_MAX + 1];
};

static bool within_rate(struct logpipe *p)
{
	struct timespec ts;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	if (ts.tv_sec != p->second) {
		if (p->dropped) {
			snprintf(text, sizeof(text), "%u lines dropped: too many", p->dropped);
			line_pass(LOG_LEVEL_WARN, p->name, text);
		}
		p->second = ts.tv_sec;
		p->in_second = p->dropped = 0;
	}
	if (p->in_second++ < LINES_PER_SECOND)
		return true;
	p->dropped++;
	return false;
}

static void line_end(struct logpipe *p)
{
	struct logline l;

	p->line[p->used] = 0;
	if (p->used && within_rate(p)) {
		l = logline_parse(p->line);
		line_pass(l.level, l.who ? l.who : p->name, l.text);
	}
	p->used = 0;
}

static void bytes_take(struct logpipe *p, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\n' || p->used == LOGLINE_MAX)
			line_end(p);
		if (buf[i] != '\n' && buf[i])
			p->line[p->used++] = buf[i];
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct logpipe *p = arg;
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		bytes_take(p, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		event_del(p->readable);
}

struct logpipe *logpipe_again(struct event_base *base, const char *name, int fd, const char *rest)
{
	struct logpipe *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = fd;
	p->name = name;
	p->used = strnlen(rest, LOGLINE_MAX);
	memcpy(p->line, rest, p->used);
	p->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, p);
	if (p->readable && event_add(p->readable, NULL) == 0)
		return p;
	if (p->readable)
		event_free(p->readable);
	free(p);
	return NULL;
}

struct logpipe *logpipe_new(struct event_base *base, const char *name, int *write_fd)
{
	struct logpipe *p = NULL;
	int fds[2];

	// the child's end blocks: its lines are not lost, and we always read
	if (pipe2(fds, O_CLOEXEC) < 0)
		return NULL;
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0)
		p = logpipe_again(base, name, fds[0], "");
	if (p) {
		*write_fd = fds[1];
		return p;
	}
	close(fds[0]);
	close(fds[1]);
	return NULL;
}

int logpipe_fd(const struct logpipe *p)
{
	return p->fd;
}

const char *logpipe_rest(struct logpipe *p)
{
	p->line[p->used] = '\0';
	return p->line;
}

void logpipe_free(struct logpipe *p)
{
	char buf[4096];
	ssize_t n;

	if (!p)
		return;
	for (int i = 0; i < 64 && (n = read(p->fd, buf, sizeof(buf))) > 0; i++)
		bytes_take(p, buf, (size_t)n);
	line_end(p);
	event_free(p->readable);
	close(p->fd);
	free(p);
}
