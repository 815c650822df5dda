// auth = gssapi[keytab=FILE,...]: Negotiate (RFC 4559), each login in a process of its own (gssapi_helper.c): the library reads
// what strangers send, asks the system's name service, and may block.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/log.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/gsswire.h"
#include "secmod/helper.h"
#include "secmod/method.h"
#include "secmod/secmod.h"

// A helper takes some 2 MB, for the blink of an eye: who needs no answer of a user's needs no long queue.
#define HELPERS_MAX 128
#define CPU_SECONDS 10
// Of the clock, all rounds together: no user types here, and who does not go on must not hold a place.
#define SECONDS 20

struct gss_config {
	char keytab[GSSWIRE_KEYTAB + 1];
	uint32_t gid_min, fresh_seconds;
	bool require_local_user;
};

struct negotiation {
	struct attempt *attempt;
	struct helper *helper;
	TAILQ_ENTRY(negotiation) next;
};
TAILQ_HEAD(negotiations, negotiation);

static struct negotiations running = TAILQ_HEAD_INITIALIZER(running); // the oldest first
static unsigned n_running;

// --------------------------------------------------------------------------------------------------------- configuration

static bool parse_number(const char *text, uint32_t *out)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n > INT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool set_option(struct gss_config *c, const char *key, const char *value)
{
	if (strcmp(key, "gid-min") == 0)
		return parse_number(value, &c->gid_min);
	if (strcmp(key, "tgt-freshness-time") == 0)
		return parse_number(value, &c->fresh_seconds);
	if (strcmp(key, "require-local-user-map") == 0) {
		c->require_local_user = strcmp(value, "true") == 0;
		return c->require_local_user || strcmp(value, "false") == 0;
	}
	if (strcmp(key, "keytab") != 0 || strlen(value) > GSSWIRE_KEYTAB)
		return false;
	strcpy(c->keytab, value);
	return true;
}

static int gss_load(const struct authspec *spec, void **config, char text[LIMIT_TEXT + 1])
{
	struct gss_config c = { .require_local_user = true }, *out;

	for (unsigned i = 0; i < spec->n_options; i++) {
		if (!set_option(&c, spec->option[i].key, spec->option[i].value))
			return text_refuse(text,
			                   "option %s=%s is not supported (supported: keytab=FILE, "
			                   "require-local-user-map=true|false, tgt-freshness-time=SECONDS, gid-min=NUMBER)",
			                   spec->option[i].key, spec->option[i].value);
	}
	out = malloc(sizeof(*out));
	if (out == NULL)
		return text_refuse(text, "no memory");
	*out = c;
	*config = out;
	return 0;
}

static void gss_unload(void *config)
{
	free(config);
}

static int gss_start(struct event_base *base)
{
	return helpers_start(base);
}

