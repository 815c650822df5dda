#include "secmod/transcript.h"

#include <errno.h>
#include <string.h>

#define VERSION_TLS12 0x0303
#define VERSION_TLS13 0x0304
#define EXTENSION_SUPPORTED_VERSIONS 43
#define CURVE_NAMED 3

enum message {
	CLIENT_HELLO = 1,
	SERVER_HELLO = 2,
	ENCRYPTED_EXTENSIONS = 8,
	CERTIFICATE = 11,
	SERVER_KEY_EXCHANGE = 12,
	CERTIFICATE_REQUEST = 13,
	SERVER_HELLO_DONE = 14,
	CERTIFICATE_VERIFY = 15,
	CLIENT_KEY_EXCHANGE = 16,
	FINISHED = 20,
	CERTIFICATE_STATUS = 22,
};

// SHA-256 of "HelloRetryRequest", the random of a ServerHello that is one (RFC 8446 4.1.3).
static const uint8_t retry_random[TRANSCRIPT_RANDOM] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

// ------------------------------------------------------------------------------------------------------------- reading

// What is left to be read. After a read beyond the end everything reads as 0 and empty, and `bad` stays.
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static struct span take(struct reader *r, size_t len)
{
	struct span s = { r->at, len };

	if (r->bad || len > r->left) {
		r->bad = true;
		return (struct span){ r->at, 0 };
	}
	r->at += len;
	r->left -= len;
	return s;
}

static uint32_t number(struct reader *r, size_t bytes)
{
	struct span s = take(r, bytes);
	uint32_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n = n << 8 | s.at[i];
	return n;
}

// A vector with a length of so many bytes before it.
static struct span vector(struct reader *r, size_t bytes)
{
	return take(r, number(r, bytes));
}

static struct reader inside(struct span s)
{
	return (struct reader){ s.at, s.len, false };
}

static bool is_done(const struct reader *r)
{
	return !r->bad && r->left == 0;
}

static bool is_next(const struct reader *r, enum message type)
{
	return !r->bad && r->left > 0 && r->at[0] == type;
}

// The body of the next message, which must be of that type.
static struct reader message(struct reader *r, enum message type)
{
	if (!is_next(r, type))
		r->bad = true;
	take(r, 1);
	return inside(vector(r, 3));
}

// ------------------------------------------------------------------------------------------------------------- messages

static bool parse_client_hello(struct reader *all, struct transcript *t)
{
	struct reader m = message(all, CLIENT_HELLO);

	number(&m, 2);
	t->client_random = take(&m, TRANSCRIPT_RANDOM).at;
	return !m.bad && !all->bad;
}

static uint16_t version_of(struct reader *extensions)
{
	uint16_t version = VERSION_TLS12;

	while (!extensions->bad && extensions->left > 0) {
		uint32_t type = number(extensions, 2);
		struct span body = vector(extensions, 2);

		if (type == EXTENSION_SUPPORTED_VERSIONS && body.len == 2)
			version = body.at[0] << 8 | body.at[1];
	}
	return version;
}

static bool parse_server_hello(struct reader *all, struct transcript *t)
{
	struct reader m = message(all, SERVER_HELLO), extensions = { 0 };
	uint32_t legacy = number(&m, 2);
	uint16_t version;

	t->server_random = take(&m, TRANSCRIPT_RANDOM).at;
	vector(&m, 1); // session id
	t->suite = number(&m, 2);
	number(&m, 1); // compression
	if (m.left > 0)
		extensions = inside(vector(&m, 2));
	version = version_of(&extensions);
	t->tls13 = version == VERSION_TLS13;
	return is_done(&m) && is_done(&extensions) && !all->bad && legacy == VERSION_TLS12 &&
	       (version == VERSION_TLS12 || version == VERSION_TLS13);
}

// Each certificate of a Certificate message; in TLS 1.3 with extensions of its own, behind a context that is empty in a handshake.
// Where there are more of a server's than of a client's there is room for, only the first is wanted.
static bool parse_certificates(struct reader *all, bool tls13, struct span *out, unsigned room, unsigned *n)
{
	struct reader m = message(all, CERTIFICATE), list;

	*n = 0;
	if (tls13 && vector(&m, 1).len > 0)
		return false;
	list = inside(vector(&m, 3));
	while (!list.bad && list.left > 0) {
		struct span cert = vector(&list, 3);

		if (tls13)
			vector(&list, 2);
		if (cert.len == 0)
			return false;
		if (*n < room)
			out[*n] = cert;
		++*n;
	}
	return is_done(&m) && is_done(&list) && !all->bad && *n > 0;
}

