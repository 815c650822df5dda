#include "secmod/account.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/log.h"
#include "proto/text.h"
#include "secmod/grants.h"

#define BUCKETS 4096

const struct accounting *const accountings[] = { &accounting_radius, &accounting_pam, NULL };

struct accounts {
	LIST_HEAD(account_bucket, account) bucket[BUCKETS];
	TAILQ_HEAD(account_list, account) all;
};

static struct {
	void (*deny)(void *who, const uint8_t sid[SID_SIZE]);
	void *who;
} owner;

struct accounts *accounts_new(void (*deny)(void *who, const uint8_t sid[SID_SIZE]), void *who)
{
	struct accounts *as = calloc(1, sizeof(*as));

	if (!as)
		return NULL;
	TAILQ_INIT(&as->all);
	owner.deny = deny;
	owner.who = who;
	return as;
}

void account_deny(const uint8_t sid[SID_SIZE])
{
	if (owner.deny)
		owner.deny(owner.who, sid);
}

// A sid is a hash: its first bytes are as good as any.
static struct account_bucket *bucket_of(struct accounts *as, const uint8_t sid[SID_SIZE])
{
	uint32_t h;

	memcpy(&h, sid, sizeof(h));
	return &as->bucket[h % BUCKETS];
}

static struct account *find(struct accounts *as, const uint8_t sid[SID_SIZE])
{
	struct account *a;

	LIST_FOREACH(a, bucket_of(as, sid), bucket)
	if (memcmp(a->sid, sid, SID_SIZE) == 0)
		return a;
	return NULL;
}

// --------------------------------------------------------------------------------------------------------- configuration

struct acct *acct_load(const struct accounting *how, const struct authspec *spec, const struct snapshot *snap,
                       char text[LIMIT_TEXT + 1])
{
	struct acct *a = calloc(1, sizeof(*a));

	if (!a) {
		text_format(text, "no memory");
		return NULL;
	}
	a->refs = 1;
	a->how = how;
	if (how->load(spec, snap, &a->config, text) == 0)
		return a;
	free(a);
	return NULL;
}

void acct_put(struct acct *a)
{
	if (!a || --a->refs > 0)
		return;
	a->how->unload(a->config);
	free(a);
}

// ------------------------------------------------------------------------------------------------------------- begin, end

// Two digits a byte, as they were written.
static size_t bytes_of(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;
	unsigned byte;

	for (size_t i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return 0;
		out[i] = (uint8_t)byte;
	}
	return n;
}

static void take_classes(struct account *a, const struct record *r)
{
	const char *key, *value;
	size_t room = 0, n;

	for (unsigned i = 0; grants_nth(r->grants, i, &key, &value); i++)
		if (strcmp(key, GRANT_CLASS) == 0 && strlen(value) <= 2 * UINT8_MAX)
			room += 1 + strlen(value) / 2;
	a->classes = room ? malloc(room) : NULL;
	if (!a->classes)
		return;
	for (unsigned i = 0; grants_nth(r->grants, i, &key, &value); i++) {
		if (strcmp(key, GRANT_CLASS) != 0 || strlen(value) > 2 * UINT8_MAX)
			continue;
		n = bytes_of(value, a->classes + a->classes_len + 1);
		a->classes[a->classes_len] = (uint8_t)n;
		a->classes_len += 1 + n;
	}
}

static struct account *account_new(struct accounts *as, const struct record *r, const struct settings *s)
{
	const struct vhost *v = settings_vhost(s, r->vhost);
	struct account *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	memcpy(a->sid, r->sid, SID_SIZE);
	strcpy(a->acct_id, r->acct_id);
	strcpy(a->user, r->user);
	strcpy(a->group, r->group);
	strcpy(a->user_agent, r->user_agent);
	strcpy(a->method, r->method);
	take_classes(a, r);
	a->acct = v ? v->acct : NULL;
	if (a->acct)
		a->acct->refs++;
	LIST_INSERT_HEAD(bucket_of(as, a->sid), a, bucket);
	TAILQ_INSERT_TAIL(&as->all, a, all);
	return a;
}

static void account_end(struct accounts *as, struct account *a)
{
	LIST_REMOVE(a, bucket);
	TAILQ_REMOVE(&as->all, a, all);
	if (a->acct)
		a->acct->how->end(a);
	acct_put(a->acct);
	free(a->classes);
	free(a);
}

