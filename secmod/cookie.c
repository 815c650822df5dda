#include "secmod/cookie.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "proto/states.h"
#include "secmod/grants.h"

TAILQ_HEAD(record_queue, record);
LIST_HEAD(record_bucket, record);

struct cookies {
	unsigned count, most;
	int64_t timeout_ms;
	cookie_gone gone;
	void *who;
	struct record *walk;
	struct record_queue idle, all;
	size_t mask;
	struct record_bucket buckets[];
};

struct cookies *cookies_new(unsigned most, int64_t timeout_ms, cookie_gone gone, void *who)
{
	size_t buckets = 256;
	struct cookies *c;

	while (buckets < most && buckets < LIMIT_TUNNELS)
		buckets *= 2;
	c = calloc(1, sizeof(*c) + buckets * sizeof(*c->buckets));
	if (c == NULL)
		return NULL;
	c->mask = buckets - 1;
	c->gone = gone;
	c->who = who;
	TAILQ_INIT(&c->idle);
	TAILQ_INIT(&c->all);
	cookies_configure(c, most, timeout_ms);
	return c;
}

void cookies_configure(struct cookies *c, unsigned most, int64_t timeout_ms)
{
	c->most = most;
	c->timeout_ms = timeout_ms;
}

unsigned cookies_count(const struct cookies *c)
{
	return c->count;
}

// A sid is a hash: its first bytes are as good as any.
static struct record_bucket *bucket_of(struct cookies *c, const uint8_t sid[SID_SIZE])
{
	uint64_t h;

	memcpy(&h, sid, sizeof(h));
	return &c->buckets[h & c->mask];
}

static struct record *find(struct cookies *c, const uint8_t sid[SID_SIZE])
{
	struct record *r;

	LIST_FOREACH(r, bucket_of(c, sid), bucket)
	if (secret_equal(r->sid, sid, SID_SIZE))
		return r;
	return NULL;
}

static void wipe(struct record *r)
{
	grants_free(r->grants);
	secret_wipe(r, sizeof(*r));
	free(r);
}

static void drop(struct cookies *c, struct record *r, uint8_t reason)
{
	if (c->walk == r)
		c->walk = TAILQ_NEXT(r, all);
	if (!r->uses)
		TAILQ_REMOVE(&c->idle, r, idle);
	TAILQ_REMOVE(&c->all, r, all);
	LIST_REMOVE(r, bucket);
	c->count--;
	c->gone(c->who, r, reason);
	wipe(r);
}

void cookies_free(struct cookies *c)
{
	struct record *r;

	if (c == NULL)
		return;
	while ((r = TAILQ_FIRST(&c->all)) != NULL) {
		TAILQ_REMOVE(&c->all, r, all);
		wipe(r);
	}
	free(c);
}

// Ordered by deadline. Mostly an append: only a reload with a shorter timeout makes it walk.
static void set_idle(struct cookies *c, struct record *r, int64_t now)
{
	struct record *before = TAILQ_LAST(&c->idle, record_queue);

	r->uses = 0;
	r->deadline = now + c->timeout_ms;
	while (before != NULL && before->deadline > r->deadline)
		before = TAILQ_PREV(before, record_queue, idle);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&c->idle, before, r, idle);
	else
		TAILQ_INSERT_HEAD(&c->idle, r, idle);
}

int cookies_issue(struct cookies *c, const struct record *who, int64_t now, uint64_t wall, uint8_t cookie[COOKIE_SIZE])
{
	uint8_t fresh[COOKIE_SIZE];
	struct record *r;
	int ret;

	while (c->count >= c->most && !TAILQ_EMPTY(&c->idle))
		drop(c, TAILQ_FIRST(&c->idle), END_NONE);
	if (c->count >= c->most)
		return -ENOSPC;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	ret = secret_random(fresh, sizeof(fresh));
	if (ret < 0) {
		free(r);
		return ret;
	}
	*r = *who;
	SHA256(fresh, sizeof(fresh), r->sid);
	r->login = who->client;
	r->created = wall;
	r->reason = END_NONE;
	set_idle(c, r, now);
	TAILQ_INSERT_TAIL(&c->all, r, all);
	LIST_INSERT_HEAD(bucket_of(c, r->sid), r, bucket);
	c->count++;
	memcpy(cookie, fresh, sizeof(fresh));
	secret_wipe(fresh, sizeof(fresh));
	return 0;
}

const struct record *cookies_open(struct cookies *c, const uint8_t cookie[COOKIE_SIZE], const struct addr *client, int64_t now)
{
	uint8_t sid[SID_SIZE];
	struct record *r;

	SHA256(cookie, COOKIE_SIZE, sid);
	r = find(c, sid);
	if (r == NULL)
		return NULL;
	if (!r->uses && r->deadline <= now) {
		drop(c, r, r->reason);
		return NULL;
	}
	if (!r->uses)
		TAILQ_REMOVE(&c->idle, r, idle);
	r->uses++;
	r->client = *client;
	return r;
}

const struct record *cookies_find(struct cookies *c, const uint8_t sid[SID_SIZE])
{
	return find(c, sid);
}

int cookies_close(struct cookies *c, const uint8_t sid[SID_SIZE], bool revoke, uint8_t reason, int64_t now)
{
	struct record *r = find(c, sid);

	if (r == NULL)
		return -ENOENT;
	if (revoke) {
		drop(c, r, reason);
		return 0;
	}
	if (!r->uses)
		return 0;
	r->reason = reason;
	if (--r->uses == 0)
		set_idle(c, r, now);
	return 0;
}

unsigned cookies_revoke_sid(struct cookies *c, const uint8_t sid[SID_SIZE], uint8_t reason)
{
	struct record *r = find(c, sid);

	if (r == NULL)
		return 0;
	drop(c, r, reason);
	return 1;
}

unsigned cookies_revoke_user(struct cookies *c, const char *user, uint8_t reason)
{
	struct record *r, *next;
	unsigned n = 0;

	for (r = TAILQ_FIRST(&c->all); r != NULL; r = next) {
		next = TAILQ_NEXT(r, all);
		if (strcmp(r->user, user) != 0)
			continue;
		drop(c, r, reason);
		n++;
	}
	return n;
}

int64_t cookies_expire(struct cookies *c, int64_t now)
{
	struct record *r;

	while ((r = TAILQ_FIRST(&c->idle)) != NULL) {
		if (r->deadline > now)
			return r->deadline - now;
		drop(c, r, r->reason);
	}
	return -1;
}

void cookies_walk(struct cookies *c)
{
	c->walk = TAILQ_FIRST(&c->all);
}

const struct record *cookies_peek(const struct cookies *c)
{
	return c->walk;
}

void cookies_next(struct cookies *c)
{
	if (c->walk != NULL)
		c->walk = TAILQ_NEXT(c->walk, all);
}
