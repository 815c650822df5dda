#include "secmod/passwd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "proto/utf8.h"

// Names reach the wire and the log: only what the codec lets pass.
static bool is_text(const char *s, size_t most)
{
	size_t len = strlen(s), n;

	if (len > most)
		return false;
	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

// A hash is printable ASCII without blanks (crypt(5)).
static bool is_hash(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f)
			return false;
	return len >= 1 && len <= PASSWD_HASH_MAX;
}

// Cut at the next ':', NULL if there is none.
static char *field_end(char *s)
{
	char *end = strchr(s, ':');

	if (end != NULL)
		*end = '\0';
	return end;
}

// Cuts the line in place. Fields behind the hash are ignored, as ocserv does.
static bool parse_line(char *line, struct passwd_entry *out)
{
	char *groups, *hash;

	groups = field_end(line);
	if (groups == NULL || line[0] == '\0' || !is_text(line, LIMIT_USER))
		return false;
	hash = field_end(++groups);
	if (hash == NULL || !is_text(groups, PASSWD_LINE_MAX))
		return false;
	hash++;
	field_end(hash);
	out->locked = *hash == '!';
	hash += strspn(hash, "!");
	if (!is_hash(hash))
		return false;
	out->user = line;
	out->groups = strcmp(groups, "*") == 0 ? "" : groups;
	out->hash = hash;
	return true;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t n = 1;

	for (const char *p = text; (p = memchr(p, '\n', len - (p - text))) != NULL; p++)
		n++;
	return n;
}

static int by_name(const void *a, const void *b)
{
	const struct passwd_entry *x = a, *y = b;
	int order = strcmp(x->user, y->user);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static void add_line(struct passwd_table *t, char *line, size_t len, uint32_t number)
{
	struct passwd_entry e = { .line = number };

	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	line[len] = '\0';
	if (len == 0 || line[0] == '#')
		return;
	if (len <= PASSWD_LINE_MAX && strlen(line) == len && parse_line(line, &e)) {
		t->entries[t->count++] = e;
		return;
	}
	if (t->bad_lines++ == 0)
		t->first_bad = number;
}

// The first line of a name counts, as in ocserv.
static void sort_and_merge(struct passwd_table *t)
{
	uint32_t n = 0;

	qsort(t->entries, t->count, sizeof(*t->entries), by_name);
	for (uint32_t i = 0; i < t->count; i++)
		if (n == 0 || strcmp(t->entries[n - 1].user, t->entries[i].user) != 0)
			t->entries[n++] = t->entries[i];
	t->count = n;
}

int passwd_parse(char *text, size_t len, struct passwd_table *out)
{
	struct passwd_table t = { .text = text, .len = len };
	char *line = text, *end = text + len;

	if (len > PASSWD_FILE_MAX) {
		secret_wipe(text, len);
		free(text);
		return -EFBIG;
	}
	text[len] = '\n';
	t.entries = calloc(count_lines(text, len), sizeof(*t.entries));
	if (t.entries == NULL) {
		secret_wipe(text, len);
		free(text);
		return -ENOMEM;
	}
	for (uint32_t number = 1; line < end; number++) {
		char *newline = memchr(line, '\n', end - line + 1);

		add_line(&t, line, newline - line, number);
		line = newline + 1;
	}
	sort_and_merge(&t);
	*out = t;
	return 0;
}

void passwd_free(struct passwd_table *t)
{
	if (t->text != NULL)
		secret_wipe(t->text, t->len);
	free(t->entries);
	free(t->text);
	*t = (struct passwd_table){ 0 };
}

const struct passwd_entry *passwd_find(const struct passwd_table *t, const char *user)
{
	uint32_t low = 0, high = t->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = strcmp(user, t->entries[mid].user);

		if (order == 0)
			return &t->entries[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

bool passwd_group(const char *groups, const char *wanted, char out[LIMIT_GROUP + 1])
{
	const size_t wanted_len = strlen(wanted);

	for (const char *g = groups;; g++) {
		size_t len = strcspn(g, ",");
		bool fits = len >= 1 && len <= LIMIT_GROUP;

		if (fits && (wanted_len == 0 || (len == wanted_len && memcmp(g, wanted, len) == 0))) {
			memcpy(out, g, len);
			out[len] = '\0';
			return true;
		}
		g += len;
		if (*g == '\0')
			break;
	}
	if (wanted_len == 0)
		out[0] = '\0';
	return wanted_len == 0;
}
