// auth = oidc[config=FILE]: a bearer token (RFC 6750) that an OpenID Connect issuer has signed.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/log.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/helper.h"
#include "secmod/issuer.h"
#include "secmod/method.h"
#include "secmod/secmod.h"

struct oidc_config {
	struct claims_rules rules;
	struct issuer *issuer;
};

// A token that waits for the keys of its issuer.
struct waiting {
	struct issuer_waiter waiter; // first
	struct attempt *attempt;
	size_t len;
	char token[];
};

// --------------------------------------------------------------------------------------------------------- configuration

static int read_file(const char *path, char **out, size_t *len, char text[LIMIT_TEXT + 1])
{
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return text_refuse(text, "%s: %s", path, strerror(errno));
	*out = malloc(CLAIMS_FILE + 1);
	*len = *out != NULL ? fread(*out, 1, CLAIMS_FILE + 1, in) : 0;
	fclose(in);
	if (*len > 0 && *len <= CLAIMS_FILE)
		return 0;
	free(*out);
	return text_refuse(text, "%s: it is empty, or longer than %d bytes", path, CLAIMS_FILE);
}

static void oidc_unload(void *config)
{
	struct oidc_config *c = config;

	issuer_put(c->issuer);
	claims_rules_fini(&c->rules);
	free(c);
}

static int load_rules(const char *path, struct claims_rules *out, char text[LIMIT_TEXT + 1])
{
	char why[LIMIT_TEXT + 1], *json;
	size_t len;
	int ret = read_file(path, &json, &len, text);

	if (ret < 0)
		return ret;
	ret = claims_rules_read(json, len, out, why);
	free(json);
	return ret < 0 ? text_refuse(text, "%s: %s", path, why) : 0;
}

static int oidc_load(const struct authspec *spec, void **config, char text[LIMIT_TEXT + 1])
{
	struct oidc_config *c;
	int ret;

	if (spec->n_options != 1 || strcmp(spec->option[0].key, "config") != 0)
		return text_refuse(text, "config=FILE is what it takes");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return text_refuse(text, "no memory");
	ret = load_rules(spec->option[0].value, &c->rules, text);
	if (ret < 0) {
		free(c);
		return ret;
	}
	if (json_object_get(c->rules.required, "aud") == NULL)
		log_warn("oidc: %s: tokens for any audience are taken: neither client_id nor required_claims has one",
		         spec->option[0].value);
	c->issuer = issuer_get(&c->rules);
	if (c->issuer == NULL) {
		oidc_unload(c);
		return text_refuse(text, "no memory");
	}
	*config = c;
	return 0;
}

static int oidc_start(struct event_base *base)
{
	const int ret = helpers_start(base);

	return ret == 0 ? issuers_start(base) : ret;
}

static int oidc_stop(void)
{
	issuers_stop();
	helpers_stop();
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- attempt

static void oidc_begin(struct attempt *a)
{
	attempt_ask_token(a, NULL, 0);
}

static void oidc_answer(struct attempt *a, const char *password)
{
	attempt_end(a, AUTH_ERROR, NULL, NULL, "a password is no token");
}

// Says why in the log: the user's client cannot, and nothing in it is secret.
static void refuse(struct attempt *a, const char *user, const char *why)
{
	log_info("%s: token refused: %s", a->conn->chan.name, why);
	attempt_end(a, AUTH_BAD, user, NULL, NULL);
}

static void check_claims(struct attempt *a, const struct oidc_config *c, const struct jwt *t, EVP_PKEY *key)
{
	struct claims_who who;
	const char *why = NULL;
	json_t *claims = jwt_claims(t, key, &why);
	int ret = claims != NULL ? 0 : -EACCES;

	if (ret == 0)
		ret = claims_check(&c->rules, claims, issuer_name(c->issuer), a->group, time(NULL), &who, &why);
	json_decref(claims);
	if (ret < 0)
		refuse(a, NULL, why);
	else
		attempt_end(a, AUTH_OK, who.user, who.group, NULL);
}

static void forget(struct waiting *w)
{
	secret_wipe(w->token, w->len);
	free(w);
}

static void on_fetched(struct issuer_waiter *who);

// true: its issuer is being asked for keys.
static bool wait_for_keys(struct attempt *a, const struct oidc_config *c, const char *token, size_t len)
{
	struct waiting *w = malloc(sizeof(*w) + len);

	if (w == NULL)
		return false;
	w->waiter.fetched = on_fetched;
	w->attempt = a;
	w->len = len;
	memcpy(w->token, token, len);
	if (!issuer_fetch(c->issuer, &w->waiter)) {
		forget(w);
		return false;
	}
	a->work = w;
	return true;
}

static void check(struct attempt *a, const char *token, size_t len, bool may_wait)
{
	const struct oidc_config *c = a->config;
	const char *why = NULL;
	EVP_PKEY *key;
	struct jwt t;

	if (jwt_parse(token, len, &t, &why) < 0) {
		refuse(a, NULL, why);
		return;
	}
	key = issuer_name(c->issuer) != NULL ? issuer_key(c->issuer, &t) : NULL;
	if (key != NULL)
		check_claims(a, c, &t, key);
	else if (may_wait && wait_for_keys(a, c, token, len))
		return;
	else if (issuer_name(c->issuer) == NULL)
		attempt_end(a, AUTH_ERROR, NULL, NULL, "there are no keys of the issuer");
	else
		refuse(a, NULL, "no key of the issuer's is for it");
}

static void on_fetched(struct issuer_waiter *who)
{
	struct waiting *w = (struct waiting *)who;

	w->attempt->work = NULL;
	check(w->attempt, w->token, w->len, false);
	forget(w);
}

static void oidc_token(struct attempt *a, const uint8_t *token, size_t len)
{
	check(a, (const char *)token, len, true);
}

static void oidc_cancel(struct attempt *a)
{
	const struct oidc_config *c = a->config;
	struct waiting *w = a->work;

	a->work = NULL;
	if (w == NULL)
		return;
	issuer_forget(c->issuer, &w->waiter);
	forget(w);
}

const struct method method_oidc = {
	.health = issuers_health,
	.name = "oidc",
	.kind = AUTH_BEARER,
	.start = oidc_start,
	.stop = oidc_stop,
	.load = oidc_load,
	.unload = oidc_unload,
	.begin = oidc_begin,
	.answer = oidc_answer,
	.token = oidc_token,
	.cancel = oidc_cancel,
};
