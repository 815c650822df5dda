#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "credentials.h"
#include "endpoint.h"
#include "kkdcp.h"
#include "login.h"
#include "proto/log.h"
#include "proto/secret.h"
#include "text.h"

// --------------------------------------------------------------------------------------------------------------- answers

static void answer_status(struct login *l, unsigned status)
{
	page_status(&l->reply, status, false);
	l->ready = true;
}

// It may answer a form by another connection than it has come from, and a login is one connection's: the first answer has to be
// whole.
static bool wants_one_form(const struct login *l)
{
	return l->offers->one_form && (l->agent.family == FAMILY_ANYCONNECT || l->agent.family == FAMILY_APPLE);
}

static void answer_user_form(struct login *l, const char *error)
{
	const bool both = wants_one_form(l);
	const struct form f = {
		.message = both ? "Please enter your username and password." : "Please enter your username.",
		.with_password = both,
		.error = error,
		.label = "Username:",
		.name = "username",
		.kind = FIELD_TEXT,
		.banner = l->offers->banner,
		.groups = l->group_by_url ? NULL : l->groups,
		.group = l->group,
		.query = l->query[0] ? l->query : NULL,
	};

	page_form(&l->reply, &f, l->agent.bare_xml);
	l->ready = true;
}

static void answer_phone(struct login *l)
{
	page_phone(&l->reply);
	l->ready = true;
}

// Show something, or another token. Whoever cannot may have other ways in, and is told so.
static void answer_challenge(struct login *l, const uint8_t *token, size_t len)
{
	const struct challenge c = {
		.negotiate = l->offers->negotiate,
		.bearer = l->offers->bearer && len == 0,
		.fallback = l->offers->password,
		.token = token,
		.token_len = len,
	};

	page_challenge(&l->reply, &c);
	l->ready = true;
}

static void token_free(struct msg_auth_token *m)
{
	if (m != NULL)
		secret_wipe(m, sizeof(*m));
	free(m);
}

static void drop_held(struct login *l)
{
	secret_wipe(l->held, sizeof(l->held));
	l->has_held = false;
	token_free(l->token);
	l->token = NULL;
}

// ------------------------------------------------------------------------------------------------------ sec-mod's answers

static int send_password(struct login *l, const char *password)
{
	struct msg_auth_cont m = { 0 };
	int ret;

	snprintf(m.password, sizeof(m.password), "%s", password);
	l->state = LOGIN_WAITING;
	ret = ask_answer(l->ask, &m);
	secret_wipe(&m, sizeof(m));
	return ret;
}

static int send_token(struct login *l, struct msg_auth_token *m)
{
	int ret;

	l->state = LOGIN_WAITING;
	ret = ask_token(l->ask, m);
	token_free(m);
	return ret;
}

static void on_asked_token(struct login *l, const struct msg_auth_ask *m)
{
	struct msg_auth_token *token = l->token;

	l->token = NULL;
	if (token == NULL) {
		l->state = LOGIN_ASKED;
		answer_challenge(l, m->token, m->token_len);
	} else if (send_token(l, token) < 0) {
		answer_status(l, 503);
	}
}

// "Password:" says less than a sentence; everything else is shown as it came.
static void show_question(struct login *l, const struct msg_auth_ask *m)
{
	bool plain = strncasecmp(m->prompt, "password", 8) == 0 || m->prompt[0] == 0;
	const struct form f = {
		.message = plain ? "Please enter your password." : m->prompt,
		.label = m->echo ? "Response:" : "Password:",
		.name = m->round == 0 && !m->echo ? "password"
		        : m->echo                 ? "answer"
		                                  : "secondary_password",
		.kind = m->echo ? FIELD_TEXT : FIELD_PASSWORD,
		.query = l->query[0] ? l->query : NULL,
	};

	page_form(&l->reply, &f, l->agent.bare_xml);
	l->ready = true;
}

