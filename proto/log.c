#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "utf8.h"

// A LIMIT_TEXT text with every byte escaped would be longer; such a line is cut, not lost.
#define LINE_MAX 2048

static struct {
	const char *ident;
	enum log_level level;
	enum log_form form;
	void (*sink)(enum log_level, const char *);
	char peer[64];
} logger = { "penstock", LOG_LEVEL_INFO, LOG_FORM_PLAIN, NULL, "" };

void log_init(const char *ident, enum log_level level, enum log_form form)
{
	logger.ident = ident;
	logger.level = level;
	logger.form = form;
}

void log_set_level(enum log_level level)
{
	logger.level = level;
}

void log_set_sink(void (*sink)(enum log_level level, const char *line))
{
	logger.sink = sink;
}

void log_set_peer(const char *peer)
{
	snprintf(logger.peer, sizeof(logger.peer), "%s", peer);
}

// Copy text with whatever could forge a line or steer a terminal as \xNN; returns the length. room is at least 1.
static size_t escape(const char *text, char *out, size_t room)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t left = strlen(text), used = 0, n;

	while (left > 0) {
		n = utf8_printable(p, left);
		if (used + (n ? n : 4) >= room)
			break;
		if (n)
			memcpy(out + used, p, n);
		else
			snprintf(out + used, room - used, "\\x%02x", *p);
		used += n ? n : 4;
		p += n ? n : 1;
		left -= n ? n : 1;
	}
	out[used] = 0;
	return used;
}

static size_t prefix(enum log_level level, char *out, size_t room)
{
	int n;

	if (logger.form == LOG_FORM_PRIORITY)
		n = snprintf(out, room, "<%d>%s[%d]: ", (int)level, logger.ident, (int)getpid());
	else
		n = snprintf(out, room, "%s[%d]: ", logger.ident, (int)getpid());
	return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char raw[LINE_MAX], line[LINE_MAX];
	int saved = errno;
	size_t used = 0, n;
	ssize_t wrote;
	va_list ap;

	if (level > logger.level)
		return;
	n = (size_t)snprintf(raw, sizeof(raw), "%s", logger.peer);
	va_start(ap, fmt);
	vsnprintf(raw + n, sizeof(raw) - n, fmt, ap);
	va_end(ap);
	if (!logger.sink)
		used = prefix(level, line, sizeof(line) / 2);
	used += escape(raw, line + used, sizeof(line) - used - 1);
	if (logger.sink) {
		logger.sink(level, line);
	} else {
		line[used++] = '\n';
		do
			wrote = write(STDERR_FILENO, line, used);
		while (wrote < 0 && errno == EINTR);
	}
	errno = saved;
}
