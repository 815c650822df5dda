#include "secmod/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/clientcert.h"
#include "secmod/grants.h"
#include "secmod/health.h"
#include "secmod/method.h"
#include "secmod/secmod.h"
#include "secmod/trust.h"

#define FIRST_PROMPT "Password:"

static void on_timeout(evutil_socket_t fd, short what, void *who)
{
	attempt_expire(who);
}

// RFC 2866 5.5: unique among this gateway's sessions, after a restart too.
static int make_acct_id(char out[LIMIT_ACCT_ID + 1])
{
	uint64_t n;
	int ret = secret_random(&n, sizeof(n));

	snprintf(out, LIMIT_ACCT_ID + 1, "%016llx", (unsigned long long)n);
	return ret;
}

static struct attempt *attempt_new(struct conn *conn, const struct msg_auth_init *m)
{
	struct attempt *a = calloc(1, sizeof(*a));
	struct timeval limit;

	if (a == NULL)
		return NULL;
	a->conn = conn;
	a->settings = settings_get(conn->sm->settings);
	a->vhost = conn_vhost(conn);
	a->kind = m->kind;
	a->started_ms = monotonic_ms();
	strcpy(a->user, m->user);
	strcpy(a->group, m->group);
	strcpy(a->user_agent, m->user_agent);
	strcpy(a->device_type, m->device_type);
	strcpy(a->device_platform, m->device_platform);
	a->timer = evtimer_new(conn->sm->base, on_timeout, a);
	limit = (struct timeval){ .tv_sec = a->settings->auth_timeout_ms / 1000 };
	if (a->timer == NULL || evtimer_add(a->timer, &limit) < 0 || make_acct_id(a->acct_id) < 0) {
		if (a->timer != NULL)
			event_free(a->timer);
		settings_put(a->settings);
		free(a);
		return NULL;
	}
	return a;
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void busy_begin(struct attempt *a)
{
	struct health_counts *h = health_of(a->method);

	a->busy_us = now_us();
	h->asked++;
	h->outstanding++;
}

static void busy_over(struct attempt *a)
{
	struct health_counts *h = health_of(a->method);

	if (a->busy_us == 0)
		return;
	health_took(&h->times, now_us() - a->busy_us);
	h->outstanding--;
	a->busy_us = 0;
}

static void attempt_free(struct attempt *a)
{
	busy_over(a);
	conn_attempt_over(a->conn);
	event_free(a->timer);
	settings_put(a->settings);
	grants_free(a->grants);
	free(a->last_token);
	secret_wipe(a, sizeof(*a));
	free(a);
}

// Its authority may have gone with a reload since it was proven, or a CRL may have come. Nothing else shows for how long a client
// has waited with its login.
static bool is_good_still(const struct attempt *a)
{
	struct certified *proven = certified_get(a->conn->cert);
	const bool good = clientcert_again(a->conn, a->vhost, proven);

	certified_put(proven);
	return good;
}

// Who the certificate is made out to, and of what group he may be by it. NULL, or why he may not log in so.
static const char *take_certificate(struct attempt *a)
{
	const struct certified *c;
	unsigned i;

	if (a->conn->cert == NULL)
		return "there is no certificate that counts";
	if (!is_good_still(a))
		return "the certificate is good no more";
	c = a->conn->cert;
	if (time(NULL) > c->expires)
		return "the certificate has expired";
	if (a->user[0] != '\0' && strcmp(a->user, c->user) != 0)
		return "the certificate is somebody else's";
	strcpy(a->user, c->user);
	for (i = 0; a->group[0] != '\0' && i < c->n_groups && !a->picked; i++)
		a->picked = strcmp(c->group[i], a->group) == 0;
	if (a->picked)
		strcpy(a->cert_group, a->group);
	else if (a->group[0] != '\0' && a->method == NULL)
		return "the certificate has no such group";
	else if (c->n_groups > 0)
		strcpy(a->cert_group, c->group[0]);
	// which the method knows nothing of
	if (a->picked)
		a->group[0] = '\0';
	return NULL;
}

static void begin(struct attempt *a, const struct way *way)
{
	const char *why;

	a->method = way->method;
	a->config = way->config;
	a->certificate = way->certificate;
	why = a->certificate ? take_certificate(a) : NULL;
	if (why != NULL) {
		log_info("%s: login of '%s' with a certificate: %s", a->conn->chan.name, a->user, why);
		attempt_end(a, AUTH_BAD, NULL, NULL, NULL);
	} else if (a->method == NULL) {
		attempt_end(a, AUTH_OK, a->user, a->cert_group, NULL);
	} else {
		busy_begin(a);
		a->method->begin(a);
	}
}

int attempt_begin(struct conn *conn, const struct msg_auth_init *m)
{
	struct attempt *a;
	const struct way *way;

	if (m->kind == AUTH_PASSWORD && m->user[0] == '\0')
		return errno_log(EPROTO, "%s: AUTH_INIT without a user name", conn->chan.name);
	a = attempt_new(conn, m);
	if (a == NULL)
		return errno_log(ENOMEM, "%s: no memory for a login", conn->chan.name);
	conn->attempt = a;
	chan_enter(&conn->chan, SW_BUSY);
	way = a->vhost != NULL ? vhost_way(a->vhost, m->kind) : NULL;
	if (way == NULL) { // a reload has taken it away since the worker began
		attempt_end(a, AUTH_ERROR, NULL, NULL, "this is no way to log in here");
		return 0;
	}
	begin(a, way); // `a` may be gone from here on
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- outcomes

static const char *method_name(const struct attempt *a)
{
	return a->method != NULL ? a->method->name : "certificate";
}

static void report(struct conn *conn, const struct attempt *a, enum auth_outcome outcome, const char *user, const char *group)
{
	struct msg_auth_event event = { .conn = conn->id, .client = conn->client, .outcome = outcome };

	event.milliseconds = monotonic_ms() - a->started_ms;
	strcpy(event.user, user);
	strcpy(event.group, group);
	if (a->vhost != NULL)
		strcpy(event.vhost, a->vhost->name);
	strcpy(event.method, method_name(a));
	to_main(conn->sm, MSG_AUTH_EVENT, &event);
}

static int admit(struct conn *conn, struct attempt *a, const char *user, const char *group)
{
	struct record who = { .client = conn->client };
	struct msg_auth_done done = { .cookie_len = COOKIE_SIZE };
	int ret;

	who.timeout_ms = a->vhost->cookie_timeout_ms;
	who.persistent = a->vhost->persistent_cookies;
	who.certified = a->certificate;
	strcpy(who.user, user);
	strcpy(who.group, group);
	strcpy(who.user_agent, a->user_agent);
	strcpy(who.device_type, a->device_type);
	strcpy(who.device_platform, a->device_platform);
	strcpy(who.vhost, a->vhost->name);
	strcpy(who.method, method_name(a));
	strcpy(who.acct_id, a->acct_id);
	who.grants = a->grants;
	ret = cookies_issue(conn->sm->cookies, &who, monotonic_ms(), time(NULL), done.cookie);
	if (ret < 0)
		return errno_log(-ret, "%s: no session for %s: %s", conn->chan.name, user,
		                 ret == -ENOSPC ? "all places are in use" : strerror(-ret));
	a->grants = NULL;
	expiry_arm(conn->sm);
	strcpy(done.user, user);
	strcpy(done.group, group);
	done.token_len = a->last_token_len;
	if (a->last_token != NULL)
		memcpy(done.token, a->last_token, a->last_token_len);
	chan_enter(&conn->chan, SW_DONE);
	if (CHAN_SEND(&conn->chan, AUTH_DONE, &done) < 0)
		conn_break(conn);
	secret_wipe(&done, sizeof(done));
	secret_wipe(&who, sizeof(who));
	return 0;
}

static void refuse(struct conn *conn, const struct attempt *a)
{
	struct msg_auth_failed failed = { 0 };

	if (a->answered) // who has shown nothing has proven nothing
		strcpy(failed.text, a->why);

	conn->tries++;
	failed.tries_left = conn->tries < LIMIT_LOGIN_TRIES ? LIMIT_LOGIN_TRIES - conn->tries : 0;
	chan_enter(&conn->chan, failed.tries_left > 0 ? SW_SIGNED : SW_DONE);
	if (CHAN_SEND(&conn->chan, AUTH_FAILED, &failed) < 0)
		conn_break(conn);
}

// Both have to say the same of who the user is; of the group either may.
static enum auth_outcome join(const struct attempt *a, const char *user, const char **group)
{
	if (strcmp(user, a->conn->cert->user) != 0)
		return AUTH_BAD;
	if (a->picked || (*group)[0] == '\0')
		*group = a->cert_group;
	return AUTH_OK;
}

// Past this point the attempt is no more.
static void conclude(struct attempt *a, enum auth_outcome outcome, const char *user, const char *group)
{
	struct conn *conn = a->conn;

	if (outcome == AUTH_OK && a->certificate)
		outcome = join(a, user, &group);
	if (conn->left)
		outcome = outcome == AUTH_OK ? AUTH_ABANDONED : outcome;
	else if (outcome == AUTH_OK && admit(conn, a, user, group) < 0)
		outcome = AUTH_ERROR;
	if (outcome != AUTH_OK && !conn->left)
		refuse(conn, a);
	report(conn, a, outcome, user, outcome == AUTH_OK ? group : "");
	attempt_free(a);
}

static void ask(struct attempt *a, const struct msg_auth_ask *m)
{
	busy_over(a);
	a->round++;
	a->token = m->wants_token;
	a->asked_ms = monotonic_ms();
	a->conn->asked++;
	chan_enter(&a->conn->chan, SW_ASKED);
	if (CHAN_SEND(&a->conn->chan, AUTH_ASK, m) < 0)
		conn_break(a->conn);
}

// Is there anybody to ask, and may he be? The attempt is no more where not.
static bool may_ask(struct attempt *a)
{
	if (a->conn->left) {
		attempt_abandon(a);
		return false;
	}
	if (a->conn->asked < LIMIT_AUTH_ROUNDS)
		return true;
	a->method->cancel(a);
	attempt_end(a, AUTH_ERROR, NULL, NULL, "more questions than a connection may be asked");
	return false;
}

void attempt_ask(struct attempt *a, const char *prompt, bool echo)
{
	struct msg_auth_ask m = { .echo = echo, .round = a->round };

	text_copy(m.prompt, LIMIT_PROMPT, prompt);
	if (may_ask(a))
		ask(a, &m);
}

void attempt_ask_token(struct attempt *a, const void *token, size_t len)
{
	struct msg_auth_ask m = { .round = a->round, .wants_token = 1, .token_len = (uint16_t)len };

	if (len > sizeof(m.token)) {
		a->method->cancel(a);
		attempt_end(a, AUTH_ERROR, NULL, NULL, "a token of more bytes than fit");
		return;
	}
	if (len > 0)
		memcpy(m.token, token, len);
	if (may_ask(a))
		ask(a, &m);
	secret_wipe(m.token, len);
}

void attempt_last_token(struct attempt *a, const void *token, size_t len)
{
	a->last_token = len > 0 && len <= LIMIT_TOKEN ? malloc(len) : NULL;
	if (a->last_token == NULL)
		return;
	memcpy(a->last_token, token, len);
	a->last_token_len = (uint16_t)len;
}

int attempt_grant(struct attempt *a, const char *key, const char *value)
{
	return grants_add(&a->grants, key, value);
}

void attempt_explain(struct attempt *a, const char *text)
{
	text_copy(a->why, LIMIT_PROMPT, text);
}

// A refusal without a question would tell this user from others, and one in the middle of a question is not expected by the worker.
static bool is_held(const struct attempt *a)
{
	return attempt_is_waiting(a) || (a->kind == AUTH_PASSWORD && a->round == 0 && a->conn->asked < LIMIT_AUTH_ROUNDS);
}

static void ask_in_vain(struct attempt *a)
{
	ask(a, &(struct msg_auth_ask){ .prompt = FIRST_PROMPT });
}

void attempt_end(struct attempt *a, enum auth_outcome outcome, const char *user, const char *group, const char *reason)
{
	a->work = NULL;
	busy_over(a);
	health_of(a->method)->failures += outcome == AUTH_ERROR;
	if (outcome == AUTH_ERROR)
		log_err("%s: login of %s by %s failed: %s", a->conn->chan.name, a->user, method_name(a), reason);
	if (outcome != AUTH_OK && is_held(a)) {
		a->held = true;
		a->outcome = outcome;
		if (a->round == 0)
			ask_in_vain(a);
		return;
	}
	conclude(a, outcome, user != NULL ? user : a->user, group != NULL ? group : "");
}

int attempt_answer(struct attempt *a, const struct msg_auth_cont *m)
{
	if (a->token)
		return errno_log(EPROTO, "%s: a password in the place of a token", a->conn->chan.name);
	chan_enter(&a->conn->chan, SW_BUSY);
	if (a->held) {
		conclude(a, a->outcome, a->user, "");
		return 0;
	}
	a->answered = true;
	busy_begin(a);
	a->method->answer(a, m->password);
	return 0;
}

int attempt_token(struct attempt *a, const struct msg_auth_token *m)
{
	if (!a->token)
		return errno_log(EPROTO, "%s: a token in the place of a password", a->conn->chan.name);
	chan_enter(&a->conn->chan, SW_BUSY);
	if (a->held) {
		conclude(a, a->outcome, a->user, "");
		return 0;
	}
	a->answered = true;
	busy_begin(a);
	a->method->token(a, m->token, m->token_len);
	return 0;
}

// -------------------------------------------------------------------------------------------------------- other endings

static void cancel(struct attempt *a)
{
	if (!a->held && a->method != NULL)
		a->method->cancel(a);
}

bool attempt_is_waiting(const struct attempt *a)
{
	return a->conn->chan.state == SW_ASKED;
}

bool attempt_is_pending(const struct attempt *a)
{
	return a->answered && !a->held && a->conn->chan.state == SW_BUSY;
}

// A second question can be all that a guesser wants to see.
static enum auth_outcome outcome_of_leaving(const struct attempt *a)
{
	return a->answered ? AUTH_HUNG_UP : AUTH_ABANDONED;
}

void attempt_expire(struct attempt *a)
{
	if (a->held)
		return;
	cancel(a);
	health_of(a->method)->timeouts += !attempt_is_waiting(a);
	if (attempt_is_waiting(a))
		attempt_end(a, outcome_of_leaving(a), NULL, NULL, NULL);
	else
		attempt_end(a, AUTH_ERROR, NULL, NULL, "no result within auth-timeout");
}

void attempt_abandon(struct attempt *a)
{
	cancel(a);
	report(a->conn, a, a->held ? a->outcome : outcome_of_leaving(a), a->user, "");
	attempt_free(a);
}
