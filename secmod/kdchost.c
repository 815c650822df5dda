#include "secmod/kdchost.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "proto/log.h"
#include "secmod/lookup.h"

struct kdchost {
	unsigned refs;
	struct addr addr;
	struct lookup *lookup; // under way
	bool lost;             // nobody knew it, as has been said
	bool doubted;
	TAILQ_ENTRY(kdchost) next;
	char name[];
};

TAILQ_HEAD(kdchost_list, kdchost);

static struct {
	struct kdchost_list all;
	struct event *again;
} hosts = { .all = TAILQ_HEAD_INITIALIZER(hosts.all) };

static void on_found(void *who, const struct addr *found)
{
	struct kdchost *h = who;
	char text[ADDR_TEXT];

	h->lookup = NULL;
	if (found == NULL && h->addr.family == 0 && !h->lost) {
		log_warn("KDC %s: its address cannot be found, and is looked up again", h->name);
		h->lost = true;
	}
	if (found == NULL || addr_equal(found, &h->addr))
		return;
	h->addr = *found;
	h->lost = false;
	log_notice("KDC %s is %s now", h->name, addr_text(&h->addr, text));
}

// Of one that could not be begun now the timer thinks.
static void look_up(struct kdchost *h)
{
	if (h->lookup == NULL)
		h->lookup = lookup_name(h->name, on_found, h);
	if (h->lookup != NULL)
		h->doubted = false;
}

static void on_again(evutil_socket_t fd, short what, void *who)
{
	struct kdchost *h;

	TAILQ_FOREACH(h, &hosts.all, next)
	if (h->addr.family == 0 || h->doubted)
		look_up(h);
}

int kdchosts_start(struct event_base *base, uint32_t again_ms)
{
	const struct timeval every = { again_ms / 1000, again_ms % 1000 * 1000 };

	hosts.again = event_new(base, -1, EV_PERSIST, on_again, NULL);
	if (hosts.again == NULL || event_add(hosts.again, &every) < 0)
		return -ENOMEM;
	on_again(-1, 0, NULL);
	return 0;
}

void kdchosts_stop(void)
{
	if (hosts.again != NULL)
		event_free(hosts.again);
	hosts.again = NULL;
}

static struct kdchost *find(const char *name)
{
	struct kdchost *h;

	TAILQ_FOREACH(h, &hosts.all, next)
	if (strcasecmp(h->name, name) == 0)
		break;
	return h;
}

static struct kdchost *host_new(const char *name)
{
	struct kdchost *h = calloc(1, sizeof(*h) + strlen(name) + 1);

	if (h == NULL)
		return NULL;
	strcpy(h->name, name);
	TAILQ_INSERT_TAIL(&hosts.all, h, next);
	return h;
}

struct kdchost *kdchost_get(const char *name)
{
	struct kdchost *h = find(name);

	if (h == NULL)
		h = host_new(name);
	if (h == NULL)
		return NULL;
	h->refs++;
	look_up(h); // of a known one too: who reloads may have moved it
	return h;
}

void kdchost_put(struct kdchost *h)
{
	if (h == NULL || --h->refs > 0)
		return;
	lookup_cancel(h->lookup);
	TAILQ_REMOVE(&hosts.all, h, next);
	free(h);
}

struct addr kdchost_addr(const struct kdchost *h)
{
	return h->addr;
}

void kdchost_doubt(struct kdchost *h)
{
	h->doubted = true;
}
