#include "control/main/ban.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "control/main/htab.h"
#include "control/main/state.h"

struct ban {
	struct hlink link;
	TAILQ_ENTRY(ban) order; // in `scored` or `banned`, newest first
	struct ban_row row;
	uint64_t faded; // up to when its score has
};

TAILQ_HEAD(ban_queue, ban);

// A name that is being guessed. Names are many and chosen by clients: a fixed table, of which each has one place.
#define NAMES 4096
struct guess {
	uint64_t hash;
	uint32_t score;
	uint64_t faded;
};

struct ban_list {
	struct ban_rules rules;
	struct htab table;
	size_t entries_max, banned_count;
	struct ban_queue scored, banned;
	struct guess names[NAMES];
};

static void ban_key(const struct addr *who, uint8_t prefix, struct addr *key)
{
	*key = (struct addr){ .family = who->family, .prefix = prefix };
	memcpy(key->ip, who->ip, prefix / 8);
}

// The networks that an address is scored with, narrow ones first.
static const uint8_t *prefixes_of(const struct addr *who)
{
	static const uint8_t ipv4[] = { 32, 0 }, ipv6[] = { 64, 48, 0 };

	return who->family == 4 ? ipv4 : ipv6;
}

void ban_place(const struct addr *who, struct addr *out)
{
	ban_key(who, prefixes_of(who)[0], out);
}

