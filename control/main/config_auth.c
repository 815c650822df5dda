// The values of auth, enable-auth and acct: ocserv's "method[key=value,...]", with paths made absolute. See config_value.h.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/main/config_value.h"
#include "control/main/nearest.h"
#include "proto/utf8.h"

enum key_kind { KEY_PATH, KEY_WORD, KEY_BOOL, KEY_SEPARATOR };

// A method and the keys it knows; `bare` is the key that a value without one belongs to (ocserv's older form).
static const struct auth_method {
	const char *name, *bare;
	struct {
		const char *name;
		enum key_kind kind;
	} keys[5];
} methods[] = {
	{ "plain", "passwd", { { "passwd", KEY_PATH }, { "otp", KEY_PATH } } },
	{ "pam", NULL, { { "service", KEY_WORD }, { "gid-min", KEY_WORD } } },
	{ "certificate", .bare = NULL },
	{ "radius",
	  "config",
	  { { "config", KEY_PATH },
	    { "groupconfig", KEY_BOOL },
	    { "nas-identifier", KEY_WORD },
	    { "group-separator", KEY_SEPARATOR },
	    { "require-message-authenticator", KEY_BOOL } } },
	{ "gssapi",
	  NULL,
	  { { "keytab", KEY_PATH },
	    { "require-local-user-map", KEY_BOOL },
	    { "tgt-freshness-time", KEY_WORD },
	    { "gid-min", KEY_WORD } } },
	{ "oidc", NULL, { { "config", KEY_PATH } } },
};

#define METHODS (sizeof(methods) / sizeof(*methods))
#define KEYS (sizeof(methods[0].keys) / sizeof(methods[0].keys[0]))

struct span {
	const char *at;
	size_t len;
};

static struct span trimmed(const char *at, size_t len)
{
	while (len > 0 && strchr(" \t", at[0]))
		at++, len--;
	while (len > 0 && strchr(" \t", at[len - 1]))
		len--;
	return (struct span){ at, len };
}

static bool span_is(struct span s, const char *word)
{
	return strlen(word) == s.len && strncmp(s.at, word, s.len) == 0;
}

static const struct auth_method *find_method(struct span name)
{
	for (size_t i = 0; i < METHODS; i++)
		if (span_is(name, methods[i].name))
			return &methods[i];
	return NULL;
}

static int wrong_method(struct span name, struct value_out *out)
{
	static const char known[] = "plain, pam, certificate, radius, gssapi, oidc";
	struct nearest n;
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.at);
	nearest_begin(&n, text);
	for (size_t i = 0; i < METHODS; i++)
		nearest_offer(&n, methods[i].name);
	if (n.found[0])
		return value_wrong(out, "'%.*s' is none of %s; did you mean %s?", (int)name.len, name.at, known, n.found);
	return value_wrong(out, "'%.*s' is none of %s", (int)name.len, name.at, known);
}

static int wrong_key(const struct auth_method *m, struct span key, struct value_out *out)
{
	char text[64], known[128] = "no options";
	struct nearest n;

	snprintf(text, sizeof(text), "%.*s", (int)key.len, key.at);
	nearest_begin(&n, text);
	for (size_t i = 0, used = 0; i < KEYS && m->keys[i].name; i++) {
		nearest_offer(&n, m->keys[i].name);
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", m->keys[i].name);
	}
	if (n.found[0])
		return value_wrong(out, "%s knows no '%.*s'; did you mean %s?", m->name, (int)key.len, key.at, n.found);
	return value_wrong(out, "%s knows no '%.*s'; it has %s", m->name, (int)key.len, key.at, known);
}

static int append(struct value_out *out, const char *separator, const char *key, const char *value)
{
	size_t used = strlen(out->text), room = sizeof(out->text) - used;

	if ((size_t)snprintf(out->text + used, room, "%s%s=%s", separator, key, value) >= room)
		return value_wrong(out, "is too long");
	return 0;
}