static void try_end(struct accounts *as, struct account *a)
{
	if (a->gone && a->uses == 0)
		account_end(as, a);
}

void accounts_free(struct accounts *as)
{
	struct account *a;

	if (!as)
		return;
	owner.deny = NULL;
	while ((a = TAILQ_FIRST(&as->all))) {
		if (a->uses > 0)
			a->reason = END_SHUTDOWN;
		account_end(as, a);
	}
	free(as);
}

void accounts_serve(const struct settings *s, bool begins)
{
	for (unsigned i = 0; i < s->n_vhosts; i++)
		if (s->vhosts[i].acct && s->vhosts[i].acct->how->serve)
			s->vhosts[i].acct->how->serve(s->vhosts[i].acct->config, begins);
}

// ------------------------------------------------------------------------------------------------------------------ words

static void add(struct traffic *sum, const struct traffic *t)
{
	sum->bytes_in += t->bytes_in;
	sum->bytes_out += t->bytes_out;
	sum->packets_in += t->packets_in;
	sum->packets_out += t->packets_out;
}

struct traffic account_total(const struct account *a)
{
	struct traffic sum = a->ended;

	add(&sum, &a->now);
	return sum;
}

// What was before this process has been told by the one before.
static void take_up(struct account *a, const struct msg_session_up *m)
{
	a->ended = (struct traffic){ m->bytes_in, m->bytes_out, m->packets_in, m->packets_out };
	a->seconds = m->seconds;
}

// A session of before the gateway was started anew: as servers see it that one has ended, and this is another.
static void rename_again(struct account *a)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char text[LIMIT_ACCT_ID + 32];

	snprintf(text, sizeof(text), "%s %lld", a->acct_id, (long long)time(NULL));
	SHA256((const uint8_t *)text, strlen(text), digest);
	for (size_t i = 0; i < LIMIT_ACCT_ID / 2; i++)
		snprintf(a->acct_id + 2 * i, 3, "%02x", digest[i]);
}

void account_up(struct accounts *as, const struct record *r, const struct settings *s, const struct msg_session_up *m)
{
	struct account *a = find(as, m->sid);
	bool first = !a && !m->again;

	if (!a && r) {
		a = account_new(as, r, s);
		if (a && m->again)
			take_up(a, m);
		else if (a && r->restored)
			rename_again(a);
	}
	if (!a) {
		// it has been voided meanwhile, and its client is about to go
		log_debug("session %u: there is nothing to account it by", m->id);
		return;
	}
	a->uses++;
	a->id = m->id;
	a->client = m->client;
	a->local = m->local;
	a->ipv4 = m->ipv4;
	a->ipv6 = m->ipv6;
	strcpy(a->hostname, m->hostname);
	strcpy(a->cipher, m->cipher);
	if (first && a->acct)
		a->acct->how->begin(a);
}

void account_stats(struct accounts *as, const struct msg_session_stats *m)
{
	struct account *a = find(as, m->sid);

	// while an older connection is being counted these may be the sums of either
	if (!a || a->uses != 1)
		return;
	a->now = (struct traffic){ m->bytes_in, m->bytes_out, m->packets_in, m->packets_out };
	a->seconds = m->seconds;
	if (a->acct && a->acct->how->report)
		a->acct->how->report(a);
}

// What a session ended of is what its last connection ended of; that a newer one has come is no end.
static void reason_is(struct account *a, enum end_reason reason)
{
	if (reason != END_NONE && reason != END_REPLACED)
		a->reason = reason;
}

void account_closed(struct accounts *as, const struct msg_session_close *m)
{
	struct account *a = find(as, m->sid);
	const struct traffic t = { m->bytes_in, m->bytes_out, m->packets_in, m->packets_out };

	if (!a || !m->up || a->uses == 0)
		return;
	a->uses--;
	add(&a->ended, &t);
	a->now = (struct traffic){ 0 };
	a->seconds = m->seconds;
	reason_is(a, (enum end_reason)m->reason);
	try_end(as, a);
}

void account_gone(struct accounts *as, const uint8_t sid[SID_SIZE], enum end_reason reason)
{
	struct account *a = find(as, sid);

	if (!a)
		return;
	a->gone = true;
	reason_is(a, reason);
	try_end(as, a);
}

const struct account *account_next(const struct accounts *as, const struct account *a)
{
	return a ? TAILQ_NEXT(a, all) : TAILQ_FIRST(&as->all);
}
