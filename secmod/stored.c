#include "secmod/stored.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "proto/states.h"
#include "proto/utf8.h"
#include "secmod/grants.h"

#define LENGTH_SIZE 4

// --------------------------------------------------------------------------------------------------------------- writing

struct writer {
	uint8_t *at, *end;
	bool full;
};

static void put_bytes(struct writer *w, const void *bytes, size_t len)
{
	if ((size_t)(w->end - w->at) < len) {
		w->full = true;
		return;
	}
	memcpy(w->at, bytes, len);
	w->at += len;
}

static void put_number(struct writer *w, uint64_t n, unsigned size)
{
	uint8_t bytes[8];

	for (unsigned i = size; i-- > 0; n >>= 8)
		bytes[i] = (uint8_t)n;
	put_bytes(w, bytes, size);
}

static void put_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	put_number(w, len, 2);
	put_bytes(w, text, len);
}

static void put_addr(struct writer *w, const struct addr *a)
{
	uint8_t bytes[ADDR_WIRE];

	addr_pack(a, bytes);
	put_bytes(w, bytes, sizeof(bytes));
}

static void put_record(struct writer *w, const struct record *r, uint64_t expires)
{
	const char *key, *value;

	put_text(w, r->user);
	put_text(w, r->group);
	put_text(w, r->user_agent);
	put_text(w, r->device_type);
	put_text(w, r->device_platform);
	put_text(w, r->vhost);
	put_text(w, r->method);
	put_text(w, r->acct_id);
	put_addr(w, &r->client);
	put_addr(w, &r->login);
	put_addr(w, &r->ipv4);
	put_addr(w, &r->ipv6);
	put_number(w, r->created, 8);
	put_number(w, expires, 8);
	put_number(w, (uint64_t)r->connected, 8);
	put_number(w, r->session_timeout, 4);
	put_number(w, (uint64_t)r->timeout_ms, 8);
	put_number(w, r->persistent | r->certified << 1, 1);
	put_number(w, r->reason, 1);
	put_number(w, grants_count(r->grants), 2);
	for (unsigned i = 0; grants_nth(r->grants, i, &key, &value); i++) {
		put_text(w, key);
		put_text(w, value);
	}
}

size_t stored_put(const struct stored *s, uint8_t *out, size_t room)
{
	struct writer w = { out, out + room, room < LENGTH_SIZE };
	uint8_t hash[SHA256_DIGEST_LENGTH];
	size_t len;

	if (w.full)
		return 0;
	w.at += LENGTH_SIZE;
	put_number(&w, s->kind, 1);
	put_bytes(&w, s->record.sid, SID_SIZE);
	if (s->kind == STORED_RECORD)
		put_record(&w, &s->record, s->expires);
	else if (s->kind == STORED_CLOCK)
		put_number(&w, s->expires, 8);
	SHA256(out + LENGTH_SIZE, (size_t)(w.at - out) - LENGTH_SIZE, hash);
	put_bytes(&w, hash, STORED_CHECK);
	if (w.full)
		return 0;
	len = (size_t)(w.at - out);
	w.at = out;
	put_number(&w, len - LENGTH_SIZE, LENGTH_SIZE);
	return len;
}

// --------------------------------------------------------------------------------------------------------------- reading

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static const uint8_t *take(struct reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->bad || (size_t)(r->end - r->at) < len) {
		r->bad = true;
		return NULL;
	}
	r->at += len;
	return at;
}

static uint64_t take_number(struct reader *r, unsigned size, uint64_t most)
{
	const uint8_t *bytes = take(r, size);
	uint64_t n = 0;

	for (unsigned i = 0; bytes != NULL && i < size; i++)
		n = n << 8 | bytes[i];
	r->bad = r->bad || n > most;
	return n;
}

static void take_text(struct reader *r, char *out, size_t most)
{
	size_t len = take_number(r, 2, most), n;
	const uint8_t *text = take(r, len);

	for (size_t i = 0; text != NULL && i < len; i += n) {
		n = utf8_printable(text + i, len - i);
		if (n == 0) {
			r->bad = true;
			return;
		}
	}
	if (text == NULL)
		return;
	memcpy(out, text, len);
	out[len] = '\0';
}

