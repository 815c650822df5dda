// A way to check who a user is. One per method_*.c; attempt.c calls them, they answer with attempt_ask() and attempt_end().
// All in the loop's thread, and none may block: what blocks goes to a thread of the pool or to a process of its own.
#pragma once
#include <event2/event.h>

#include "secmod/attempt.h"
#include "secmod/authspec.h"
#include "secmod/grouplist.h"
#include "secmod/health.h"

struct method {
	const char *name;
	enum auth_kind kind;

	// Once in the process's life, before the first attempt. 0 or -errno.
	int (*start)(struct event_base *base);
	// At the end of it, when no attempt is left. Not 0: exit without exit handlers, something of it is still at work.
	int (*stop)(void);
	// From the configuration: *config is this method's own. -EINVAL: `text` says why not.
	int (*load)(const struct authspec *spec, void **config, char text[LIMIT_TEXT + 1]);
	void (*unload)(void *config);

	// The groups that it knows, for auto-select-group; NULL: it knows none. At start-up and reload only: it may block.
	void (*groups)(void *config, struct grouplist *out);

	// A row for each thing behind it that logins wait for (pools, servers); NULL: there is none.
	void (*health)(health_row row, void *who);

	// An attempt begins, with a user name where it is of kind AUTH_PASSWORD; later the answer to what was asked: a password to
	// attempt_ask(), a token to attempt_ask_token() (NULL: never asks so). Failing is attempt_end().
	void (*begin)(struct attempt *a);
	void (*answer)(struct attempt *a, const char *password);
	void (*token)(struct attempt *a, const uint8_t *token, size_t len);
	// The attempt is over for other reasons: it will be freed, forget it.
	void (*cancel)(struct attempt *a);
};

extern const struct method method_plain, method_pam, method_radius, method_gssapi, method_oidc;
extern const struct method *const methods[]; // settings.c: all of them, NULL at the end
