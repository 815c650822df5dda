#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "reply.h"

#define FIRST_ROOM 2048

static bool grow(struct reply *r, size_t need)
{
	size_t room = r->room ? r->room : FIRST_ROOM;
	char *fresh;

	while (room < need)
		room *= 2;
	fresh = malloc(room);
	if (!fresh)
		return false;
	if (r->len)
		memcpy(fresh, r->text, r->len);
	if (r->text)
		secret_wipe(r->text, r->room);
	free(r->text);
	r->text = fresh;
	r->room = room;
	return true;
}

void reply_add(struct reply *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || r->failed || (r->len + (size_t)n + 1 > r->room && !grow(r, r->len + (size_t)n + 1))) {
		r->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(r->text + r->len, r->room - r->len, fmt, ap);
	va_end(ap);
	r->len += (size_t)n;
}

void reply_add_bytes(struct reply *r, const void *bytes, size_t len)
{
	if (r->failed || (r->len + len + 1 > r->room && !grow(r, r->len + len + 1))) {
		r->failed = true;
		return;
	}
	memcpy(r->text + r->len, bytes, len);
	r->len += len;
	r->text[r->len] = '\0';
}

void reply_clear(struct reply *r)
{
	if (r->text)
		secret_wipe(r->text, r->room);
	free(r->text);
	*r = (struct reply){ 0 };
}
