#include "kkdcp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define SEQUENCE 0x30
#define OCTET_STRING 0x04
#define GENERAL_STRING 0x1b
#define INTEGER 0x02
#define KERB_MESSAGE 0xa0   // [0]
#define TARGET_DOMAIN 0xa1  // [1]
#define DCLOCATOR_HINT 0xa2 // [2]
#define AS_REQ 0x6a         // RFC 4120 5.4.1: [APPLICATION 10]
#define TGS_REQ 0x6c        // [APPLICATION 12]
#define TCP_LENGTH 4        // RFC 4120 7.2.2

struct der {
	const uint8_t *p, *end;
};

// The next element, if it has this tag. DER: a definite length in the fewest bytes; nothing here is longer than 65535.
static bool take(struct der *from, uint8_t tag, struct der *out)
{
	size_t left = (size_t)(from->end - from->p), head = 2, len;

	if (left < 2 || from->p[0] != tag)
		return false;
	len = from->p[1];
	if (len == 0x81 && left >= 3 && from->p[2] >= 0x80) {
		head = 3;
		len = from->p[2];
	} else if (len == 0x82 && left >= 4 && from->p[2] != 0) {
		head = 4;
		len = (size_t)from->p[2] << 8 | from->p[3];
	} else if (len >= 0x80) {
		return false;
	}
	if (len > left - head)
		return false;
	*out = (struct der){ from->p + head, from->p + head + len };
	from->p += head + len;
	return true;
}

static bool take_within(struct der *from, uint8_t outer, uint8_t inner, struct der *out)
{
	struct der box;

	return take(from, outer, &box) && take(&box, inner, out) && box.p == box.end;
}

static bool is_empty(const struct der *d)
{
	return d->p == d->end;
}

// The four bytes of its length, then the request; whole, and nothing but one of those that a KDC answers.
static bool read_message(const struct der *d, struct kkdcp *out)
{
	const size_t len = (size_t)(d->end - d->p);
	struct der request = { d->p + TCP_LENGTH, d->end }, body;
	const uint8_t *p = d->p;

	if (len <= TCP_LENGTH || ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]) != len - TCP_LENGTH)
		return false;
	out->message = request.p;
	out->len = len - TCP_LENGTH;
	return (take(&request, AS_REQ, &body) || take(&request, TGS_REQ, &body)) && is_empty(&request);
}

static bool read_realm(const struct der *d, struct kkdcp *out)
{
	const size_t len = (size_t)(d->end - d->p);

	if (len == 0 || len > LIMIT_REALM)
		return false;
	for (size_t i = 0; i < len; i++)
		if (d->p[i] <= ' ' || d->p[i] >= 0x7f)
			return false;
	memcpy(out->realm, d->p, len);
	out->realm[len] = '\0';
	return true;
}

int kkdcp_parse(const uint8_t *der, size_t len, struct kkdcp *out)
{
	struct der all = { der, der + len }, fields, message, realm, hint;
	struct kkdcp k = { .realm = "" };

	if (len > UINT16_MAX || !take(&all, SEQUENCE, &fields) || !is_empty(&all))
		return -EBADMSG;
	if (!take_within(&fields, KERB_MESSAGE, OCTET_STRING, &message) || !read_message(&message, &k))
		return -EBADMSG;
	if (!is_empty(&fields) && fields.p[0] == TARGET_DOMAIN &&
	    (!take_within(&fields, TARGET_DOMAIN, GENERAL_STRING, &realm) || !read_realm(&realm, &k)))
		return -EBADMSG;
	if (!is_empty(&fields) && !take_within(&fields, DCLOCATOR_HINT, INTEGER, &hint))
		return -EBADMSG;
	if (!is_empty(&fields) || k.len > LIMIT_KERBEROS)
		return -EBADMSG;
	*out = k;
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- an answer

static size_t head_size(size_t len)
{
	return len < 0x80 ? 2 : len < 0x100 ? 3 : 4;
}

static uint8_t *put_head(uint8_t *p, uint8_t tag, size_t len)
{
	*p++ = tag;
	if (len >= 0x100) {
		*p++ = 0x82;
		*p++ = (uint8_t)(len >> 8);
	} else if (len >= 0x80) {
		*p++ = 0x81;
	}
	*p++ = (uint8_t)len;
	return p;
}

size_t kkdcp_wrap(const uint8_t *message, size_t len, uint8_t *out)
{
	const size_t octets = len + TCP_LENGTH, boxed = head_size(octets) + octets, fields = head_size(boxed) + boxed;
	uint8_t *p = put_head(out, SEQUENCE, fields);

	p = put_head(p, KERB_MESSAGE, boxed);
	p = put_head(p, OCTET_STRING, octets);
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(len >> shift);
	memcpy(p, message, len);
	return (size_t)(p - out) + len;
}
