// The quota file: a line for each user, between a first line that says what it is and a last one that says that it is whole.
//
//   penstock quota 1
//   20261126 1048576 202611 73400320 - anna
//   20261126 0 202611 5000 lab.example bert of the lab
//   end 2
//
// Day, bytes, month, bytes, virtual host (- is the default one), user to the end of the line. See quota.h.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/quota.h"
#include "proto/limits.h"
#include "proto/utf8.h"

#define HEAD "penstock quota 1"
#define LINE_MOST (4 * 21 + LIMIT_VHOST + LIMIT_USER + 3)

char *quota_print(const struct quota_book *b, size_t *len)
{
	size_t room = sizeof(HEAD) + b->count * LINE_MOST + 32, used;
	const struct quota_user *u;
	char *text = malloc(room);

	if (!text)
		return NULL;
	used = (size_t)sprintf(text, HEAD "\n");
	TAILQ_FOREACH(u, &b->users, all)
	used += (size_t)snprintf(text + used, room - used, "%u %llu %u %llu %s %s\n", u->day.date, (unsigned long long)u->day.bytes,
	                         u->month.date, (unsigned long long)u->month.bytes, u->vhost[0] ? u->vhost : "-", u->user);
	used += (size_t)snprintf(text + used, room - used, "end %zu\n", b->count);
	*len = used;
	return text;
}

// ----------------------------------------------------------------------------------------------------------------- parse

// A number and the blank behind it.
static bool take_number(const char **at, uint64_t most, uint64_t *out)
{
	const char *p = *at;
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n) || n > most)
			return false;
	if (*p != ' ')
		return false;
	*at = p + 1;
	*out = n;
	return true;
}

static int take_user(struct quota_book *b, const char *line)
{
	uint64_t day, day_bytes, month, month_bytes;
	char vhost[LIMIT_VHOST + 1];
	struct quota_user *u;
	size_t len;

	if (!take_number(&line, UINT32_MAX, &day) || !take_number(&line, UINT64_MAX, &day_bytes) ||
	    !take_number(&line, UINT32_MAX, &month) || !take_number(&line, UINT64_MAX, &month_bytes))
		return -EINVAL;
	len = strcspn(line, " ");
	if (len == 0 || len > LIMIT_VHOST || line[len] != ' ' || !line[len + 1] || strlen(line + len + 1) > LIMIT_USER ||
	    !utf8_is_printable(line))
		return -EINVAL;
	snprintf(vhost, sizeof(vhost), "%.*s", (int)len, line);
	if (strcmp(vhost, "-") == 0)
		vhost[0] = '\0';
	if (quota_find(b, vhost, line + len + 1))
		return -EINVAL;
	u = quota_get(b, vhost, line + len + 1);
	if (!u)
		return -ENOMEM;
	u->day = (struct quota_count){ (uint32_t)day, day_bytes };
	u->month = (struct quota_count){ (uint32_t)month, month_bytes };
	return 0;
}

static const char *next_line(const char **at, const char *end, char out[LINE_MOST + 1])
{
	const char *stop = memchr(*at, '\n', (size_t)(end - *at));
	size_t len = stop ? (size_t)(stop - *at) : 0;

	if (!stop || len > LINE_MOST || memchr(*at, '\0', len))
		return NULL;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at = stop + 1;
	return out;
}

static bool is_end(const struct quota_book *b, const char *line)
{
	char expected[40];

	snprintf(expected, sizeof(expected), "end %zu", b->count);
	return strcmp(line, expected) == 0;
}

int quota_parse(struct quota_book *b, const char *text, size_t len, unsigned *line)
{
	const char *at = text, *end = text + len;
	char buffer[LINE_MOST + 1];
	int ret;

	*line = 1;
	if (!next_line(&at, end, buffer) || strcmp(buffer, HEAD) != 0)
		return -EINVAL;
	for (*line = 2; next_line(&at, end, buffer); ++*line) {
		if (strncmp(buffer, "end ", 4) == 0)
			return is_end(b, buffer) && at == end ? 0 : -EINVAL;
		ret = take_user(b, buffer);
		if (ret < 0)
			return ret;
	}
	return -EINVAL;
}