static int gss_stop(void)
{
	helpers_stop();
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- helper

static struct attempt *over(struct negotiation *g)
{
	struct attempt *a = g->attempt;

	TAILQ_REMOVE(&running, g, next);
	n_running--;
	free(g);
	return a;
}

static void take_result(struct negotiation *g, const struct gsswire_result *r)
{
	struct attempt *a;

	helper_release(g->helper);
	a = over(g);
	if (r->outcome == AUTH_BAD)
		log_info("%s: Negotiate refused: %s", a->conn->chan.name, r->reason);
	if (r->outcome == AUTH_OK)
		attempt_last_token(a, r->token.data, r->token.len);
	attempt_end(a, r->outcome, r->user[0] != '\0' ? r->user : NULL, r->group, r->reason);
}

static void on_readable(void *who)
{
	struct negotiation *g = who;
	struct gsswire w;
	const ssize_t n = helper_receive(g->helper, &w, sizeof(w));

	if (n == -EAGAIN || n == 0)
		return;
	if (n > 0 && !attempt_is_waiting(g->attempt) && gsswire_from_helper(&w, (size_t)n)) {
		if (w.kind == GSSWIRE_RESULT)
			take_result(g, &w.result);
		else
			attempt_ask_token(g->attempt, w.token.data, w.token.len);
		return;
	}
	helper_kill(g->helper);
	attempt_end(over(g), AUTH_ERROR, NULL, NULL, "the helper spoke nonsense");
}

static void on_ended(void *who, const char *reason)
{
	attempt_end(over(who), AUTH_ERROR, NULL, NULL, reason);
}

// Only when there is a token: an attempt without one costs no process.
static int start_helper(struct negotiation *g)
{
	static const struct helper_events events = { on_readable, on_ended };
	const struct attempt *a = g->attempt;
	const struct gss_config *c = a->config;
	struct gsswire w;

	memset(&w, 0, sizeof(w));
	w.kind = GSSWIRE_START;
	strcpy(w.start.keytab, c->keytab);
	strcpy(w.start.group, a->group);
	w.start.gid_min = c->gid_min;
	w.start.fresh_seconds = c->fresh_seconds;
	w.start.require_local_user = c->require_local_user;
	w.start.seconds = CPU_SECONDS;
	g->helper = helper_new(SPAWN_GSSAPI, SECONDS, &events, g);
	return g->helper != NULL ? helper_send(g->helper, &w, sizeof(w)) : -errno;
}

static void gss_health(health_row row, void *who)
{
	const struct health helpers = { HEALTH_POOL,        "helpers", "gssapi", "processes, one a login", .outstanding = n_running,
		                        .room = HELPERS_MAX };

	row(who, &helpers);
}

// --------------------------------------------------------------------------------------------------------------- attempt

static void gss_begin(struct attempt *a)
{
	attempt_ask_token(a, NULL, 0);
}

static void gss_answer(struct attempt *a, const char *password)
{
	attempt_end(a, AUTH_ERROR, NULL, NULL, "a password is no token");
}

// Anybody can begin what has a second round, and not come to it. Kerberos itself has one: who is at work is never in the way.
static void make_room(void)
{
	struct negotiation *g;

	TAILQ_FOREACH(g, &running, next)
	{
		if (!attempt_is_waiting(g->attempt))
			continue;
		attempt_expire(g->attempt);
		return;
	}
}

static struct negotiation *negotiation_new(struct attempt *a)
{
	struct negotiation *g;

	if (n_running >= HELPERS_MAX)
		make_room();
	g = n_running < HELPERS_MAX ? calloc(1, sizeof(*g)) : NULL;
	if (g == NULL) {
		attempt_end(a, AUTH_ERROR, NULL, NULL, "too many logins at once for another helper");
		return NULL;
	}
	g->attempt = a;
	TAILQ_INSERT_TAIL(&running, g, next);
	n_running++;
	if (start_helper(g) == 0) {
		a->work = g;
		return g;
	}
	if (g->helper != NULL)
		helper_kill(g->helper);
	attempt_end(over(g), AUTH_ERROR, NULL, NULL, "the helper cannot be started");
	return NULL;
}

static void gss_token(struct attempt *a, const uint8_t *token, size_t len)
{
	struct negotiation *g = a->work != NULL ? a->work : negotiation_new(a);
	struct gsswire w;

	if (g == NULL)
		return;
	memset(&w, 0, sizeof(w));
	w.kind = GSSWIRE_TOKEN;
	w.token.len = (uint16_t)len;
	memcpy(w.token.data, token, len);
	helper_send(g->helper, &w, sizeof(w)); // where it fails, its end is told
	secret_wipe(&w, sizeof(w));
}

static void gss_cancel(struct attempt *a)
{
	struct negotiation *g = a->work;

	a->work = NULL;
	if (g == NULL)
		return;
	helper_kill(g->helper);
	over(g);
}

const struct method method_gssapi = {
	.name = "gssapi",
	.kind = AUTH_NEGOTIATE,
	.start = gss_start,
	.stop = gss_stop,
	.load = gss_load,
	.unload = gss_unload,
	.health = gss_health,
	.begin = gss_begin,
	.answer = gss_answer,
	.token = gss_token,
	.cancel = gss_cancel,
};
