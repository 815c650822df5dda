#include "handshake.h"

#include <string.h>

// Record header, handshake header, version: then comes the random (RFC 6347 4.2.1).
#define RANDOM_OFFSET (13 + 12 + 2)
// A handshake takes two round trips: that long nobody takes its slot.
#define PROTECTED_SECONDS 1
// One that has its keys has proven who it is, and waits for the client's first data.
#define KEYED_SECONDS 10
#define FORGOTTEN_SECONDS 60

const uint8_t *hello_random(const uint8_t *datagram, size_t len)
{
	return len >= RANDOM_OFFSET + HELLO_RANDOM ? datagram + RANDOM_OFFSET : NULL;
}

static bool path_same(const struct path *a, const struct path *b)
{
	return a->key.family && memcmp(&a->key, &b->key, sizeof(a->key)) == 0;
}

static uint64_t random_mark(const uint8_t random[HELLO_RANDOM])
{
	uint64_t mark;

	memcpy(&mark, random + HELLO_RANDOM - sizeof(mark), sizeof(mark));
	return mark;
}

static bool is_past(const struct handshakes *h, const uint8_t random[HELLO_RANDOM])
{
	uint64_t mark = random_mark(random);

	for (unsigned i = 0; i < RTE_MIN(h->n_past, (unsigned)HANDSHAKE_PAST); i++)
		if (h->past[i] == mark)
			return true;
	return false;
}

static bool path_used(const struct handshakes *h, const struct path *p)
{
	for (unsigned i = 0; i < HANDSHAKE_SLOTS; i++)
		if (h->slot[i].number && path_same(&h->slot[i].path, p))
			return true;
	return path_same(&h->path, p) || path_same(&h->left, p);
}

static void path_drop(const struct path_book *b, const struct handshakes *h, uint32_t tunnel, const struct path *p)
{
	if (p->key.family && !path_used(h, p))
		tables_unlink(b->tables, &b->tables->by_path, &p->key, tunnel);
}

static bool path_claim(const struct path_book *b, uint32_t tunnel, const struct path *p)
{
	uint32_t owner;

	if (tables_find(&b->tables->by_path, &p->key, &owner)) {
		if (owner == tunnel)
			return true;
		if (!b->yields(b->who, owner, p))
			return false;
	}
	return tables_relink(&b->tables->by_path, &p->key, tunnel) == 0;
}

static void slot_free(const struct path_book *b, struct handshakes *h, uint32_t tunnel, struct handshake *s)
{
	struct path was = s->path;

	if (!s->number)
		return;
	h->past[h->n_past++ % HANDSHAKE_PAST] = random_mark(s->random);
	memset(s, 0, sizeof(*s));
	path_drop(b, h, tunnel, &was);
}

static bool slot_may_go(const struct path_book *b, const struct handshake *s, uint64_t now)
{
	return now - s->started >= (s->cipher ? KEYED_SECONDS : PROTECTED_SECONDS) * b->hz;
}

// A free one, else the oldest that may go; without keys before with.
static struct handshake *slot_choose(const struct path_book *b, struct handshakes *h, uint64_t now)
{
	struct handshake *best = NULL, *s;

	for (s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++) {
		if (!s->number)
			return s;
		if (!slot_may_go(b, s, now))
			continue;
		if (!best || (best->cipher && !s->cipher) || (!best->cipher == !s->cipher && s->started < best->started))
			best = s;
	}
	return best;
}

// The path is claimed before the old one is given up: they may be the same.
static bool slot_begin(const struct path_book *b, struct handshakes *h, uint32_t tunnel, struct handshake *s,
                       const struct path *from)
{
	struct path was = s->path;

	if (!path_claim(b, tunnel, from))
		return false;
	if (s->number)
		h->past[h->n_past++ % HANDSHAKE_PAST] = random_mark(s->random);
	memset(s, 0, sizeof(*s));
	s->number = ++h->last;
	s->path = *from;
	path_drop(b, h, tunnel, &was);
	return true;
}