static void on_asked(void *who, const struct msg_auth_ask *m)
{
	struct login *l = who;
	bool use_held = l->has_held && m->round == 0 && !m->echo;
	int ret;

	if (m->wants_token) {
		on_asked_token(l, m);
		return;
	}
	ret = use_held ? send_password(l, l->held) : 0;
	drop_held(l);
	if (ret < 0) {
		answer_status(l, 503);
	} else if (!use_held && l->phone) { // which can answer nothing
		l->state = LOGIN_OVER;
		answer_status(l, 401);
	} else if (!use_held) {
		l->state = LOGIN_ASKED;
		show_question(l, m);
	}
}

static void answer_success(struct login *l, const struct msg_auth_done *m)
{
	if (l->phone)
		page_phone_success(&l->reply, m, l->cert_sha1);
	else
		page_success(&l->reply, m, l->cert_sha1, l->profile, l->offers->welcome, l->agent.bare_xml);
	l->ready = true;
}

static void drop_done(struct login *l)
{
	if (l->done)
		secret_wipe(l->done, sizeof(*l->done));
	free(l->done);
	l->done = NULL;
}

static void on_done(void *who, const struct msg_auth_done *m)
{
	struct login *l = who;

	drop_held(l);
	l->state = LOGIN_OVER;
	EVP_Digest(m->cookie, COOKIE_SIZE, l->sid, NULL, EVP_sha256(), NULL);
	l->has_sid = true;
	l->done = l->offers->own_profiles ? malloc(sizeof(*l->done)) : NULL;
	if (l->done)
		*l->done = *m;
	else
		answer_success(l, m);
}

bool login_asks_main(const struct login *l)
{
	return l->done || l->showing;
}

static void show_profile(struct login *l)
{
	if (!l->profile->text) {
		answer_status(l, 404);
		return;
	}
	page_profile(&l->reply, l->profile);
	l->ready = true;
}

void login_profile(struct login *l, struct profile *own)
{
	if (!login_asks_main(l)) {
		profile_free(own);
		return;
	}
	l->own_profile = *own;
	if (own->text)
		l->profile = &l->own_profile;
	if (l->done)
		answer_success(l, l->done);
	else
		show_profile(l);
	l->showing = false;
	drop_done(l);
}

static void on_failed(void *who, const struct msg_auth_failed *m)
{
	struct login *l = who;

	drop_held(l);
	l->state = m->tries_left > 0 && !l->phone ? LOGIN_NEW : LOGIN_OVER;
	if (l->state == LOGIN_OVER)
		answer_status(l, 401);
	else if (l->kind == AUTH_NEGOTIATE || l->kind == AUTH_BEARER)
		answer_challenge(l, NULL, 0);
	else if (!l->offers->password)
		answer_status(l, 401);
	else
		answer_user_form(l, m->text[0] ? m->text : "Login failed.");
}

static void on_groups(void *who, const char *names)
{
	struct login *l = who;

	l->state = LOGIN_NEW;
	if (groups_copy(&l->own, l->groups, names) < 0) {
		answer_status(l, 503);
		return;
	}
	l->groups = &l->own;
	if (login_request(l, l->held_request) < 0)
		answer_status(l, 503);
}

static void on_kdc(void *who, const struct msg_kdc_rep *m)
{
	uint8_t wrapped[LIMIT_KERBEROS + KKDCP_OVERHEAD];
	struct login *l = who;
	size_t len;

	l->state = LOGIN_NEW;
	if (m->message_len == 0) {
		answer_status(l, 503);
		return;
	}
	len = kkdcp_wrap(m->message, m->message_len, wrapped);
	page_kerberos(&l->reply, wrapped, len);
	l->ready = true;
	secret_wipe(wrapped, len);
}

static void on_seen(void *who, bool known)
{
	struct login *l = who;

	l->state = LOGIN_OVER;
	l->has_sid = known;
	l->showing = known && l->offers->own_profiles;
	if (!known)
		answer_status(l, 401);
	else if (!l->showing)
		show_profile(l);
}

const struct ask_events login_events = { on_asked, on_done, on_failed, on_groups, on_kdc, on_seen };

// ---------------------------------------------------------------------------------------------------------------- groups

// Only once, and with the request in hand, which goes on when the answer is there.
static bool must_ask_groups(const struct login *l)
{
	return l->offers->groups.automatic && l->groups != &l->own;
}

