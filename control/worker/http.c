#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"
#include "proto/secret.h"

// `head` holds the path first: "/path\0query\0name\0value\0...". Its room is what http_parser lets through and the NULs.
#define HEAD_ROOM (LIMIT_HTTP_HEADERS + 2 * LIMIT_HTTP_FIELDS + 4)

static int refuse(struct http *h, unsigned status)
{
	if (h->status == 0)
		h->status = status;
	return -1;
}

// ------------------------------------------------------------------------------------------------------------ callbacks

static struct http *of(http_parser *p)
{
	return p->data;
}

static int head_put(struct http *h, const char *text, size_t len)
{
	if (len > HEAD_ROOM - 1 - h->head_len)
		return refuse(h, 431);
	memcpy(h->head + h->head_len, text, len);
	h->head_len += len;
	return 0;
}

static int on_url(http_parser *p, const char *text, size_t len)
{
	struct http *h = of(p);

	if (h->head_len == 0 && *text != '/' && head_put(h, "/", 1) < 0)
		return -1;
	return head_put(h, text, len);
}

// End the text that is open; the path's query becomes a text of its own.
static void close_text(struct http *h)
{
	char *query;

	if (h->n_fields == 0 && !h->in_value) {
		h->head[h->head_len] = 0;
		query = strchr(h->head, '?');
		if (query)
			*query = 0;
	}
	h->head[h->head_len++] = 0;
}

static int on_field(http_parser *p, const char *text, size_t len)
{
	struct http *h = of(p);

	if (h->in_value || h->n_fields == 0) {
		if (h->n_fields == LIMIT_HTTP_FIELDS || h->head_len + 2 >= HEAD_ROOM)
			return refuse(h, 431);
		close_text(h);
		h->names[h->n_fields] = h->values[h->n_fields] = (uint16_t)h->head_len;
		h->n_fields++;
		h->in_value = false;
	}
	return head_put(h, text, len);
}

static int on_value(http_parser *p, const char *text, size_t len)
{
	struct http *h = of(p);

	if (!h->in_value) {
		if (h->head_len + 2 >= HEAD_ROOM)
			return refuse(h, 431);
		close_text(h);
		h->values[h->n_fields - 1] = (uint16_t)h->head_len;
		h->in_value = true;
	}
	return head_put(h, text, len);
}

static enum http_verb verb_of(unsigned method)
{
	switch (method) {
	case HTTP_GET:
		return VERB_GET;
	case HTTP_HEAD:
		return VERB_HEAD;
	case HTTP_POST:
		return VERB_POST;
	case HTTP_CONNECT:
		return VERB_CONNECT;
	default:
		return VERB_OTHER;
	}
}

static int on_headers_complete(http_parser *p)
{
	struct http *h = of(p);

	close_text(h);
	h->head_done = true;
	h->verb = verb_of(p->method);
	h->keep_alive = http_should_keep_alive(p);
	if (p->http_major != 1)
		return refuse(h, 505);
	if (http_header(h, "Transfer-Encoding", 0))
		return refuse(h, 411); // RFC 9112 6.1: who wants a length may ask for one, whatever the chunks are
	if (http_header(h, "Content-Length", 1))
		return refuse(h, 400);
	if (http_header(h, "Content-Length", 0) && p->content_length > LIMIT_HTTP_BODY)
		return refuse(h, 413);
	// openconnect and its kin never expect 100-continue; what waits for it would wait for ever.
	return http_header(h, "Expect", 0) ? refuse(h, 417) : 0;
}

static int on_body(http_parser *p, const char *text, size_t len)
{
	struct http *h = of(p);
	size_t room = h->body_len + (size_t)p->content_length + len;

	if (room > LIMIT_HTTP_BODY)
		return refuse(h, 413);
	if (!h->body) {
		h->body = malloc(room + 1); // content_length is what is still to come: this is the whole body
		if (!h->body)
			return refuse(h, 503);
	}
	memcpy(h->body + h->body_len, text, len);
	h->body_len += len;
	h->body[h->body_len] = 0;
	return 0;
}

