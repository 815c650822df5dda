#include "control/ctl/passwdfile.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/secret.h"
#include "proto/utf8.h"

const char *passwdfile_check_user(const char *user)
{
	if (user[0] == '\0')
		return "the user name is empty";
	if (strlen(user) > LIMIT_USER)
		return "the user name is too long";
	if (!utf8_is_printable(user))
		return "the user name has control characters or is not UTF-8";
	if (strpbrk(user, ":/") != NULL)
		return "the user name has a ':' or a '/'";
	if (user[0] == '.' || strstr(user, "..") != NULL)
		return "the user name starts with a '.' or has a '..'";
	if (user[0] == '#')
		return "a line that starts with '#' is a comment";
	return NULL;
}

// Each may be the name of a file in config-per-group, as a user's may.
static const char *check_each_group(const char *groups)
{
	char one[LIMIT_GROUP + 1];
	size_t len;

	for (const char *p = groups;; p += len + 1) {
		len = strcspn(p, ",");
		if (len == 0 || len > LIMIT_GROUP)
			return len == 0 ? "a group's name is empty" : "a group's name is too long";
		memcpy(one, p, len);
		one[len] = '\0';
		if (strchr(one, '/') != NULL || one[0] == '.' || strstr(one, "..") != NULL)
			return "a group's name has a '/', starts with a '.' or has a '..'";
		if (p[len] == '\0')
			return NULL;
	}
}

const char *passwdfile_check_groups(const char *groups)
{
	if (strlen(groups) > PASSWDFILE_GROUPS)
		return "the list of groups is too long";
	if (!utf8_is_printable(groups))
		return "the list of groups has control characters or is not UTF-8";
	if (strchr(groups, ':') != NULL)
		return "the list of groups has a ':'";
	return groups[0] != '\0' ? check_each_group(groups) : NULL;
}

struct output {
	char *text;
	size_t used;
};

static void put(struct output *o, const char *s, size_t len)
{
	memcpy(o->text + o->used, s, len);
	o->used += len;
}

static void put_text(struct output *o, const char *s)
{
	put(o, s, strlen(s));
}

// "user:groups:hash" without its end of line; the parts of one that is ours.
struct line {
	const char *groups, *hash;
	size_t groups_len, hash_len;
};

static bool is_users(const char *text, size_t len, const char *user, struct line *out)
{
	size_t user_len = strlen(user);
	const char *second;

	if (len <= user_len || memcmp(text, user, user_len) != 0 || text[user_len] != ':')
		return false;
	out->groups = text + user_len + 1;
	second = memchr(out->groups, ':', text + len - out->groups);
	if (second == NULL)
		return false;
	out->groups_len = second - out->groups;
	out->hash = second + 1;
	out->hash_len = text + len - out->hash;
	return true;
}

static void put_user(struct output *o, const struct passwdfile_edit *e, const struct line *old)
{
	put_text(o, e->user);
	put_text(o, ":");
	if (e->groups != NULL && e->groups[0] != '\0')
		put_text(o, e->groups);
	else if (e->groups == NULL && old != NULL && old->groups_len > 0)
		put(o, old->groups, old->groups_len);
	else
		put_text(o, "*");
	put_text(o, ":");
	put_text(o, e->hash);
	put_text(o, "\n");
}

static void put_lock(struct output *o, const char *text, const struct line *l, bool lock)
{
	const char *hash = l->hash;
	size_t len = l->hash_len;

	while (len > 0 && hash[0] == '!')
		hash++, len--;
	put(o, text, l->hash - text);
	if (lock)
		put_text(o, "!");
	put(o, hash, len);
	put_text(o, "\n");
}

// One line of the user's. A name that stands there twice is edited twice but set once.
static void edit_line(struct output *o, const struct passwdfile_edit *e, const char *text, const struct line *l, bool first)
{
	switch (e->action) {
	case PASSWDFILE_SET:
		if (first)
			put_user(o, e, l);
		break;
	case PASSWDFILE_DELETE:
		break;
	case PASSWDFILE_LOCK:
	case PASSWDFILE_UNLOCK:
		put_lock(o, text, l, e->action == PASSWDFILE_LOCK);
		break;
	}
}

static bool edit_lines(struct output *o, const struct passwdfile_edit *e, const char *in, size_t len)
{
	bool found = false;

	for (const char *p = in, *end = in + len, *next; p < end; p = next) {
		const char *newline = memchr(p, '\n', end - p);
		size_t line_len = (newline != NULL ? newline : end) - p;
		struct line l;

		next = newline != NULL ? newline + 1 : end;
		if (is_users(p, line_len, e->user, &l)) {
			edit_line(o, e, p, &l, !found);
			found = true;
			continue;
		}
		put(o, p, line_len);
		put_text(o, "\n");
	}
	return found;
}

int passwdfile_edit(const char *in, size_t len, const void *how, char **out, size_t *out_len)
{
	const struct passwdfile_edit *e = how;
	struct output o = { 0 };
	size_t lines = 2, room;
	bool found;

	for (size_t i = 0; i < len; i++)
		lines += in[i] == '\n';
	// at most a '!' and a newline more in each line, and one line more
	room = len + 2 * lines + strlen(e->user) + PASSWDFILE_GROUPS + (e->hash != NULL ? strlen(e->hash) : 0) + 8;
	o.text = malloc(room);
	if (o.text == NULL)
		return -ENOMEM;
	found = edit_lines(&o, e, in, len);
	if (!found && e->action == PASSWDFILE_SET) {
		put_user(&o, e, NULL);
		found = true;
	}
	if (!found) {
		secret_wipe(o.text, o.used);
		free(o.text);
		return -ENOENT;
	}
	*out = o.text;
	*out_len = o.used;
	return 0;
}

static bool parse(const char *text, size_t len, struct passwdfile_line *out)
{
	const char *end = text + len, *first = memchr(text, ':', len), *second, *third;

	if (first == NULL || first == text || text[0] == '#')
		return false;
	second = memchr(first + 1, ':', end - first - 1);
	if (second == NULL)
		return false;
	third = memchr(second + 1, ':', end - second - 1);
	*out = (struct passwdfile_line){ .user = text, .user_len = first - text };
	out->groups = first + 1;
	out->groups_len = second - out->groups;
	out->hash = second + 1;
	out->hash_len = (third != NULL ? third : end) - out->hash;
	while (out->hash_len > 0 && strchr("\r \t", out->hash[out->hash_len - 1]))
		out->hash_len--;
	out->locked = out->hash_len > 0 && out->hash[0] == '!';
	while (out->hash_len > 0 && out->hash[0] == '!')
		out->hash++, out->hash_len--;
	return true;
}

bool passwdfile_next(const char **at, const char *end, struct passwdfile_line *out)
{
	while (*at < end) {
		const char *line = *at, *newline = memchr(line, '\n', end - line);

		*at = newline != NULL ? newline + 1 : end;
		if (parse(line, (newline != NULL ? newline : end) - line, out))
			return true;
	}
	return false;
}

bool passwdfile_find(const char *text, size_t len, const char *user, struct passwdfile_line *out)
{
	const char *at = text;

	while (passwdfile_next(&at, text + len, out))
		if (out->user_len == strlen(user) && memcmp(out->user, user, out->user_len) == 0)
			return true;
	return false;
}