static int hold_request(struct login *l, const struct http *h)
{
	l->state = LOGIN_WAITING;
	l->held_request = h;
	return ask_groups(l->ask, AUTH_PASSWORD);
}

static bool is_at(const struct http *h, enum endpoint_who who)
{
	const struct endpoint *e = endpoint_find(http_path(h));

	return e && e->who == who;
}

static bool is_for_profile(const struct login *l, const struct http *h)
{
	bool there = l->profile->text || l->offers->own_profiles;

	return there && h->verb == VERB_GET && is_at(h, ENDPOINT_PROFILE);
}

static bool is_for_phone(const struct login *l, const struct http *h)
{
	return l->offers->phones && is_at(h, ENDPOINT_PHONE);
}

bool login_serves(const struct login *l, const struct http *h)
{
	char name[LIMIT_GROUP + 1];

	if (h->verb == VERB_POST) // any before the login is the login's
		return true;
	if (is_at(h, ENDPOINT_LOGIN))
		return true;
	if (h->verb == VERB_HEAD)
		return false;
	if (is_for_profile(l, h) || is_for_phone(l, h))
		return true;
	return l->offers->groups.by_url && path_name(http_path(h), name, sizeof(name)) == 0 &&
	       (l->offers->groups.automatic || groups_has(l->groups, name));
}

// What the client says in the form counts before the URL that it has come by; a group of the URL is not asked for any more. Either
// holds for the whole connection.
static void note_group(struct login *l, const struct http *h, const struct login_fields *f)
{
	char name[LIMIT_GROUP + 1];

	if (f->group[0]) {
		groups_name(l->groups, f->group, l->group);
		return;
	}
	if (!l->offers->groups.by_url || l->phone || is_at(h, ENDPOINT_LOGIN) || path_name(http_path(h), name, sizeof(name)) < 0)
		return;
	groups_name(l->groups, name, l->group);
	l->group_by_url = true;
}

// -------------------------------------------------------------------------------------------------------------- requests

static int begin(struct login *l, enum auth_kind kind, const struct http *h, const struct login_fields *f)
{
	const char *type = http_header(h, "X-AnyConnect-Identifier-DeviceType", 0);
	const char *platform = http_header(h, "X-AnyConnect-Identifier-Platform", 0);
	struct msg_auth_init m = { .kind = (uint8_t)kind };

	memcpy(m.user, f->user, sizeof(m.user));
	memcpy(m.group, l->group, sizeof(m.group));
	text_tame(http_header(h, "User-Agent", 0), m.user_agent, sizeof(m.user_agent));
	text_tame(type ? type : f->device_type, m.device_type, sizeof(m.device_type));
	text_tame(platform ? platform : f->device_platform, m.device_platform, sizeof(m.device_platform));
	memcpy(l->user, f->user, sizeof(l->user));
	if (f->has_password) {
		memcpy(l->held, f->password, sizeof(l->held));
		l->has_held = true;
	}
	l->kind = kind;
	l->state = LOGIN_WAITING;
	return ask_login(l->ask, &m);
}

static bool is_offered(const struct login *l, enum auth_kind kind)
{
	return kind == AUTH_NEGOTIATE ? l->offers->negotiate : l->offers->bearer;
}

// The client shows something: a login begins by it, or goes on. -ENOENT: nothing that could be used here.
static int serve_token(struct login *l, const struct http *h, const struct login_fields *f)
{
	const char *header = http_header(h, "Authorization", 0);
	struct msg_auth_token *m = header != NULL ? calloc(1, sizeof(*m)) : NULL;
	enum auth_kind kind;
	int n = -ENOENT;

	if (m != NULL)
		n = credentials_read(header, &kind, m->token, sizeof(m->token));
	if (n < 0 || !is_offered(l, kind)) {
		token_free(m);
		if (n == -EBADMSG || n == -EMSGSIZE)
			answer_status(l, n == -EMSGSIZE ? 431 : 400);
		return n == -EBADMSG || n == -EMSGSIZE ? 0 : -ENOENT;
	}
	m->token_len = (uint16_t)n;
	if (l->state == LOGIN_ASKED && l->kind == kind)
		return send_token(l, m);
	if (l->state == LOGIN_ASKED) {
		token_free(m);
		return -ENOENT;
	}
	l->token = m;
	return begin(l, kind, h, f);
}