static int on_complete(http_parser *p)
{
	of(p)->whole = true;
	http_parser_pause(p, 1);
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- strictness

// What http_parser would let through in a head. Bytes up to the head's end are looked at, then the body is left alone.
static bool is_strict(struct http *h, const uint8_t *buf, size_t len)
{
	uint8_t c;

	for (; len > 0 && !h->head_done; h->last = c, buf++, len--) {
		c = *buf;
		if ((h->last == '\r') != (c == '\n'))
			return false;
		if (c == '\r')
			continue;
		if (c == '\n') {
			h->head_done = h->line_start && !h->first_line;
			h->first_line = h->first_line && h->line_start; // empty lines before a request are no lines (RFC 9112 2.2)
			h->line_start = true;
			continue;
		}
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
		h->in_name = !h->first_line && (h->line_start || h->in_name) && c != ':';
		if ((c == ' ' || c == '\t') && (h->line_start || h->in_name)) // before a line, and before a colon (RFC 9112 5.1)
			return false;
		h->line_start = false;
	}
	return true;
}

// --------------------------------------------------------------------------------------------------------------- the door

static void start(struct http *h)
{
	http_parser_init(&h->parser, HTTP_REQUEST);
	h->parser.data = h;
	h->verb = VERB_OTHER;
	h->head_len = h->body_len = 0;
	h->n_fields = 0;
	h->in_value = h->in_name = h->whole = h->head_done = h->keep_alive = false;
	h->line_start = h->first_line = true;
	h->last = 0;
	h->status = 0;
}

void http_init(struct http *h)
{
	memset(h, 0, sizeof(*h));
	http_parser_set_max_header_size(LIMIT_HTTP_HEADERS);
	start(h);
}

void http_next(struct http *h)
{
	http_fini(h);
	start(h);
}

void http_fini(struct http *h)
{
	if (h->head)
		secret_wipe(h->head, HEAD_ROOM);
	if (h->body)
		secret_wipe(h->body, h->body_len);
	free(h->head);
	free(h->body);
	h->head = h->body = NULL;
}

static unsigned status_of(enum http_errno error)
{
	return error == HPE_HEADER_OVERFLOW ? 431 : error == HPE_INVALID_VERSION ? 505 : 400;
}

int http_feed(struct http *h, const uint8_t *buf, size_t len)
{
	static const http_parser_settings settings = {
		.on_url = on_url,
		.on_header_field = on_field,
		.on_header_value = on_value,
		.on_headers_complete = on_headers_complete,
		.on_body = on_body,
		.on_message_complete = on_complete,
	};
	enum http_errno error;
	size_t used;

	if (h->status != 0 || h->whole)
		return refuse(h, 400), -EBADMSG;
	if (!h->head)
		h->head = malloc(HEAD_ROOM);
	if (!h->head || !is_strict(h, buf, len))
		return refuse(h, h->head ? 400 : 503), -EBADMSG;
	used = http_parser_execute(&h->parser, &settings, (const char *)buf, len);
	error = HTTP_PARSER_ERRNO(&h->parser);
	if (h->status != 0)
		return -EBADMSG;
	if (error != HPE_OK && error != HPE_PAUSED)
		return refuse(h, status_of(error)), -EBADMSG;
	if (h->whole && used < len)
		return refuse(h, 400), -EBADMSG; // a second request behind the first
	return h->whole;
}

unsigned http_refusal(const struct http *h)
{
	return h->status;
}

bool http_is_understood(const struct http *h)
{
	return h->whole || h->status == 411 || h->status == 413 || h->status == 417;
}

bool http_names_host(const struct http *h)
{
	return !http_header(h, "Host", 1) && (http_header(h, "Host", 0) || h->parser.http_minor == 0);
}

const char *http_path(const struct http *h)
{
	return h->head;
}

const char *http_query(const struct http *h)
{
	size_t path = strlen(h->head) + 1, whole = h->n_fields ? h->names[0] : h->head_len;

	return path < whole ? h->head + path : NULL;
}

const char *http_header(const struct http *h, const char *name, unsigned n)
{
	unsigned i;

	for (i = 0; i < h->n_fields; i++)
		if (strcasecmp(h->head + h->names[i], name) == 0 && n-- == 0)
			return h->head + h->values[i];
	return NULL;
}