// "key=value", or the value alone in the older form.
static int add_item(const struct auth_method *m, unsigned nth, struct span item, const char *dir, struct value_out *out)
{
	const char *equals = memchr(item.at, '=', item.len);
	struct span key = equals ? trimmed(item.at, (size_t)(equals - item.at)) : (struct span){ item.at, 0 };
	struct span value = equals ? trimmed(equals + 1, (size_t)(item.at + item.len - equals - 1)) : item;
	char text[VALUE_MAX], seen[VALUE_MAX];

	if (!equals && nth == 0 && m->bare)
		key = (struct span){ m->bare, strlen(m->bare) };
	else if (!equals && span_is(item, "groupconfig"))
		key = item, value = (struct span){ "true", 4 };
	if (key.len == 0)
		return value_wrong(out, "'%.*s' in the brackets of %s has to be key=value", (int)item.len, item.at, m->name);
	for (size_t i = 0; i < KEYS && m->keys[i].name; i++) {
		if (!span_is(key, m->keys[i].name))
			continue;
		if (value.len == 0)
			return value_wrong(out, "%s has no value", m->keys[i].name);
		if (m->keys[i].kind == KEY_PATH && !value_is_url(value.at, value.len)) {
			if (value_path(value.at, value.len, dir, text, sizeof(text)) < 0)
				return value_wrong(out, "the path of %s is too long", m->keys[i].name);
		} else {
			snprintf(text, sizeof(text), "%.*s", (int)value.len, value.at);
		}
		if (strpbrk(text, ",[]\"") || !utf8_is_printable(text))
			return value_wrong(out, "the value of %s may have none of , [ ] \" in it", m->keys[i].name);
		if (m->keys[i].kind == KEY_BOOL && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return value_wrong(out, "%s is neither true nor false", m->keys[i].name);
		if (m->keys[i].kind == KEY_SEPARATOR && strcmp(text, "semicolon") != 0 && strcmp(text, "comma") != 0)
			return value_wrong(out, "%s is neither semicolon nor comma", m->keys[i].name);
		if (nth > 0 && value_auth_key(out->text, m->keys[i].name, seen, sizeof(seen)))
			return value_wrong(out, "%s is there twice", m->keys[i].name);
		return append(out, nth ? "," : "[", m->keys[i].name, text);
	}
	return wrong_key(m, key, out);
}

int value_auth(const char *text, const char *dir, struct value_out *out)
{
	struct span all = trimmed(text, strlen(text)), item;
	const char *open = memchr(all.at, '[', all.len), *end = all.at + all.len, *p, *comma;
	struct span name = trimmed(all.at, open ? (size_t)(open - all.at) : all.len);
	const struct auth_method *m = find_method(name);
	unsigned n = 0;
	int ret;

	if (!m)
		return wrong_method(name, out);
	strcpy(out->text, m->name);
	if (!open)
		return 0;
	if (end[-1] != ']')
		return value_wrong(out, "the bracket behind %s is not closed", m->name);
	for (p = open + 1; p < end; p = comma + 1) {
		comma = memchr(p, ',', (size_t)(end - p));
		if (!comma)
			comma = end - 1;
		item = trimmed(p, (size_t)(comma - p));
		if (item.len == 0 && comma == end - 1 && n == 0)
			return 0;
		ret = item.len ? add_item(m, n++, item, dir, out) : value_wrong(out, "there is nothing between two commas");
		if (ret < 0)
			return ret;
	}
	if (strlen(out->text) + 1 >= sizeof(out->text))
		return value_wrong(out, "is too long");
	strcat(out->text, "]");
	return 0;
}

void value_auth_method(const char *auth, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)strcspn(auth, "["), auth);
}

bool value_auth_key(const char *auth, const char *key, char *out, size_t size)
{
	const char *p = strchr(auth, '[');
	size_t len = strlen(key);

	for (; p; p = strchr(p, ',')) {
		p++;
		if (strncmp(p, key, len) == 0 && p[len] == '=') {
			p += len + 1;
			snprintf(out, size, "%.*s", (int)strcspn(p, ",]"), p);
			return true;
		}
	}
	return false;
}
