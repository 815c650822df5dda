// auth = radius[config=FILE]: a login is an Access-Request, and another for each answer to a challenge. Packets travel in
// radius_client.c; what an answer says is read in radius_answer.c.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/grants.h"
#include "secmod/method.h"
#include "secmod/radius_answer.h"
#include "secmod/radius_client.h"
#include "secmod/secmod.h"

#define FIRST_PROMPT "Password:"
#define NEXT_PROMPT "Response:" // where a challenge says nothing

// As ocserv says them: servers' policies may look for them.
#define SERVICE_AUTHENTICATE_ONLY 8
#define NAS_PORT_ASYNC 0

struct radius_auth {
	struct radius_servers *servers;
	char nas_identifier[RADIUS_WORD_MAX + 1], realm[RADIUS_WORD_MAX + 1];
	struct addr nas_ip; // family 0: the address that the client came to
	char separator;     // between groups in Class
	bool grants;        // groupconfig: settings of a session come from its server
};

struct login {
	struct attempt *attempt;
	struct radius_exchange *exchange;  // NULL: its user is asked
	char password[LIMIT_PASSWORD + 1]; // until there is an answer: another server has another secret
	int server;                        // that has asked, -1: none
	uint8_t state_len;
	uint8_t state[RADIUS_VALUE_MAX];
};

// --------------------------------------------------------------------------------------------------------- configuration

struct options {
	const char *file, *nas_identifier, *separator;
	bool groupconfig, need_signed;
};

static int take_truth(const char *value, bool *out)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return -EINVAL;
	*out = value[0] == 't';
	return 0;
}

static int take_option(struct options *o, const char *key, const char *value)
{
	if (strcmp(key, "config") == 0 || key[0] == '\0')
		o->file = value;
	else if (strcmp(key, "nas-identifier") == 0)
		o->nas_identifier = value;
	else if (strcmp(key, "group-separator") == 0 && (strcmp(value, "comma") == 0 || strcmp(value, "semicolon") == 0))
		o->separator = value;
	else if (strcmp(key, "groupconfig") == 0)
		return take_truth(value, &o->groupconfig);
	else if (strcmp(key, "require-message-authenticator") == 0)
		return take_truth(value, &o->need_signed);
	else
		return -EINVAL;
	return 0;
}

static int take_options(struct options *o, const struct authspec *spec, char text[LIMIT_TEXT + 1])
{
	for (unsigned i = 0; i < spec->n_options; i++) {
		const char *key = spec->option[i].key, *value = spec->option[i].value;

		if (take_option(o, key, value) < 0)
			return text_refuse(text,
			                   "option %s=%s is not supported (supported: config=FILE, groupconfig=true, "
			                   "nas-identifier=NAME, group-separator=semicolon or comma, "
			                   "require-message-authenticator=false)",
			                   key, value);
	}
	return o->file != NULL ? 0 : text_refuse(text, "names no file: radius[config=FILE]");
}

// radcli's own nas-identifier goes before ours, as its documentation has it.
static int take_identity(struct radius_auth *c, const struct radius_config *from, const char *identifier, char text[LIMIT_TEXT + 1])
{
	if (identifier == NULL || from->nas_identifier[0] != '\0')
		identifier = from->nas_identifier;
	if (strlen(identifier) > RADIUS_WORD_MAX)
		return text_refuse(text, "nas-identifier is longer than %d bytes", RADIUS_WORD_MAX);
	strcpy(c->nas_identifier, identifier);
	strcpy(c->realm, from->realm);
	c->nas_ip = from->nas_ip;
	return 0;
}

static int load(struct radius_auth *c, const struct authspec *spec, char text[LIMIT_TEXT + 1])
{
	struct options o = { .need_signed = true };
	struct radius_config from;
	char why[LIMIT_TEXT + 1];
	int ret = take_options(&o, spec, text);

	if (ret < 0)
		return ret;
	if (radius_config_load(o.file, RADIUS_AUTH, &from, why) < 0)
		return text_refuse(text, "%s", why);
	c->separator = o.separator != NULL && o.separator[0] == 'c' ? ',' : ';';
	c->grants = o.groupconfig;
	ret = take_identity(c, &from, o.nas_identifier, text);
	if (ret == 0) {
		c->servers = radius_servers_get(&from, o.need_signed);
		ret = c->servers != NULL ? 0 : -ENOMEM;
	}
	secret_wipe(&from, sizeof(from));
	return ret;
}

