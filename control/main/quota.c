#include "control/main/quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// 2020-01-01, before there was any of this: a clock that says less has not been set since the machine started.
#define CLOCK_SET 1577836800

struct quota_date quota_today(time_t now)
{
	struct tm tm;

	if (now < CLOCK_SET || !localtime_r(&now, &tm))
		return (struct quota_date){ 0, 0 };
	return (struct quota_date){
		.day = (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday),
		.month = (uint32_t)((tm.tm_year + 1900) * 100 + tm.tm_mon + 1),
	};
}

// ------------------------------------------------------------------------------------------------------------------ book

int quota_book_init(struct quota_book *b)
{
	TAILQ_INIT(&b->users);
	b->count = 0;
	return htab_init(&b->by_name);
}

static void user_free(struct quota_book *b, struct quota_user *u)
{
	TAILQ_REMOVE(&b->users, u, all);
	htab_remove(&b->by_name, &u->by_name);
	b->count--;
	free(u->vhost);
	free(u->user);
	free(u);
}

void quota_book_fini(struct quota_book *b)
{
	while (!TAILQ_EMPTY(&b->users))
		user_free(b, TAILQ_FIRST(&b->users));
	htab_fini(&b->by_name);
}

struct quota_user *quota_find(struct quota_book *b, const char *vhost, const char *user)
{
	for (struct hlink *l = htab_first(&b->by_name, htab_hash(user, strlen(user))); l; l = htab_next(l)) {
		struct quota_user *u = HTAB_OF(l, struct quota_user, by_name);

		if (strcmp(u->user, user) == 0 && strcmp(u->vhost, vhost) == 0)
			return u;
	}
	return NULL;
}

struct quota_user *quota_get(struct quota_book *b, const char *vhost, const char *user)
{
	struct quota_user *u = quota_find(b, vhost, user);

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->vhost = strdup(vhost);
	u->user = strdup(user);
	if (!u->vhost || !u->user) {
		free(u->vhost);
		free(u->user);
		free(u);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&b->users, u, all);
	htab_insert(&b->by_name, &u->by_name, htab_hash(user, strlen(user)));
	b->count++;
	return u;
}

// --------------------------------------------------------------------------------------------------------------- counting

static void roll(struct quota_count *c, uint32_t date)
{
	if (date == 0)
		return;
	if (date > c->date)
		c->bytes = 0;
	c->date = date;
}

void quota_roll(struct quota_user *u, const struct quota_date *today)
{
	roll(&u->day, today->day);
	roll(&u->month, today->month);
}

static void add(struct quota_count *c, uint64_t bytes)
{
	if (__builtin_add_overflow(c->bytes, bytes, &c->bytes))
		c->bytes = UINT64_MAX;
}

void quota_add(struct quota_user *u, const struct quota_date *today, uint64_t bytes)
{
	quota_roll(u, today);
	add(&u->day, bytes);
	add(&u->month, bytes);
}

void quota_reset(struct quota_user *u)
{
	u->day.bytes = u->month.bytes = 0;
}

const char *quota_exceeded(const struct quota_user *u, const struct quota_limits *l)
{
	if (l->month && u->month.bytes >= l->month)
		return "the quota of this month is used up";
	if (l->day && u->day.bytes >= l->day)
		return "the quota of this day is used up";
	return NULL;
}

// ------------------------------------------------------------------------------------------------------------- forgetting

static bool is_known(const struct quota_user *u, const struct quota_date *today)
{
	return u->holders || (u->month.bytes && u->month.date >= today->month) || (u->day.bytes && u->day.date >= today->day);
}

void quota_forget(struct quota_book *b, const struct quota_date *today)
{
	struct quota_user *u, *next;

	for (u = TAILQ_FIRST(&b->users); u; u = next) {
		next = TAILQ_NEXT(u, all);
		if (!is_known(u, today))
			user_free(b, u);
	}
}
