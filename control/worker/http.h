// HTTP/1.1 requests of one connection: bytes in, one request at a time out. Worker only. No I/O.
// Stricter than http_parser: no pipelining, no Transfer-Encoding, no folded header, no bare CR or LF, no control character.
#pragma once
#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define LIMIT_HTTP_FIELDS 64

enum http_verb { VERB_GET, VERB_HEAD, VERB_POST, VERB_CONNECT, VERB_OTHER };

struct http {
	http_parser parser;
	// The request: offsets into `head`, which holds NUL-terminated path, names and values.
	enum http_verb verb;
	bool keep_alive;
	char *head;
	size_t head_len;
	uint16_t names[LIMIT_HTTP_FIELDS], values[LIMIT_HTTP_FIELDS];
	unsigned n_fields;
	char *body;
	size_t body_len;
	// While it is read.
	bool in_value, has_length, whole;
	unsigned status; // what was wrong, as an HTTP status
	uint8_t last;    // the byte before, for line ends
	bool line_start, first_line, in_name, head_done;
};

void http_init(struct http *h);
// Forget the request (its body may hold a password) and be ready for the next.
void http_next(struct http *h);
void http_fini(struct http *h);

// 0: more is needed; 1: one request is whole; -EBADMSG: answer http_refusal() and close.
int http_feed(struct http *h, const uint8_t *buf, size_t len);
unsigned http_refusal(const struct http *h);
// What was refused has a head that is whole and means something: an ordinary web server would answer it.
bool http_is_understood(const struct http *h);

// Does it say for which host it is, as RFC 9112 3.2 wants it: once, or not at all in HTTP/1.0?
bool http_names_host(const struct http *h);

// Of the whole request. The path is without its query and with one leading slash.
const char *http_path(const struct http *h);
const char *http_query(const struct http *h); // NULL: none
// The n-th header of that name (any case), NULL past the last.
const char *http_header(const struct http *h, const char *name, unsigned n);