static void radius_unload(void *config)
{
	struct radius_auth *c = config;

	radius_servers_put(c->servers);
	free(c);
}

static int radius_load(const struct authspec *spec, void **config, char text[LIMIT_TEXT + 1])
{
	struct radius_auth *c = calloc(1, sizeof(*c));
	int ret;

	text_format(text, "no memory");
	ret = c != NULL ? load(c, spec, text) : -ENOMEM;
	if (ret < 0) {
		free(c);
		return ret;
	}
	*config = c;
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- request

static void add_name(const struct attempt *at, const struct radius_auth *c, struct radius_attributes *a)
{
	char name[LIMIT_USER + 1 + RADIUS_WORD_MAX + 1];
	bool bare = c->realm[0] != '\0' && strchr(at->user, '@') == NULL;

	snprintf(name, sizeof(name), "%s%s%s", at->user, bare ? "@" : "", bare ? c->realm : "");
	radius_add_text(a, RADIUS_USER_NAME, name);
}

static int build(void *who, struct radius_packet *out, uint8_t id, const char *secret)
{
	const struct login *l = who;
	const struct attempt *at = l->attempt;
	const struct radius_auth *c = at->config;
	struct radius_attributes a = { 0 };
	char client[ADDR_TEXT];

	add_name(at, c, &a);
	radius_add_addr(&a, RADIUS_NAS_IP_ADDRESS, RADIUS_NAS_IPV6_ADDRESS, c->nas_ip.family != 0 ? &c->nas_ip : &at->conn->local);
	radius_add_text(&a, RADIUS_NAS_IDENTIFIER, c->nas_identifier);
	radius_add_text(&a, RADIUS_CALLING_STATION_ID, addr_text(&at->conn->client, client));
	radius_add_text(&a, RADIUS_ACCT_SESSION_ID, at->acct_id);
	radius_add_text(&a, RADIUS_CONNECT_INFO, at->user_agent);
	radius_add_number(&a, RADIUS_SERVICE_TYPE, SERVICE_AUTHENTICATE_ONLY);
	radius_add_number(&a, RADIUS_NAS_PORT_TYPE, NAS_PORT_ASYNC);
	if (l->state_len > 0)
		radius_add(&a, RADIUS_STATE, l->state, l->state_len);
	return radius_build_access(out, id, &a, l->password, secret);
}

// ---------------------------------------------------------------------------------------------------------------- answer

static void login_free(struct login *l)
{
	if (l->exchange != NULL)
		radius_exchange_cancel(l->exchange);
	l->attempt->work = NULL;
	secret_wipe(l, sizeof(*l));
	free(l);
}

static void end(struct login *l, enum auth_outcome outcome, const char *user, const char *group, const char *reason)
{
	struct attempt *a = l->attempt;

	login_free(l);
	attempt_end(a, outcome, user, group, reason);
}

static int on_setting(void *who, const char *key, const char *value)
{
	const struct login *l = who;

	return attempt_grant(l->attempt, key, value);
}

#define CLASSES_MAX 8

// What its server wants to see again in accounting. More of it than that, or than there is room for, is no reason to keep a user
// out.
static void keep_classes(struct attempt *at, const uint8_t *bytes, size_t len)
{
	char hex[2 * RADIUS_VALUE_MAX + 1];
	struct radius_attribute a;
	struct radius_walk w;
	unsigned kept = 0;

	radius_walk_begin(&w, bytes, len);
	while (kept < CLASSES_MAX && radius_walk_next(&w, &a)) {
		if (a.vendor != 0 || a.type != RADIUS_CLASS)
			continue;
		for (size_t i = 0; i < a.len; i++)
			snprintf(hex + 2 * i, 3, "%02x", a.value[i]);
		hex[2 * a.len] = '\0';
		kept += attempt_grant(at, GRANT_CLASS, hex) == 0;
	}
}

static void challenge(struct login *l, const struct radius_answer *answer, int server)
{
	l->server = answer->state_len > 0 ? server : -1;
	l->state_len = answer->state_len;
	memcpy(l->state, answer->state, answer->state_len);
	attempt_ask(l->attempt, answer->message[0] != '\0' ? answer->message : NEXT_PROMPT, answer->echo); // l may be gone
}

// The server's word, or what was typed without the realm that we would add ourselves: one user has one name.
static void take_name(const struct attempt *a, const struct radius_answer *answer, char out[LIMIT_USER + 1])
{
	const struct radius_auth *c = a->config;
	char *at;

	strcpy(out, answer->user[0] != '\0' ? answer->user : a->user);
	at = answer->user[0] == '\0' && c->realm[0] != '\0' ? strchr(out, '@') : NULL;
	if (at != NULL && at != out && strcasecmp(at + 1, c->realm) == 0)
		*at = '\0';
}

static void conclude(struct login *l, const struct radius_answer *answer, const uint8_t *bytes, size_t len)
{
	struct attempt *a = l->attempt;
	char user[LIMIT_USER + 1];

	if (answer->code != RADIUS_ACCESS_ACCEPT) {
		end(l, AUTH_BAD, NULL, NULL, NULL);
		return;
	}
	if (!answer->member) {
		log_info("%s: %s has asked for group %s, which RADIUS does not say", a->conn->chan.name, a->user, a->group);
		end(l, AUTH_BAD, NULL, NULL, NULL);
		return;
	}
	keep_classes(a, bytes, len);
	take_name(a, answer, user);
	if (strcmp(user, a->user) != 0)
		log_info("%s: %s is called %s by RADIUS", a->conn->chan.name, a->user, user);
	end(l, AUTH_OK, user, answer->group, NULL);
}

static void on_answer(void *who, const uint8_t *bytes, size_t len, int server)
{
	struct login *l = who;
	const struct radius_auth *c = l->attempt->config;
	const struct radius_reading how = { l->attempt->group, c->separator, c->grants ? on_setting : NULL, l };
	struct radius_answer answer = { 0 };
	const char *why = "no RADIUS server answers";

	l->exchange = NULL;
	secret_wipe(l->password, sizeof(l->password));
	if (bytes != NULL)
		why = radius_answer_read(bytes, len, &how, &answer);
	if (why != NULL)
		end(l, AUTH_ERROR, NULL, NULL, why);
	else if (answer.code == RADIUS_ACCESS_CHALLENGE)
		challenge(l, &answer, server);
	else
		conclude(l, &answer, bytes, len);
	secret_wipe(&answer, sizeof(answer));
}

static const char *refusal(int ret)
{
	switch (ret) {
	case -EAGAIN:
		return "too many requests wait for RADIUS servers";
	case -EHOSTUNREACH:
		return "there is no RADIUS server that can be asked";
	case -EMSGSIZE:
		return "the password is longer than RADIUS allows";
	default:
		return strerror(-ret);
	}
}

// --------------------------------------------------------------------------------------------------------------- attempt

static void radius_begin(struct attempt *a)
{
	struct login *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		attempt_end(a, AUTH_ERROR, NULL, NULL, "no memory");
		return;
	}
	l->attempt = a;
	l->server = -1;
	a->work = l;
	attempt_ask(a, FIRST_PROMPT, false);
}

static void radius_answer(struct attempt *a, const char *password)
{
	static const struct radius_kind kind = { build, on_answer };
	const struct radius_auth *c = a->config;
	struct login *l = a->work;
	int ret;

	strcpy(l->password, password);
	ret = radius_exchange_start(c->servers, &kind, l, l->server, &l->exchange);
	if (ret < 0)
		end(l, AUTH_ERROR, NULL, NULL, refusal(ret));
}

static void radius_cancel(struct attempt *a)
{
	if (a->work != NULL)
		login_free(a->work);
}

const struct method method_radius = {
	.name = "radius",
	.kind = AUTH_PASSWORD,
	.start = radius_client_start,
	.stop = radius_client_stop,
	.load = radius_load,
	.unload = radius_unload,
	.health = radius_servers_report,
	.begin = radius_begin,
	.answer = radius_answer,
	.cancel = radius_cancel,
};
