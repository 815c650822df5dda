// An OpenID Connect issuer: its public keys, fetched by a process of its own (oidc_helper.c) and kept until there are newer ones.
// A failure to fetch changes nothing, so that tokens stay good while the issuer is away; without keys nobody gets in.
// The loop's thread only. Shared by all configurations that name it, so a reload does not have to fetch again.
#pragma once
#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "secmod/claims.h"
#include "secmod/health.h"
#include "secmod/jwt.h"

struct issuer;

// Who waits for a fetch to end.
struct issuer_waiter {
	void (*fetched)(struct issuer_waiter *w);
	TAILQ_ENTRY(issuer_waiter) next;
};

int issuers_start(struct event_base *base); // fetching begins when the loop runs
void issuers_stop(void);
void issuers_health(health_row row, void *who);

struct issuer *issuer_get(const struct claims_rules *r); // a reference; NULL: no memory
void issuer_put(struct issuer *i);

const char *issuer_name(const struct issuer *i); // NULL: nothing was fetched yet
// The key for this token. NULL: none, or without a name to choose by more than one.
EVP_PKEY *issuer_key(const struct issuer *i, const struct jwt *t);

// A key is missing: fetch, unless that was done a moment ago. true: under way, w is told when it has ended.
bool issuer_fetch(struct issuer *i, struct issuer_waiter *w);
void issuer_forget(struct issuer *i, struct issuer_waiter *w);
