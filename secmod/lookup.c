#include "secmod/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/log.h"
#include "secmod/names.h"
#include "secmod/pool.h"

#define NAME_MAX_LEN 255
#define LOOKUPS_MAX 64
#define STOP_PATIENCE_MS 1000

struct lookup {
	struct pool_job job;
	lookup_done done; // NULL: cancelled
	void *who;
	char name[NAME_MAX_LEN + 1];
	struct addr found; // family 0: nothing
};

// No thread before the first name.
static struct {
	struct event_base *base;
	struct pool *pool;
	struct event *completion;
} lookups;

int lookup_numeric(const char *name, struct addr *out)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return -EHOSTUNREACH;
	addr_from_sockaddr(found->ai_addr, out);
	freeaddrinfo(found);
	return out->family != 0 ? 0 : -EHOSTUNREACH;
}

static void on_completion(evutil_socket_t fd, short what, void *who)
{
	pool_reap(who);
}

void lookup_start(struct event_base *base)
{
	lookups.base = base;
}

static struct pool *pool_ready(void)
{
	if (lookups.pool != NULL || lookups.base == NULL)
		return lookups.pool;
	lookups.pool = pool_new(1, LOOKUPS_MAX, 1);
	if (lookups.pool == NULL)
		return NULL;
	lookups.completion = event_new(lookups.base, pool_fd(lookups.pool), EV_READ | EV_PERSIST, on_completion, lookups.pool);
	if (lookups.completion == NULL || event_add(lookups.completion, NULL) < 0)
		log_err("names cannot be looked up: no memory");
	return lookups.pool;
}

int lookup_stop(void)
{
	struct pool *pool = lookups.pool;

	if (lookups.completion != NULL)
		event_free(lookups.completion);
	lookups.completion = NULL;
	lookups.pool = NULL;
	lookups.base = NULL;
	return pool != NULL ? pool_stop(pool, STOP_PATIENCE_MS) : 0;
}

static void on_run(struct pool_job *job, void *scratch)
{
	struct lookup *l = (struct lookup *)job;

	if (names_host(l->name, &l->found) < 0)
		l->found = (struct addr){ 0 };
}

static void on_done(struct pool_job *job)
{
	struct lookup *l = (struct lookup *)job;

	if (l->done != NULL)
		l->done(l->who, l->found.family != 0 ? &l->found : NULL);
	free(l);
}

struct lookup *lookup_name(const char *name, lookup_done done, void *who)
{
	struct lookup *l = pool_ready() != NULL ? calloc(1, sizeof(*l)) : NULL;

	if (l == NULL)
		return NULL;
	l->job = (struct pool_job){ .run = on_run, .done = on_done };
	l->done = done;
	l->who = who;
	snprintf(l->name, sizeof(l->name), "%s", name);
	if (pool_put(lookups.pool, &l->job) == 0)
		return l;
	free(l);
	return NULL;
}

void lookup_cancel(struct lookup *l)
{
	if (l != NULL)
		l->done = NULL;
}
