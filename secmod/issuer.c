#include "secmod/issuer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "proto/text.h"
#include "secmod/helper.h"
#include "secmod/issuerwire.h"
#include "secmod/secmod.h"

#define FETCH_SECONDS 20
// Keys are fetched again as Cache-Control says, within these; after a failure soon, then ever later.
#define AGE_DEFAULT 3600
#define AGE_MIN 300
#define AGE_MAX 86400
#define RETRY_MIN 5
#define RETRY_MAX 300

struct issuer_key {
	struct jwk jwk;
	EVP_PKEY *key;
};

struct issuer {
	unsigned refs;
	char url[CLAIMS_URL + 1], ca_file[CLAIMS_PATH + 1];
	unsigned fresh_seconds;

	char name[CLAIMS_URL + 1]; // "": not fetched yet
	struct issuer_key keys[JWK_MOST];
	unsigned n_keys;

	struct event *timer;
	struct helper *helper; // a fetch is under way
	struct issuer_key got[JWK_MOST];
	unsigned n_got;
	int64_t asked_ms, fetched_ms;  // 0: never
	unsigned retry;                // seconds, after the next failure
	char error[ISSUER_REASON + 1]; // of the last fetch; "": it was good
	uint64_t n_fetches, n_failures;
	struct health_times times;
	TAILQ_HEAD(, issuer_waiter) waiters;
	TAILQ_ENTRY(issuer) next;
};

static struct event_base *base;
static TAILQ_HEAD(, issuer) issuers = TAILQ_HEAD_INITIALIZER(issuers);

static void drop_keys(struct issuer_key *keys, unsigned *n)
{
	for (unsigned i = 0; i < *n; i++)
		EVP_PKEY_free(keys[i].key);
	*n = 0;
}

static void wake_in(struct issuer *i, unsigned seconds)
{
	const struct timeval in = { .tv_sec = seconds };

	if (i->timer != NULL)
		evtimer_add(i->timer, &in);
}

// ------------------------------------------------------------------------------------------------------------- a fetch

// A waiter may forget others, or put a new token on the list: only those that are there now are told.
// Each that waits now; who is told may wait again, or make another one forget to.
static void tell_waiters(struct issuer *i)
{
	struct issuer_waiter mark, *w;

	i->refs++;
	TAILQ_INSERT_TAIL(&i->waiters, &mark, next);
	while ((w = TAILQ_FIRST(&i->waiters)) != &mark) {
		TAILQ_REMOVE(&i->waiters, w, next);
		w->fetched(w);
	}
	TAILQ_REMOVE(&i->waiters, &mark, next);
	issuer_put(i);
}

static void fetch_over(struct issuer *i, const char *error)
{
	if (error != NULL) {
		i->n_failures++;
		if (strcmp(i->error, error) != 0)
			log_warn("oidc: no keys from the issuer: %s%s", error, i->n_keys > 0 ? "; those of before stay" : "");
		text_copy(i->error, ISSUER_REASON, error);
		drop_keys(i->got, &i->n_got);
		wake_in(i, i->retry);
		i->retry = i->retry * 2 < RETRY_MAX ? i->retry * 2 : RETRY_MAX;
	}
	i->helper = NULL;
	tell_waiters(i);
}

static void take_result(struct issuer *i, const struct issuerwire_result *r)
{
	const unsigned age = r->max_age > 0 ? r->max_age : AGE_DEFAULT;

	helper_release(i->helper);
	health_took(&i->times, 1000 * (monotonic_ms() - i->asked_ms));
	if (!r->ok || i->n_got == 0) {
		fetch_over(i, r->ok ? "it has no keys" : r->reason);
		return;
	}
	if (i->error[0] != '\0' || i->n_keys == 0)
		log_info("oidc: %u keys from %s", i->n_got, r->issuer);
	drop_keys(i->keys, &i->n_keys);
	memcpy(i->keys, i->got, sizeof(i->keys));
	i->n_keys = i->n_got;
	i->n_got = 0;
	strcpy(i->name, r->issuer);
	i->error[0] = '\0';
	i->retry = RETRY_MIN;
	i->fetched_ms = monotonic_ms();
	wake_in(i, age < AGE_MIN ? AGE_MIN : age > AGE_MAX ? AGE_MAX : age);
	fetch_over(i, NULL);
}

static bool take_key(struct issuer *i, const struct jwk *k)
{
	struct issuer_key *slot = &i->got[i->n_got];

	if (i->n_got == JWK_MOST)
		return false;
	slot->jwk = *k;
	slot->key = jwk_key(k);
	i->n_got += slot->key != NULL;
	return slot->key != NULL;
}

static void on_readable(void *who)
{
	struct issuer *i = who;
	struct issuerwire w;
	const ssize_t n = helper_receive(i->helper, &w, sizeof(w));

	if (n == -EAGAIN || n == 0)
		return;
	if (n > 0 && issuerwire_from_helper(&w, n)) {
		if (w.kind == ISSUERWIRE_RESULT) {
			take_result(i, &w.result);
			return;
		}
		if (take_key(i, &w.key))
			return;
	}
	helper_kill(i->helper);
	fetch_over(i, "the helper spoke nonsense");
}

static void on_ended(void *who, const char *reason)
{
	fetch_over(who, reason);
}

