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
	cookie_gone gone;
	cookie_changed changed;
	void *who;
	struct record *walk;
	struct record_queue idle, all;
	size_t mask;
	struct record_bucket buckets[];
};

struct cookies *cookies_new(unsigned most, cookie_gone gone, cookie_changed changed, void *who)
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
	c->changed = changed;
	c->who = who;
	TAILQ_INIT(&c->idle);
	TAILQ_INIT(&c->all);
	cookies_configure(c, most);
	return c;
}

void cookies_configure(struct cookies *c, unsigned most)
{
	c->most = most;
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

static void take_out(struct cookies *c, struct record *r)
{
	if (c->walk == r)
		c->walk = TAILQ_NEXT(r, all);
	if (!r->uses)
		TAILQ_REMOVE(&c->idle, r, idle);
	TAILQ_REMOVE(&c->all, r, all);
	LIST_REMOVE(r, bucket);
	c->count--;
}

static void drop(struct cookies *c, struct record *r, uint8_t reason)
{
	take_out(c, r);
	c->gone(c->who, r, reason);
	wipe(r);
}

static void put_in(struct cookies *c, struct record *r)
{
	TAILQ_INSERT_TAIL(&c->all, r, all);
	LIST_INSERT_HEAD(bucket_of(c, r->sid), r, bucket);
	c->count++;
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

// Ordered by deadline. Mostly an append: only where timeouts differ it walks.
static void set_idle(struct cookies *c, struct record *r, int64_t deadline)
{
	struct record *before = TAILQ_LAST(&c->idle, record_queue);

	r->uses = 0;
	r->deadline = deadline;
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
	set_idle(c, r, now + r->timeout_ms);
	put_in(c, r);
	c->changed(c->who, r);
	memcpy(cookie, fresh, sizeof(fresh));
	secret_wipe(fresh, sizeof(fresh));
	return 0;
}

static struct record *look(struct cookies *c, const uint8_t cookie[COOKIE_SIZE], int64_t now)
{
	uint8_t sid[SID_SIZE];
	struct record *r;

	SHA256(cookie, COOKIE_SIZE, sid);
	r = find(c, sid);
	if (r == NULL || r->uses || r->deadline > now)
		return r;
	drop(c, r, r->reason);
	return NULL;
}

const struct record *cookies_look(struct cookies *c, const uint8_t cookie[COOKIE_SIZE], int64_t now)
{
	return look(c, cookie, now);
}

const struct record *cookies_open(struct cookies *c, const uint8_t cookie[COOKIE_SIZE], const struct addr *client, int64_t now)
{
	struct record *r = look(c, cookie, now);

	if (r == NULL)
		return NULL;
	if (!r->uses)
		TAILQ_REMOVE(&c->idle, r, idle);
	if (r->uses++ == 0 || !addr_equal(&r->client, client)) {
		r->client = *client;
		c->changed(c->who, r);
	}
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
	if (revoke && !(r->persistent && reason == END_BY_USER)) {
		drop(c, r, reason);
		return 0;
	}
	if (!r->uses)
		return 0;
	r->reason = reason;
	if (--r->uses > 0)
		return 0;
	set_idle(c, r, now + r->timeout_ms);
	c->changed(c->who, r);
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

// ------------------------------------------------------------------------------------------------------- what main says

int cookies_lease(struct cookies *c, const uint8_t sid[SID_SIZE], const struct record *what)
{
	struct record *r = find(c, sid);

	if (r == NULL)
		return -ENOENT;
	if (addr_equal(&r->ipv4, &what->ipv4) && addr_equal(&r->ipv6, &what->ipv6) && r->connected != 0 &&
	    r->session_timeout == what->session_timeout)
		return 0;
	r->ipv4 = what->ipv4;
	r->ipv6 = what->ipv6;
	if (r->connected == 0)
		r->connected = what->connected;
	r->session_timeout = what->session_timeout;
	c->changed(c->who, r);
	return 0;
}

int cookies_resume(struct cookies *c, const uint8_t sid[SID_SIZE], uint32_t uses, int64_t now)
{
	struct record *r = find(c, sid);

	if (r == NULL)
		return -ENOENT;
	if (!r->uses && !uses)
		return 0;
	if (!r->uses)
		TAILQ_REMOVE(&c->idle, r, idle);
	r->uses = uses;
	if (!uses)
		set_idle(c, r, now + r->timeout_ms);
	c->changed(c->who, r);
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- restarts

int cookies_restore(struct cookies *c, const struct record *old, uint64_t expires, int64_t now, uint64_t wall)
{
	struct record *r = find(c, old->sid);
	int64_t left = old->timeout_ms;

	if (r != NULL) {
		take_out(c, r);
		wipe(r);
	}
	if (c->count >= c->most)
		return -ENOSPC;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	*r = *old;
	r->uses = 0;
	r->restored = true;
	// a clock that was set back makes nothing live longer
	if (expires != 0 && (expires <= wall || (expires - wall) * 1000 < (uint64_t)left))
		left = expires > wall ? (int64_t)(expires - wall) * 1000 : 0;
	set_idle(c, r, now + left);
	put_in(c, r);
	return 0;
}

void cookies_forget(struct cookies *c, const uint8_t sid[SID_SIZE])
{
	struct record *r;

	while ((r = sid != NULL ? find(c, sid) : TAILQ_FIRST(&c->all)) != NULL) {
		take_out(c, r);
		wipe(r);
	}
}

void cookies_each(struct cookies *c, void (*fn)(void *who, const struct record *r), void *who)
{
	const struct record *r;

	TAILQ_FOREACH(r, &c->all, all)
	fn(who, r);
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