static uint32_t limit_of(const struct ban_list *b, uint8_t prefix)
{
	uint64_t limit = prefix == 48 ? (uint64_t)b->rules.max_score * BAN_WIDE : b->rules.max_score;

	return limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

// What is left of a score. *faded moves by the time that whole points took, so that no part of one is lost by looking often.
static uint32_t fade(uint32_t score, uint32_t limit, uint32_t reset_seconds, uint64_t *faded, uint64_t now)
{
	uint64_t elapsed = now - *faded, points;

	if (elapsed >= reset_seconds || !limit) {
		*faded = now;
		return 0;
	}
	points = elapsed * limit / reset_seconds;
	*faded += points * reset_seconds / limit;
	return points >= score ? 0 : score - (uint32_t)points;
}

static uint32_t add(uint32_t score, uint32_t points)
{
	return points > UINT32_MAX - score ? UINT32_MAX : score + points;
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
	e->row.since = e->faded = now;
	htab_insert(&b->table, &e->link, hash);
	TAILQ_INSERT_HEAD(&b->scored, e, order);
	return e;
}

static void ban_fade(struct ban_list *b, struct ban *e, uint64_t now)
{
	if (e->row.until)
		return;
	e->row.score = fade(e->row.score, limit_of(b, e->row.who.prefix), b->rules.reset_seconds, &e->faded, now);
	if (!e->row.score)
		e->row.since = e->faded = now;
}

// True: a ban has just been made.
static bool score_one(struct ban_list *b, const struct addr *key, uint32_t points, uint64_t now)
{
	uint64_t hash = htab_hash(key, sizeof(*key));
	struct ban *e = ban_find(b, key, hash);

	if (!e)
		e = ban_new(b, key, hash, now);
	if (!e)
		return false;
	ban_fade(b, e, now);
	e->row.score = add(e->row.score, points);
	if (e->row.until)
		return false;
	TAILQ_REMOVE(&b->scored, e, order);
	if (e->row.score < limit_of(b, key->prefix)) {
		TAILQ_INSERT_HEAD(&b->scored, e, order);
		return false;
	}
	e->row.since = now;
	e->row.until = now + (b->rules.ban_seconds ? b->rules.ban_seconds : 1);
	TAILQ_INSERT_HEAD(&b->banned, e, order);
	b->banned_count++;
	return true;
}

unsigned ban_score(struct ban_list *b, const struct addr *who, uint32_t points, uint64_t now)
{
	unsigned made = 0;
	struct addr key;

	if (!b->rules.max_score || !points || !who->family)
		return 0;
	expire(b, now);
	for (const uint8_t *prefix = prefixes_of(who); *prefix; prefix++) {
		ban_key(who, *prefix, &key);
		if (score_one(b, &key, points, now))
			made = *prefix;
	}
	return made;
}

bool ban_active(struct ban_list *b, const struct addr *who, uint64_t now)
{
	struct addr key;
	struct ban *e;

	expire(b, now);
	if (!b->banned_count)
		return false;
	for (const uint8_t *prefix = prefixes_of(who); *prefix; prefix++) {
		ban_key(who, *prefix, &key);
		e = ban_find(b, &key, htab_hash(&key, sizeof(key)));
		if (e && e->row.until > now) // a reload may have shortened bans: then order is not expiry
			return true;
	}
	return false;
}

bool ban_lift(struct ban_list *b, const struct addr *who)
{
	bool host = who->prefix == (who->family == 4 ? 32 : 128), found = false;
	struct addr key;
	struct ban *e;

	for (const uint8_t *prefix = prefixes_of(who); *prefix; prefix++) {
		if (!host && *prefix != who->prefix)
			continue;
		ban_key(who, *prefix, &key);
		e = ban_find(b, &key, htab_hash(&key, sizeof(key)));
		if (!e)
			continue;
		ban_drop(b, e);
		found = true;
	}
	return found;
}

bool ban_guess(struct ban_list *b, const char *name, uint32_t points, uint64_t now)
{
	uint64_t hash = htab_hash(name, strlen(name));
	struct guess *n = &b->names[hash % NAMES];

	if (!b->rules.max_score || !points)
		return false;
	n->score = fade(n->score, b->rules.max_score, b->rules.reset_seconds, &n->faded, now);
	if (n->hash != hash) {
		// a name with more than a slip behind it is not pushed out by others
		if (n->score > 2 * (uint64_t)points)
			return false;
		*n = (struct guess){ .hash = hash, .faded = now };
	}
	n->score = add(n->score, points);
	if (n->score < b->rules.max_score)
		return false;
	n->score = b->rules.max_score;
	return true;
}

size_t ban_count(struct ban_list *b, uint64_t now)
{
	expire(b, now);
	return b->banned_count;
}

size_t ban_entries(const struct ban_list *b)
{
	return b->table.count;
}

size_t ban_rows(struct ban_list *b, uint64_t now, bool scored, struct ban_row *rows, size_t room)
{
	size_t n = 0;
	struct ban *e;

	expire(b, now);
	TAILQ_FOREACH(e, &b->banned, order)
	if (n < room)
		rows[n++] = e->row;
	if (!scored)
		return n;
	TAILQ_FOREACH(e, &b->scored, order)
	{
		ban_fade(b, e, now);
		if (e->row.score && n < room)
			rows[n++] = e->row;
	}
	return n;
}

// -------------------------------------------------------------------------------------------------------------- handover

static const struct state_field ban_fields[] = {
	STATE_ADDR(struct ban, row.who),     STATE_NUMBER(struct ban, row.score), STATE_NUMBER(struct ban, row.since),
	STATE_NUMBER(struct ban, row.until), STATE_NUMBER(struct ban, faded),
};

struct nth_guess {
	uint16_t place;
	struct guess guess;
};

static const struct state_field guess_fields[] = {
	STATE_UPTO(struct nth_guess, place, NAMES - 1),
	STATE_NUMBER(struct nth_guess, guess.hash),
	STATE_NUMBER(struct nth_guess, guess.score),
	STATE_NUMBER(struct nth_guess, guess.faded),
};

static void queue_save(const struct ban_queue *q, struct state_writer *w)
{
	const struct ban *e;

	TAILQ_FOREACH_REVERSE(e, q, ban_queue, order)
	state_write(w, "ban", STATE_PARTS(STATE_PART("", ban_fields, e)));
}

void ban_save(const struct ban_list *b, struct state_writer *w)
{
	queue_save(&b->scored, w);
	queue_save(&b->banned, w);
	for (unsigned i = 0; i < NAMES; i++)
		if (b->names[i].score)
			state_write(w, "guess",
			            STATE_PARTS(STATE_PART("", guess_fields, &((struct nth_guess){ (uint16_t)i, b->names[i] }))));
}

int ban_restore(struct ban_list *b, const struct state_record *rec)
{
	struct ban *e = calloc(1, sizeof(*e));
	int ret = e ? state_read(rec, STATE_PARTS(STATE_PART("", ban_fields, e))) : -ENOMEM;

	if (ret < 0 || !e->row.who.family) {
		free(e);
		return ret < 0 ? ret : -EBADMSG;
	}
	make_room(b);
	htab_insert(&b->table, &e->link, htab_hash(&e->row.who, sizeof(e->row.who)));
	TAILQ_INSERT_HEAD(queue_of(b, e), e, order);
	b->banned_count += e->row.until > 0;
	return 0;
}

int ban_guess_restore(struct ban_list *b, const struct state_record *rec)
{
	struct nth_guess n = { 0 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", guess_fields, &n)));

	if (ret == 0)
		b->names[n.place] = n.guess;
	return ret;
}
