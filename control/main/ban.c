#include "control/main/ban.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "control/main/htab.h"

struct ban {
	struct hlink link;
	TAILQ_ENTRY(ban) order; // in `scored` or `banned`, newest first
	struct ban_row row;
};

TAILQ_HEAD(ban_queue, ban);

struct ban_list {
	struct ban_rules rules;
	struct htab table;
	size_t entries_max, banned_count;
	struct ban_queue scored, banned;
};

static void ban_key(const struct addr *who, struct addr *key)
{
	*key = (struct addr){ .family = who->family, .prefix = who->family == 4 ? 32 : 64 };
	memcpy(key->ip, who->ip, who->family == 4 ? 4 : 8);
}

static struct ban *ban_find(struct ban_list *b, const struct addr *key, uint64_t hash)
{
	for (struct hlink *l = htab_first(&b->table, hash); l; l = htab_next(l)) {
		struct ban *e = HTAB_OF(l, struct ban, link);

		if (memcmp(&e->row.who, key, sizeof(*key)) == 0)
			return e;
	}
	return NULL;
}

static struct ban_queue *queue_of(struct ban_list *b, const struct ban *e)
{
	return e->row.until ? &b->banned : &b->scored;
}

static void ban_drop(struct ban_list *b, struct ban *e)
{
	TAILQ_REMOVE(queue_of(b, e), e, order);
	if (e->row.until)
		b->banned_count--;
	htab_remove(&b->table, &e->link);
	free(e);
}

// All bans last equally long, so the oldest ends first.
static void expire(struct ban_list *b, uint64_t now)
{
	struct ban *e;

	while ((e = TAILQ_LAST(&b->banned, ban_queue)) && e->row.until <= now)
		ban_drop(b, e);
}

static void make_room(struct ban_list *b)
{
	struct ban *e;

	if (b->table.count < b->entries_max)
		return;
	e = TAILQ_LAST(&b->scored, ban_queue);
	if (!e)
		e = TAILQ_LAST(&b->banned, ban_queue);
	ban_drop(b, e);
}

struct ban_list *ban_list_new(const struct ban_rules *rules, size_t entries_max)
{
	struct ban_list *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	if (htab_init(&b->table) < 0) {
		free(b);
		errno = ENOMEM;
		return NULL;
	}
	b->rules = *rules;
	b->entries_max = entries_max;
	TAILQ_INIT(&b->scored);
	TAILQ_INIT(&b->banned);
	return b;
}

void ban_list_free(struct ban_list *b)
{
	struct ban *e;

	if (!b)
		return;
	while ((e = TAILQ_FIRST(&b->scored)) || (e = TAILQ_FIRST(&b->banned)))
		ban_drop(b, e);
	htab_fini(&b->table);
	free(b);
}

void ban_set_rules(struct ban_list *b, const struct ban_rules *rules)
{
	b->rules = *rules;
}

static struct ban *ban_new(struct ban_list *b, const struct addr *key, uint64_t hash, uint64_t now)
{
	struct ban *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	make_room(b);
	e->row.who = *key;
	e->row.since = now;
	htab_insert(&b->table, &e->link, hash);
	TAILQ_INSERT_HEAD(&b->scored, e, order);
	return e;
}

bool ban_score(struct ban_list *b, const struct addr *who, uint32_t points, uint64_t now)
{
	struct addr key;
	struct ban *e;
	uint64_t hash;

	if (!b->rules.max_score || !points || !who->family)
		return false;
	expire(b, now);
	ban_key(who, &key);
	hash = htab_hash(&key, sizeof(key));
	e = ban_find(b, &key, hash);
	if (!e)
		e = ban_new(b, &key, hash, now);
	if (!e)
		return false;
	if (e->row.until) {
		e->row.score = points > UINT32_MAX - e->row.score ? UINT32_MAX : e->row.score + points;
		return false;
	}
	if (now - e->row.since >= b->rules.reset_seconds) {
		e->row.score = 0;
		e->row.since = now;
	}
	e->row.score = points > UINT32_MAX - e->row.score ? UINT32_MAX : e->row.score + points;
	TAILQ_REMOVE(&b->scored, e, order);
	if (e->row.score < b->rules.max_score) {
		TAILQ_INSERT_HEAD(&b->scored, e, order);
		return false;
	}
	e->row.since = now;
	e->row.until = now + (b->rules.ban_seconds ? b->rules.ban_seconds : 1);
	TAILQ_INSERT_HEAD(&b->banned, e, order);
	b->banned_count++;
	return true;
}

bool ban_active(struct ban_list *b, const struct addr *who, uint64_t now)
{
	struct addr key;
	struct ban *e;

	expire(b, now);
	if (!b->banned_count)
		return false;
	ban_key(who, &key);
	e = ban_find(b, &key, htab_hash(&key, sizeof(key)));
	return e && e->row.until > now; // a reload may have shortened bans: then order is not expiry
}

bool ban_lift(struct ban_list *b, const struct addr *who)
{
	struct addr key;
	struct ban *e;

	ban_key(who, &key);
	e = ban_find(b, &key, htab_hash(&key, sizeof(key)));
	if (!e)
		return false;
	ban_drop(b, e);
	return true;
}

size_t ban_count(struct ban_list *b, uint64_t now)
{
	expire(b, now);
	return b->banned_count;
}

size_t ban_rows(struct ban_list *b, uint64_t now, struct ban_row *rows, size_t room)
{
	size_t n = 0;
	struct ban *e;

	expire(b, now);
	TAILQ_FOREACH(e, &b->banned, order)
	{
		if (n == room)
			break;
		rows[n++] = e->row;
	}
	return n;
}
