#include <errno.h>
#include <string.h>

#include "hello.h"

#define EXTENSION_RENEGOTIATION_INFO 0xff01

struct reader {
	const uint8_t *at;
	size_t left;
};

// NULL where there are not so many bytes; nothing is left then.
static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->at;

	if (!p || n > r->left) {
		*r = (struct reader){ 0 };
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return p;
}

static size_t number(const uint8_t *p, unsigned bytes)
{
	size_t v = 0;

	while (p && bytes-- > 0)
		v = v << 8 | *p++;
	return v;
}

// A vector with its length in one or two bytes before it.
static const uint8_t *take_vector(struct reader *r, unsigned length_bytes, size_t *len)
{
	*len = number(take(r, length_bytes), length_bytes);
	return take(r, *len);
}

static bool has_extension(struct reader r, size_t wanted)
{
	size_t type, len;

	while (r.left > 0) {
		type = number(take(&r, 2), 2);
		if (take_vector(&r, 2, &len) && type == wanted)
			return true;
	}
	return false;
}

int hello_parse(const struct record *r, struct hello *out)
{
	static const uint8_t signalling[2] = { 0x00, 0xff };
	struct reader message = { r->body, r->len }, extensions = { 0 };
	const uint8_t *header = take(&message, HANDSHAKE_HEADER), *version, *compressions;
	struct hello h = { .message = header };
	size_t len, n;

	if (r->type != RECORD_HANDSHAKE || r->epoch != 0 || !header || header[0] != HELLO_CLIENT)
		return -EBADMSG;
	len = number(header + 1, 3);
	if (len > message.left || number(header + 6, 3) != 0 || number(header + 9, 3) != len)
		return -EBADMSG;
	message.left = len;
	h.len = HANDSHAKE_HEADER + len;
	version = take(&message, 2);
	h.random = take(&message, HELLO_RANDOM);
	h.session_id = take_vector(&message, 1, &h.session_id_len);
	h.cookie = take_vector(&message, 1, &h.cookie_len);
	h.suites = take_vector(&message, 2, &h.suites_len);
	compressions = take_vector(&message, 1, &n);
	if (!compressions || h.suites_len % 2 != 0)
		return -EBADMSG;
	h.version = (uint16_t)number(version, 2);
	h.uncompressed = memchr(compressions, 0, n) != NULL;
	extensions.at = take_vector(&message, 2, &extensions.left);
	h.secure_renegotiation = hello_offers(&h, signalling) || has_extension(extensions, EXTENSION_RENEGOTIATION_INFO);
	*out = h;
	return 0;
}

bool hello_offers(const struct hello *h, const uint8_t suite[2])
{
	size_t i;

	for (i = 0; i < h->suites_len; i += 2)
		if (memcmp(h->suites + i, suite, 2) == 0)
			return true;
	return false;
}
