#include "control/main/hook.h"

#include <stdlib.h>

#include "control/main/config.h"
#include "control/main/opening.h"
#include "control/main/session.h"
#include "proto/err.h"

struct hook {
	struct gateway *g;
	struct hook_facts facts; // its info and terms are this one's
	struct addr key[PROGRAM_KEYS];
	struct connect_info *info;
	struct terms *terms;
	struct opening *opening; // HOOK_CONNECT: who waits for it; NULL: nobody any more
	struct hook *next;       // likewise: disconnect-script that follows it, unless it refuses; NULL: none waits yet
	struct program *program;
};

static const enum opt options[] = { OPT_CONNECT_SCRIPT, OPT_DISCONNECT_SCRIPT, OPT_HOST_UPDATE_SCRIPT };

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from))

static const char *script_of(const struct gateway *g, enum hook_kind kind)
{
	return config_str(g->config, options[kind]);
}

bool hook_decides(const struct gateway *g)
{
	return script_of(g, HOOK_CONNECT);
}

static void hook_free(struct hook *h)
{
	terms_put(h->terms);
	free(h->info);
	free(h);
}

// ----------------------------------------------------------------------------------------------------------------- facts

static struct addr gateway_of(const struct session *s, int family)
{
	const struct addr *own = address_gateway(s, family);

	return own ? *own : (struct addr){ 0 };
}

static void facts_fill(struct hook *h, const struct session *s, const struct addr *client, const struct addr *local)
{
	struct hook_facts *f = &h->facts;

	f->id = s->id;
	COPY(f->user, s->user);
	COPY(f->group, s->group);
	COPY(f->vhost, s->vhost);
	COPY(f->device, s->g->inner);
	f->client = *client;
	f->local = *local;
	f->ipv4 = address_told(s, 4);
	f->ipv6 = address_told(s, 6);
	f->own_ipv4 = gateway_of(s, 4);
	f->own_ipv6 = gateway_of(s, 6);
	f->info = h->info;
	f->terms = h->terms;
	h->key[0] = s->ipv4;
	h->key[1] = s->ipv6;
}

// Takes `info`, whatever comes of it. NULL: no memory.
static struct hook *hook_new(const struct session *s, struct connect_info *info, struct terms *terms, const struct addr *client,
                             const struct addr *local)
{
	struct hook *h = info ? calloc(1, sizeof(*h)) : NULL;

	if (!h) {
		free(info);
		return NULL;
	}
	h->g = s->g;
	h->info = info;
	h->terms = terms_get(terms);
	facts_fill(h, s, client, local);
	return h;
}

static struct connect_info *info_copy(const struct connect_info *info)
{
	struct connect_info *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *info;
	return copy;
}

// ------------------------------------------------------------------------------------------------------------------- run

static void on_ended(void *who, enum program_end how);

static char **on_env(void *who)
{
	const struct hook *h = who;

	return hook_env_new(&h->facts);
}

// 0 or -ENOMEM (logged). There has to be a script of that kind.
static int run(struct hook *h, enum hook_kind kind)
{
	const char *script = script_of(h->g, kind);
	char *const argv[] = { (char *)script, NULL };
	char name[LIMIT_USER + 80];

	h->facts.kind = kind;
	snprintf(name, sizeof(name), "%s of session %u (user '%s')", config_name(options[kind]), h->facts.id, h->facts.user);
	h->program = program_run(h->g, &(struct program_order){
	                                       .name = name,
	                                       .argv = argv,
	                                       .key = { h->key[0], h->key[1] },
	                                       .env = on_env,
	                                       .ended = on_ended,
	                                       .who = h,
	                               });
	return h->program ? 0 : errno_log(ENOMEM, "no memory for the %s", name);
}

// Is it under way?
static bool run_or_free(struct hook *h, enum hook_kind kind)
{
	if (script_of(h->g, kind) && run(h, kind) == 0)
		return true;
	hook_free(h);
	return false;
}

static void on_ended(void *who, enum program_end how)
{
	struct hook *h = who;
	bool taken = false, follows;

	h->program = NULL;
	if (h->facts.kind != HOOK_CONNECT) {
		hook_free(h);
		return;
	}
	if (h->opening)
		taken = opening_decided(h->opening, how);
	h->opening = NULL;
	// one that was killed may have done half of its work
	follows = how == PROGRAM_LATE || (how == PROGRAM_DONE && !taken);
	if (h->next && !follows && program_cancel(h->next->program))
		hook_free(h->next);
	if (follows && !h->next)
		run_or_free(h, HOOK_DISCONNECT);
	else
		hook_free(h);
}

// ----------------------------------------------------------------------------------------------------------------- kinds

struct hook *hook_connect(struct opening *o)
{
	const struct conn *c = o->conn;
	struct hook *h = hook_new(o->session, info_copy(c->info), o->terms, &c->client, &c->local);

	if (!h)
		return NULL;
	h->opening = o;
	if (run(h, HOOK_CONNECT) == 0)
		return h;
	hook_free(h);
	return NULL;
}

static struct hook *hook_copy(const struct hook *h)
{
	struct hook *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *h;
	copy->opening = NULL;
	copy->next = NULL;
	copy->program = NULL;
	copy->terms = terms_get(h->terms);
	copy->info = info_copy(h->info);
	copy->facts.info = copy->info;
	if (copy->info)
		return copy;
	hook_free(copy);
	return NULL;
}

void hook_abandon(struct hook *h)
{
	h->opening = NULL;
	if (program_cancel(h->program)) {
		hook_free(h);
		return;
	}
	// it takes its place in the row now, before the next connect-script of the same session or address does
	h->next = hook_copy(h);
	if (h->next && !run_or_free(h->next, HOOK_DISCONNECT))
		h->next = NULL;
}

void hook_host_update(struct tunnel *t)
{
	struct hook *h;

	if (!t->info->hostname[0] || !script_of(t->g, HOOK_HOST_UPDATE))
		return;
	h = hook_new(t->session, info_copy(t->info), t->terms, &t->client, &t->local);
	if (h)
		run_or_free(h, HOOK_HOST_UPDATE);
}

void hook_disconnect(struct tunnel *t)
{
	struct hook *h;

	if (!script_of(t->g, HOOK_DISCONNECT))
		return;
	h = hook_new(t->session, t->info, t->terms, &t->client, &t->local);
	t->info = NULL;
	if (!h) {
		log_err("session %u: no memory for its disconnect-script", t->session->id);
		return;
	}
	h->facts.bytes_in = t->now.bytes_in;
	h->facts.bytes_out = t->now.bytes_out;
	h->facts.seconds = (clock_ms() - t->since_ms) / 1000;
	run_or_free(h, HOOK_DISCONNECT);
}