// RFC 9110 11.6.1. openconnect says what it can, until it has tried; where there is no other way in, everybody is asked.
static bool wants_challenge(const struct login *l, const struct http *h, const struct login_fields *f)
{
	const char *can = http_header(h, "X-Support-HTTP-Auth", 0);

	if ((!l->offers->negotiate && !l->offers->bearer) || (f->has_user && l->offers->password))
		return false;
	return !l->offers->password || (can != NULL && strcasecmp(can, "true") == 0);
}

// A question is open: only its answer leads on. Another user name would need another connection, and is told so.
static int answer_question(struct login *l, const struct login_fields *f)
{
	if (l->kind == AUTH_PASSWORD && f->has_password && (!f->has_user || strcmp(f->user, l->user) == 0))
		return send_password(l, f->password);
	l->state = LOGIN_OVER;
	if (l->kind != AUTH_PASSWORD) {
		answer_status(l, 401);
		return 0;
	}
	l->reply.close = true;
	answer_user_form(l, NULL);
	return 0;
}

// The certificate alone lets in, once, who does not say that he is somebody with a password.
static bool by_certificate(struct login *l, const struct login_fields *f)
{
	bool password = l->offers->password && f->has_user && f->user[0];
	bool yes = l->offers->certificate && l->certified && !l->by_certificate && !password;

	l->by_certificate |= yes;
	return yes;
}

// AnyConnect begins without a certificate, and openconnect may have one that does not count. Either says so if it has no other.
static bool wants_certificate(const struct login *l, const struct login_fields *f)
{
	return l->offers->asks_certificate && l->state == LOGIN_NEW && !l->certified && !l->certificate_asked &&
	       f->kind == LOGIN_INIT && !f->cert_fail;
}

static int serve(struct login *l, const struct http *h, const struct login_fields *f)
{
	int ret;

	if (f->kind == LOGIN_LOGOUT) {
		l->state = LOGIN_OVER;
		page_logout(&l->reply);
		l->ready = true;
		return 0;
	}
	if (l->state == LOGIN_NEW)
		note_group(l, h, f);
	if (wants_certificate(l, f)) {
		l->certificate_asked = true;
		page_ask_certificate(&l->reply);
		l->ready = true;
		return 0;
	}
	if (l->state == LOGIN_NEW && l->offers->needs_certificate && !l->certified) {
		answer_status(l, 401);
		return 0;
	}
	ret = serve_token(l, h, f);
	if (ret != -ENOENT)
		return ret;
	if (l->state == LOGIN_ASKED)
		return answer_question(l, f);
	if (by_certificate(l, f))
		return begin(l, AUTH_CERTIFICATE, h, f);
	if (l->phone && l->offers->password && !(f->has_user && f->user[0] && f->has_password))
		answer_phone(l);
	else if (!l->phone && wants_challenge(l, h, f))
		answer_challenge(l, NULL, 0);
	else if (!l->offers->password)
		answer_status(l, 401);
	else if (f->has_user && f->user[0])
		return begin(l, AUTH_PASSWORD, h, f);
	else
		answer_user_form(l, NULL);
	return 0;
}

// With the cookie that this connection has been given, or has shown.
static bool has_own_cookie(const struct login *l, const struct http *h)
{
	uint8_t cookie[COOKIE_SIZE] = { 0 }, sid[EVP_MAX_MD_SIZE] = { 0 };
	const char *header = http_header(h, "Cookie", 0);
	bool own = l->has_sid && header && cookie_get(header, cookie) == 0;

	if (own)
		EVP_Digest(cookie, COOKIE_SIZE, sid, NULL, EVP_sha256(), NULL);
	secret_wipe(cookie, sizeof(cookie));
	return own && memcmp(sid, l->sid, SID_SIZE) == 0;
}