static void fetch(struct issuer *i)
{
	static const struct helper_events events = { on_readable, on_ended };
	struct issuerwire w;

	memset(&w, 0, sizeof(w));
	w.kind = ISSUERWIRE_START;
	strcpy(w.start.url, i->url);
	strcpy(w.start.ca_file, i->ca_file);
	w.start.seconds = FETCH_SECONDS - 2;
	i->asked_ms = monotonic_ms();
	i->n_fetches++;
	i->helper = helper_new(SPAWN_OIDC, FETCH_SECONDS, &events, i);
	if (i->helper == NULL)
		fetch_over(i, strerror(errno));
	else
		helper_send(i->helper, &w, sizeof(w)); // where it fails, its end is told
}

static void on_timer(evutil_socket_t fd, short what, void *who)
{
	struct issuer *i = who;

	if (i->helper == NULL)
		fetch(i);
}

// ------------------------------------------------------------------------------------------------------------ the issuer

static int begin(struct issuer *i)
{
	i->timer = evtimer_new(base, on_timer, i);
	if (i->timer == NULL)
		return -ENOMEM;
	wake_in(i, 0);
	return 0;
}

int issuers_start(struct event_base *loop)
{
	struct issuer *i;

	base = loop;
	TAILQ_FOREACH(i, &issuers, next)
	{
		if (begin(i) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void halt(struct issuer *i)
{
	if (i->timer != NULL)
		event_free(i->timer);
	if (i->helper != NULL)
		helper_kill(i->helper);
	i->timer = NULL;
	i->helper = NULL;
}

void issuers_stop(void)
{
	struct issuer *i;

	TAILQ_FOREACH(i, &issuers, next)
	halt(i);
	base = NULL;
}

struct issuer *issuer_get(const struct claims_rules *r)
{
	struct issuer *i;

	TAILQ_FOREACH(i, &issuers, next)
	{
		if (strcmp(i->url, r->url) != 0 || strcmp(i->ca_file, r->ca_file) != 0)
			continue;
		i->refs++;
		i->fresh_seconds = r->fresh_seconds;
		return i;
	}
	i = calloc(1, sizeof(*i));
	if (i == NULL)
		return NULL;
	i->refs = 1;
	i->retry = RETRY_MIN;
	i->fresh_seconds = r->fresh_seconds;
	strcpy(i->url, r->url);
	strcpy(i->ca_file, r->ca_file);
	TAILQ_INIT(&i->waiters);
	TAILQ_INSERT_TAIL(&issuers, i, next);
	if (base != NULL && begin(i) < 0) {
		issuer_put(i);
		return NULL;
	}
	return i;
}

void issuer_put(struct issuer *i)
{
	if (i == NULL || --i->refs > 0)
		return;
	halt(i);
	TAILQ_REMOVE(&issuers, i, next);
	drop_keys(i->keys, &i->n_keys);
	drop_keys(i->got, &i->n_got);
	free(i);
}

const char *issuer_name(const struct issuer *i)
{
	return i->name[0] != '\0' ? i->name : NULL;
}

static bool is_for(const struct issuer_key *k, const struct jwt *t)
{
	if (t->kid[0] != '\0' && strcmp(t->kid, k->jwk.kid) != 0)
		return false;
	return (k->jwk.alg == JOSE_NONE || k->jwk.alg == t->alg) && jose_key_fits(k->key, t->alg);
}

EVP_PKEY *issuer_key(const struct issuer *i, const struct jwt *t)
{
	EVP_PKEY *found = NULL;

	for (unsigned n = 0; n < i->n_keys; n++) {
		if (!is_for(&i->keys[n], t))
			continue;
		if (found != NULL)
			return NULL;
		found = i->keys[n].key;
	}
	return found;
}

// Anybody can make up the name of a key: that must not become a stream of requests to the issuer.
bool issuer_fetch(struct issuer *i, struct issuer_waiter *w)
{
	if (base == NULL)
		return false;
	if (i->helper == NULL) {
		if (i->asked_ms != 0 && monotonic_ms() - i->asked_ms < 1000 * (int64_t)i->fresh_seconds)
			return false;
		fetch(i);
	}
	if (i->helper == NULL)
		return false;
	TAILQ_INSERT_TAIL(&i->waiters, w, next);
	return true;
}

void issuer_forget(struct issuer *i, struct issuer_waiter *w)
{
	TAILQ_REMOVE(&i->waiters, w, next);
}

// --------------------------------------------------------------------------------------------------------------- health

static void describe(const struct issuer *i, char out[HEALTH_STATE + 1])
{
	const long long age = i->fetched_ms != 0 ? (monotonic_ms() - i->fetched_ms) / 1000 : 0;
	char text[LIMIT_TEXT + 1];

	if (i->error[0] != '\0')
		text_format(text, "%u keys; %s", i->n_keys, i->error);
	else if (i->fetched_ms == 0)
		text_format(text, "not fetched yet");
	else
		text_format(text, "%u keys, fetched %lld s ago", i->n_keys, age);
	text_copy(out, HEALTH_STATE, text);
}

void issuers_health(health_row row, void *who)
{
	const struct issuer *i;

	TAILQ_FOREACH(i, &issuers, next)
	{
		struct health h = {
			.kind = HEALTH_SERVER, .owner = "oidc", .down = i->error[0] != '\0', .outstanding = i->helper != NULL
		};

		text_copy(h.name, HEALTH_NAME, i->url);
		describe(i, h.state);
		h.asked = i->n_fetches;
		h.failures = i->n_failures;
		h.times = i->times;
		row(who, &h);
	}
}
