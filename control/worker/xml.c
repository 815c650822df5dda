#include <errno.h>
#include <expat.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "proto/utf8.h"
#include "text.h"
#include "xml.h"

// The fields that clients send, and where their text goes. openconnect answers with the names of our inputs; group names come
// under either of two.
enum target { TARGET_USER, TARGET_PASSWORD, TARGET_GROUP, TARGET_DEVICE };
static const struct {
	const char *element;
	enum target target;
} targets[] = {
	{ "username", TARGET_USER },    { "password", TARGET_PASSWORD },  { "secondary_password", TARGET_PASSWORD },
	{ "answer", TARGET_PASSWORD },  { "group-select", TARGET_GROUP }, { "group_list", TARGET_GROUP },
	{ "device-id", TARGET_DEVICE },
};

// expat's buffers hold passwords.
static void wipe_free(void *p)
{
	if (p)
		secret_wipe(p, malloc_usable_size(p));
	free(p);
}

static void *wipe_realloc(void *p, size_t size)
{
	void *fresh = malloc(size);
	size_t old = p ? malloc_usable_size(p) : 0;

	if (!fresh)
		return NULL;
	if (p)
		memcpy(fresh, p, old < size ? old : size);
	wipe_free(p);
	return fresh;
}

struct reader {
	XML_Parser parser;
	struct login_fields *out;
	unsigned depth, elements;
	char *text; // the open field, NULL: none
	size_t room, used;
	bool bad;
};

static void refuse(struct reader *r)
{
	r->bad = true;
	XML_StopParser(r->parser, XML_FALSE);
}

static void open_field(struct reader *r, char *text, size_t room)
{
	r->text = text;
	r->room = room;
	r->used = 0;
}

#define OPEN_FIELD(r, field) open_field(r, (r)->out->field, sizeof((r)->out->field))

static void open_target(struct reader *r, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]) && strcmp(targets[i].element, name) != 0; i++)
		;
	if (i == sizeof(targets) / sizeof(targets[0]))
		return;
	switch (targets[i].target) {
	case TARGET_USER:
		r->out->has_user = true;
		OPEN_FIELD(r, user);
		break;
	case TARGET_PASSWORD:
		r->out->has_password = true;
		OPEN_FIELD(r, password);
		break;
	case TARGET_GROUP:
		OPEN_FIELD(r, group);
		break;
	case TARGET_DEVICE:
		OPEN_FIELD(r, device_platform);
		break;
	}
}

static enum login_kind kind_of(const char *type)
{
	if (strcmp(type, "init") == 0)
		return LOGIN_INIT;
	if (strcmp(type, "auth-reply") == 0)
		return LOGIN_REPLY;
	return strcmp(type, "logout") == 0 ? LOGIN_LOGOUT : LOGIN_OTHER;
}

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct reader *r = arg;
	unsigned n;

	if (++r->depth > LIMIT_XML_DEPTH || ++r->elements > LIMIT_XML_ELEMENTS || strlen(name) > LIMIT_XML_NAME) {
		refuse(r);
		return;
	}
	for (n = 0; attributes[n]; n += 2) {
		if (n / 2 >= LIMIT_XML_ATTRIBUTES || strlen(attributes[n]) > LIMIT_XML_NAME ||
		    strlen(attributes[n + 1]) > LIMIT_TEXT) {
			refuse(r);
			return;
		}
		if (r->depth == 1 && strcmp(attributes[n], "type") == 0)
			r->out->kind = kind_of(attributes[n + 1]);
		else if (strcmp(name, "device-id") == 0 && strcmp(attributes[n], "device-type") == 0)
			text_tame(attributes[n + 1], r->out->device_type, sizeof(r->out->device_type));
	}
	if (r->depth == 1 && strcmp(name, "config-auth") != 0)
		refuse(r);
	else if (r->text)
		refuse(r); // an element inside a field
	else if (r->depth == 2 && strcmp(name, "client-cert-fail") == 0)
		r->out->cert_fail = true;
	else
		open_target(r, name);
}

static void on_end(void *arg, const char *name)
{
	struct reader *r = arg;

	r->depth--;
	if (r->text)
		r->text[r->used] = 0;
	r->text = NULL;
}

static void on_text(void *arg, const char *text, int len)
{
	struct reader *r = arg;

	if (!r->text)
		return;
	if (r->used + (size_t)len >= r->room) {
		refuse(r);
		return;
	}
	memcpy(r->text + r->used, text, (size_t)len);
	r->used += (size_t)len;
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public, int internal)
{
	refuse(arg);
}

// These travel in messages that refuse anything else; a client that sends it is no client.
static int check(const struct login_fields *f)
{
	return utf8_is_printable(f->user) && utf8_is_printable(f->password) && utf8_is_printable(f->group) ? 0 : -EBADMSG;
}

static void tame_platform(struct login_fields *f)
{
	char tame[sizeof(f->device_platform)];

	text_tame(f->device_platform, tame, sizeof(tame));
	memcpy(f->device_platform, tame, sizeof(tame));
}

int xml_login(const char *body, size_t len, struct login_fields *out)
{
	static const XML_Memory_Handling_Suite memory = { malloc, wipe_realloc, wipe_free };
	struct reader r = { .out = out };
	int ret = -EBADMSG;

	memset(out, 0, sizeof(*out));
	if (len > LIMIT_HTTP_BODY)
		return -EBADMSG;
	r.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL); // whatever the document says of itself
	if (!r.parser)
		return -ENOMEM;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	if (XML_Parse(r.parser, body, (int)len, 1) == XML_STATUS_OK && !r.bad && r.depth == 0)
		ret = check(out);
	else if (XML_GetErrorCode(r.parser) == XML_ERROR_NO_MEMORY)
		ret = -ENOMEM;
	XML_ParserFree(r.parser);
	if (ret == 0)
		tame_platform(out);
	else
		login_fields_wipe(out);
	return ret;
}

static int form_first(const char *body, size_t len, const char *const names[], char *out, size_t room, bool *has)
{
	int ret = -ENOENT;

	for (; *names && ret == -ENOENT; names++)
		ret = form_get(body, len, *names, out, room);
	if (has)
		*has = ret >= 0;
	return ret == -ENOENT || ret >= 0 ? 0 : ret;
}

int form_login(const char *body, size_t len, struct login_fields *out)
{
	static const char *const user[] = { "username", NULL };
	static const char *const password[] = { "password", "secondary_password", "answer", NULL };
	static const char *const group[] = { "group-select", "group_list", NULL };
	int ret;

	memset(out, 0, sizeof(*out));
	out->kind = LOGIN_REPLY;
	ret = form_first(body, len, user, out->user, sizeof(out->user), &out->has_user);
	if (ret == 0)
		ret = form_first(body, len, password, out->password, sizeof(out->password), &out->has_password);
	if (ret == 0)
		ret = form_first(body, len, group, out->group, sizeof(out->group), NULL);
	if (ret < 0)
		login_fields_wipe(out);
	return ret;
}

void login_fields_wipe(struct login_fields *f)
{
	secret_wipe(f, sizeof(*f));
}
