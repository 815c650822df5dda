#include "record.h"

#define HANDSHAKE_HEADER 12
#define CLIENT_HELLO 1
#define EXTENSION_APP_ID 48018 // openconnect before 8.00

struct reader {
	const uint8_t *at, *end;
};

// NULL where there are not so many bytes.
static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->at;

	if (!p || (size_t)(r->end - p) < n)
		return NULL;
	r->at += n;
	return p;
}

// A vector with a length of one or two bytes before it; an empty reader with at NULL where it is broken.
static struct reader take_vector(struct reader *r, unsigned length_bytes)
{
	const uint8_t *l = take(r, length_bytes);
	size_t n = l ? (length_bytes == 1 ? l[0] : load16(l)) : 0;
	const uint8_t *p = l ? take(r, n) : NULL;

	if (!p) {
		r->at = NULL;
		return (struct reader){ 0 };
	}
	return (struct reader){ p, p + n };
}

bool record_is_hello(const uint8_t *buf, size_t len)
{
	return len >= RECORD_HEADER + HANDSHAKE_HEADER && buf[0] == CONTENT_HANDSHAKE && load16(buf + 3) == 0 &&
	       buf[RECORD_HEADER] == CLIENT_HELLO;
}

static const uint8_t *extension_app_id(struct reader extensions)
{
	for (;;) {
		const uint8_t *type = take(&extensions, 2);
		struct reader body = take_vector(&extensions, 2);
		if (!type || !body.at)
			return NULL;
		if (load16(type) != EXTENSION_APP_ID)
			continue;
		struct reader id = take_vector(&body, 1);
		return id.at && id.end - id.at == HELLO_APP_ID && body.at == body.end ? id.at : NULL;
	}
}

// RFC 6347 4.2.2: version, random, session_id<0..32>, cookie<0..255>, cipher_suites<2..>, compression_methods<1..>, extensions.
static const uint8_t *body_app_id(struct reader body)
{
	if (!take(&body, 2 + 32))
		return NULL;
	struct reader session_id = take_vector(&body, 1);
	if (session_id.at && session_id.end - session_id.at == HELLO_APP_ID)
		return session_id.at;
	take_vector(&body, 1);
	take_vector(&body, 2);
	take_vector(&body, 1);
	return extension_app_id(take_vector(&body, 2));
}

const uint8_t *hello_app_id(const uint8_t *buf, size_t len)
{
	struct record r;

	if (!record_is_hello(buf, len) || !record_parse(buf, len, &r))
		return NULL;
	struct reader message = { buf + RECORD_HEADER, buf + RECORD_HEADER + r.length };
	const uint8_t *head = take(&message, HANDSHAKE_HEADER);
	if (!head)
		return NULL;
	uint32_t length = load24(head + 1), offset = load24(head + 6), fragment = load24(head + 9);
	if (offset != 0 || fragment != length || length > (size_t)(message.end - message.at))
		return NULL;
	message.end = message.at + length;
	return body_app_id(message);
}