struct handshake *handshake_hello(const struct path_book *b, struct handshakes *h, uint32_t tunnel, const struct path *from,
                                  const uint8_t random[HELLO_RANDOM], uint64_t now)
{
	struct handshake *s;

	for (s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++) {
		if (s->number && path_same(&s->path, from) && memcmp(s->random, random, HELLO_RANDOM) == 0) {
			s->path = *from;
			return s;
		}
	}
	if (is_past(h, random) || h->last == UINT32_MAX)
		return NULL;
	s = slot_choose(b, h, now);
	if (!s || !slot_begin(b, h, tunnel, s, from))
		return NULL;
	s->started = now;
	memcpy(s->random, random, HELLO_RANDOM);
	return s;
}

struct handshake *handshake_of_path(struct handshakes *h, const struct path *from)
{
	struct handshake *best = NULL;

	for (struct handshake *s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++)
		if (s->number && path_same(&s->path, from) && (!best || s->number > best->number))
			best = s;
	return best;
}

struct handshake *handshake_find(struct handshakes *h, uint32_t number)
{
	for (struct handshake *s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++)
		if (s->number == number && number)
			return s;
	return NULL;
}

uint32_t handshake_number(struct handshakes *h, const struct path *from)
{
	struct handshake *s = handshake_of_path(h, from);

	if (s)
		return s->number;
	return path_same(&h->path, from) ? h->confirmed : 0;
}

const struct path *handshake_path(struct handshakes *h, uint32_t number)
{
	struct handshake *s = handshake_find(h, number);

	if (s)
		return &s->path;
	return number == h->confirmed && h->path.key.family ? &h->path : NULL;
}

bool handshake_running(const struct handshakes *h)
{
	for (const struct handshake *s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++)
		if (s->number)
			return true;
	return false;
}

void handshake_keyed(const struct path_book *b, struct handshakes *h, uint32_t tunnel, struct handshake *s, uint8_t cipher)
{
	for (struct handshake *other = h->slot; other < h->slot + HANDSHAKE_SLOTS; other++)
		if (other != s && other->cipher)
			slot_free(b, h, tunnel, other);
	s->cipher = cipher;
}

bool handshake_confirmed(const struct path_book *b, struct handshakes *h, uint32_t tunnel, uint32_t number)
{
	struct handshake *s = handshake_find(h, number);

	if (!s)
		return false;
	handshake_leave(b, h, tunnel);
	h->left = h->path;
	h->confirmed = number;
	h->cipher = s->cipher;
	h->path = s->path;
	slot_free(b, h, tunnel, s);
	for (s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++)
		if (s->number && s->number < number)
			slot_free(b, h, tunnel, s);
	return true;
}

void handshake_leave(const struct path_book *b, struct handshakes *h, uint32_t tunnel)
{
	struct path left = h->left;

	if (!left.key.family)
		return;
	memset(&h->left, 0, sizeof(h->left));
	path_drop(b, h, tunnel, &left);
}

bool handshake_has_left(struct handshakes *h, const struct path *p)
{
	return path_same(&h->left, p) && !path_same(&h->path, p) && !handshake_of_path(h, p);
}

bool handshake_roamed(const struct path_book *b, struct handshakes *h, uint32_t tunnel, uint32_t number, const struct path *to)
{
	struct path before = h->path;

	if (number != h->confirmed || !path_claim(b, tunnel, to))
		return false;
	h->path = *to;
	path_drop(b, h, tunnel, &before);
	return true;
}

void handshake_sweep(const struct path_book *b, struct handshakes *h, uint32_t tunnel, uint64_t now)
{
	for (struct handshake *s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++)
		if (s->number && now - s->started >= FORGOTTEN_SECONDS * b->hz)
			slot_free(b, h, tunnel, s);
}

void handshake_lose_path(struct handshakes *h, const struct path *p)
{
	for (struct handshake *s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++)
		if (s->number && path_same(&s->path, p))
			memset(s, 0, sizeof(*s));
	if (path_same(&h->path, p))
		memset(&h->path, 0, sizeof(h->path));
	if (path_same(&h->left, p))
		memset(&h->left, 0, sizeof(h->left));
}

void handshake_forget(const struct path_book *b, struct handshakes *h, uint32_t tunnel)
{
	struct path before = h->path;

	for (struct handshake *s = h->slot; s < h->slot + HANDSHAKE_SLOTS; s++)
		slot_free(b, h, tunnel, s);
	memset(&h->path, 0, sizeof(h->path));
	path_drop(b, h, tunnel, &before);
	handshake_leave(b, h, tunnel);
}