// Another connection's may be right, too; sec-mod knows.
static int show_cookie(struct login *l, const struct http *h)
{
	uint8_t cookie[COOKIE_SIZE] = { 0 }, sid[EVP_MAX_MD_SIZE];
	const char *header = http_header(h, "Cookie", 0);
	int ret = 0;

	if (l->state != LOGIN_NEW || !header || cookie_get(header, cookie) < 0) {
		answer_status(l, 401);
		return 0;
	}
	EVP_Digest(cookie, COOKIE_SIZE, sid, NULL, EVP_sha256(), NULL);
	memcpy(l->sid, sid, SID_SIZE);
	l->state = LOGIN_WAITING;
	ret = ask_cookie(l->ask, cookie);
	secret_wipe(cookie, sizeof(cookie));
	return ret;
}

static int serve_profile(struct login *l, const struct http *h)
{
	if (!has_own_cookie(l, h))
		return show_cookie(l, h);
	show_profile(l);
	return 0;
}

// Who only looks whether somebody is there begins nothing.
static void answer_head(struct login *l)
{
	l->reply.head = true;
	if (l->offers->password)
		answer_user_form(l, NULL);
	else
		answer_status(l, 401);
}

static bool is_xml(const struct http *h)
{
	const char *p = h->body, *end = h->body + h->body_len;

	while (p < end && (*p == ' ' || *p == '\r' || *p == '\n' || *p == '\t'))
		p++;
	return p < end && *p == '<';
}

int login_request(struct login *l, const struct http *h)
{
	struct login_fields f = { 0 };
	int ret = 0;

	reply_clear(&l->reply);
	l->ready = false;
	l->agent = agent_of(http_header(h, "User-Agent", 0));
	l->phone = is_for_phone(l, h);
	if (is_for_profile(l, h))
		return serve_profile(l, h);
	if (l->state == LOGIN_WAITING || l->state == LOGIN_OVER) {
		answer_status(l, 401);
		return 0;
	}
	if (h->verb == VERB_HEAD) {
		answer_head(l);
		return 0;
	}
	if (must_ask_groups(l))
		return hold_request(l, h);
	if (h->verb == VERB_POST && h->body_len > 0)
		ret = is_xml(h) ? xml_login(h->body, h->body_len, &f) : form_login(h->body, h->body_len, &f);
	if (ret < 0) {
		if (ret == -ENOMEM)
			log_err("a login cannot be read: out of memory");
		answer_status(l, ret == -ENOMEM ? 503 : 400);
		return 0;
	}
	ret = serve(l, h, &f);
	login_fields_wipe(&f);
	return ret;
}

bool login_is_kdc(const struct login *l, const struct http *h)
{
	return h->verb == VERB_POST && offers_kdc(l->offers, http_path(h));
}

int login_kdc(struct login *l, const struct http *h)
{
	struct msg_kdc_req m = { 0 };
	struct kkdcp k;
	int ret;

	reply_clear(&l->reply);
	l->ready = false;
	if (l->state != LOGIN_NEW || ++l->kdc_uses > LIMIT_KDC_USES) {
		answer_status(l, l->state != LOGIN_NEW ? 401 : 429);
		return 0;
	}
	if (kkdcp_parse((const uint8_t *)h->body, h->body_len, &k) < 0) {
		answer_status(l, 400);
		return 0;
	}
	strcpy(m.path, http_path(h));
	strcpy(m.realm, k.realm);
	m.message_len = (uint16_t)k.len;
	memcpy(m.message, k.message, k.len);
	l->state = LOGIN_WAITING;
	ret = ask_kdc(l->ask, &m);
	secret_wipe(m.message, k.len);
	return ret;
}

void login_keep_query(struct login *l, const char *query)
{
	snprintf(l->query, sizeof(l->query), "%s", query);
}

void login_offer(struct login *l, const struct offers *offers)
{
	l->offers = offers;
	l->groups = &offers->groups;
	l->profile = &offers->profile;
}

void login_init(struct login *l, struct ask *ask, const struct offers *offers, const uint8_t *cert_sha1)
{
	memset(l, 0, sizeof(*l));
	l->ask = ask;
	login_offer(l, offers);
	l->cert_sha1 = cert_sha1;
}

void login_fini(struct login *l)
{
	drop_held(l);
	drop_done(l);
	secret_wipe(l->query, sizeof(l->query));
	profile_free(&l->own_profile);
	l->profile = &l->offers->profile;
	groups_fini(&l->own);
	reply_clear(&l->reply);
}