static void take_addr(struct reader *r, struct addr *out)
{
	const uint8_t *bytes = take(r, ADDR_WIRE);

	if (bytes != NULL && addr_unpack(bytes, out) < 0)
		r->bad = true;
}

static void take_grants(struct reader *r, struct grants **out)
{
	char key[LIMIT_GRANT_KEY + 1], value[LIMIT_TEXT + 1];
	unsigned count = (unsigned)take_number(r, 2, LIMIT_GRANTS);

	for (unsigned i = 0; i < count && !r->bad; i++) {
		take_text(r, key, LIMIT_GRANT_KEY);
		take_text(r, value, LIMIT_TEXT);
		if (!r->bad && grants_add(out, key, value) < 0)
			r->bad = true;
	}
	secret_wipe(value, sizeof(value));
}

static void take_record(struct reader *r, struct stored *s)
{
	struct record *o = &s->record;
	uint64_t flags;

	take_text(r, o->user, LIMIT_USER);
	take_text(r, o->group, LIMIT_GROUP);
	take_text(r, o->user_agent, LIMIT_USER_AGENT);
	take_text(r, o->device_type, LIMIT_DEVICE);
	take_text(r, o->device_platform, LIMIT_DEVICE);
	take_text(r, o->vhost, LIMIT_VHOST);
	take_text(r, o->method, LIMIT_METHOD);
	take_text(r, o->acct_id, LIMIT_ACCT_ID);
	take_addr(r, &o->client);
	take_addr(r, &o->login);
	take_addr(r, &o->ipv4);
	take_addr(r, &o->ipv6);
	o->created = take_number(r, 8, INT64_MAX);
	s->expires = take_number(r, 8, INT64_MAX);
	o->connected = (int64_t)take_number(r, 8, INT64_MAX);
	o->session_timeout = (uint32_t)take_number(r, 4, UINT32_MAX);
	o->timeout_ms = (int64_t)take_number(r, 8, (uint64_t)INT32_MAX * 1000);
	flags = take_number(r, 1, 3);
	o->persistent = flags & 1;
	o->certified = flags >> 1;
	o->reason = (uint8_t)take_number(r, 1, END_REASON_LAST);
	take_grants(r, &o->grants);
	if (!r->bad && (o->user[0] == '\0' || o->client.family == 0 || o->login.family == 0))
		r->bad = true;
}

static void take_entry(struct reader *r, struct stored *s)
{
	const uint8_t *sid;

	s->kind = (uint8_t)take_number(r, 1, STORED_CLOCK);
	sid = take(r, SID_SIZE);
	if (sid != NULL)
		memcpy(s->record.sid, sid, SID_SIZE);
	if (s->kind == STORED_RECORD)
		take_record(r, s);
	else if (s->kind == STORED_CLOCK)
		s->expires = take_number(r, 8, INT64_MAX);
	r->bad = r->bad || s->kind == 0 || r->at != r->end;
}

long stored_get(const uint8_t *in, size_t len, struct stored *out)
{
	struct reader r = { in, in + len, false };
	uint8_t hash[SHA256_DIGEST_LENGTH];
	size_t size;

	if (len < LENGTH_SIZE)
		return 0;
	size = take_number(&r, LENGTH_SIZE, STORED_MAX);
	if (r.bad || size < 1 + SID_SIZE + STORED_CHECK)
		return -EBADMSG;
	if (len - LENGTH_SIZE < size)
		return 0;
	r.end = r.at + size - STORED_CHECK;
	SHA256(r.at, size - STORED_CHECK, hash);
	if (memcmp(hash, r.end, STORED_CHECK) != 0)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	take_entry(&r, out);
	if (r.bad) {
		stored_fini(out);
		return -EBADMSG;
	}
	return (long)(LENGTH_SIZE + size);
}

void stored_fini(struct stored *s)
{
	grants_free(s->record.grants);
	secret_wipe(s, sizeof(*s));
}
