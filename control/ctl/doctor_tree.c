#include "doctor_tree.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void path_of(const struct doctor *d, char out[PATH_MAX], const char *fmt, va_list ap)
{
	int root = snprintf(out, PATH_MAX, "%s", d->root);

	vsnprintf(out + root, (size_t)(PATH_MAX - root), fmt, ap);
}

static bool read_path(const char *path, char *out, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	ssize_t n;

	out[0] = '\0';
	if (fd < 0)
		return false;
	while (len < room - 1 && (n = read(fd, out + len, room - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	while (len > 0 && out[len - 1] == '\n')
		len--;
	out[len] = '\0';
	return true;
}

bool tree_read(const struct doctor *d, char *out, size_t room, const char *fmt, ...)
{
	va_list ap;
	char path[PATH_MAX];

	va_start(ap, fmt);
	path_of(d, path, fmt, ap);
	va_end(ap);
	return read_path(path, out, room);
}

long long tree_number(const struct doctor *d, const char *fmt, ...)
{
	va_list ap;
	char path[PATH_MAX], text[64], *end;
	long long n;

	va_start(ap, fmt);
	path_of(d, path, fmt, ap);
	va_end(ap);
	if (!read_path(path, text, sizeof(text)))
		return -1;
	n = strtoll(text, &end, 10);
	return end == text ? -1 : n;
}

bool tree_has(const struct doctor *d, const char *fmt, ...)
{
	va_list ap;
	char path[PATH_MAX];

	va_start(ap, fmt);
	path_of(d, path, fmt, ap);
	va_end(ap);
	return access(path, F_OK) == 0;
}

bool tree_link(const struct doctor *d, char *out, size_t room, const char *fmt, ...)
{
	va_list ap;
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	va_start(ap, fmt);
	path_of(d, path, fmt, ap);
	va_end(ap);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(out, room, "%s", slash ? slash + 1 : target);
	return true;
}

bool cpulist_parse(const char *text, bool set[DOCTOR_CPUS])
{
	const char *p = text;

	while (*p) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (!isdigit((unsigned char)*p))
			return false;
		if (*end == '-') {
			p = end + 1;
			if (!isdigit((unsigned char)*p))
				return false;
			last = strtoul(p, &end, 10);
		}
		if (last < first || last >= DOCTOR_CPUS || (*end && *end != ','))
			return false;
		for (; first <= last; first++)
			set[first] = true;
		p = end + (*end == ',');
	}
	return p != text;
}

// ----------------------------------------------------------------------------------------------------------- configuration

static bool value_of(const char *line, size_t len, const char *option, char *out, size_t room)
{
	const char *end = line + len, *p = line;
	size_t name = strlen(option);

	while (p < end && isspace((unsigned char)*p))
		p++;
	if ((size_t)(end - p) <= name || strncmp(p, option, name) != 0)
		return false;
	for (p += name; p < end && isspace((unsigned char)*p);)
		p++;
	if (p == end || *p++ != '=')
		return false;
	while (p < end && isspace((unsigned char)*p))
		p++;
	while (p < end && isspace((unsigned char)end[-1]))
		end--;
	if (end - p >= 2 && *p == '"' && end[-1] == '"') {
		p++;
		end--;
	}
	snprintf(out, room, "%.*s", (int)(end - p), p);
	return true;
}

static bool find(const char *text, const char *option, unsigned n, bool vhosts, char *out, size_t room)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (*line == '[' && !vhosts)
			return false;
		if (value_of(line, strcspn(line, "\n"), option, out, room) && n-- == 0)
			return true;
	}
	return false;
}

bool conf_nth(const char *text, const char *option, unsigned n, char *out, size_t room)
{
	return find(text, option, n, false, out, room);
}

bool conf_any(const char *text, const char *option, unsigned n, char *out, size_t room)
{
	return find(text, option, n, true, out, room);
}