static bool parse_signature(struct reader *m, uint16_t *scheme, struct span *signature)
{
	*scheme = number(m, 2);
	*signature = vector(m, 2);
	return is_done(m) && signature->len > 0;
}

static bool parse_verify(struct reader *all, uint16_t *scheme, struct span *signature)
{
	struct reader m = message(all, CERTIFICATE_VERIFY);

	return !all->bad && parse_signature(&m, scheme, signature);
}

static bool parse_client_chain(struct reader *all, struct transcript *t)
{
	return parse_certificates(all, t->tls13, t->chain, TRANSCRIPT_CERTS, &t->n_chain) && t->n_chain <= TRANSCRIPT_CERTS;
}

static bool parse_server_cert(struct reader *all, struct transcript *t)
{
	unsigned n;

	return parse_certificates(all, t->tls13, &t->server_cert, 1, &n);
}

static bool skip(struct reader *all, enum message type)
{
	message(all, type);
	return !all->bad;
}

// ------------------------------------------------------------------------------------------------------------ handshakes

// RFC 8422 5.4: named_curve, its number, a point; then the signature.
static bool parse_key_exchange(struct reader *all, struct transcript *t)
{
	struct reader m = message(all, SERVER_KEY_EXCHANGE);
	const uint8_t *start = m.at;

	if (number(&m, 1) != CURVE_NAMED)
		return false;
	number(&m, 2);
	vector(&m, 1);
	t->params = (struct span){ start, (size_t)(m.at - start) };
	return !all->bad && parse_signature(&m, &t->server_scheme, &t->server_signature);
}

// RFC 5246 7.3; RFC 6066 8 for the status.
static bool parse_tls12(const uint8_t *start, struct reader *all, struct transcript *t)
{
	if (!parse_server_cert(all, t) || (is_next(all, CERTIFICATE_STATUS) && !skip(all, CERTIFICATE_STATUS)))
		return false;
	if (!parse_key_exchange(all, t) || !skip(all, CERTIFICATE_REQUEST) || !skip(all, SERVER_HELLO_DONE))
		return false;
	if (!parse_client_chain(all, t) || !skip(all, CLIENT_KEY_EXCHANGE))
		return false;
	t->client_covers = (size_t)(all->at - start);
	return parse_verify(all, &t->client_scheme, &t->client_signature);
}

// RFC 8446 2 and 4.4.
static bool parse_tls13(const uint8_t *start, struct reader *all, struct transcript *t)
{
	if (!skip(all, ENCRYPTED_EXTENSIONS) || !skip(all, CERTIFICATE_REQUEST) || !parse_server_cert(all, t))
		return false;
	t->server_covers = (size_t)(all->at - start);
	if (!parse_verify(all, &t->server_scheme, &t->server_signature) || !skip(all, FINISHED))
		return false;
	if (!parse_client_chain(all, t))
		return false;
	t->client_covers = (size_t)(all->at - start);
	return parse_verify(all, &t->client_scheme, &t->client_signature);
}

static bool parse_hellos(const uint8_t *start, struct reader *all, struct transcript *t)
{
	size_t first;

	if (!parse_client_hello(all, t))
		return false;
	first = (size_t)(all->at - start);
	if (!parse_server_hello(all, t))
		return false;
	if (memcmp(t->server_random, retry_random, TRANSCRIPT_RANDOM) != 0)
		return true;
	t->retried = first;
	return t->tls13 && parse_client_hello(all, t) && parse_server_hello(all, t) && t->tls13 &&
	       memcmp(t->server_random, retry_random, TRANSCRIPT_RANDOM) != 0;
}

int transcript_parse(const uint8_t *messages, size_t len, struct transcript *out)
{
	struct reader all = { messages, len, false };
	struct transcript t = { 0 };

	if (!parse_hellos(messages, &all, &t))
		return -EBADMSG;
	if (!(t.tls13 ? parse_tls13(messages, &all, &t) : parse_tls12(messages, &all, &t)))
		return -EBADMSG;
	if (!is_done(&all))
		return -EBADMSG;
	*out = t;
	return 0;
}
