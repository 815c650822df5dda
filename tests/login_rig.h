// A login of a worker's, with the test as its client and as its sec-mod: requests in, what sec-mod is asked, and what the client
// reads. Included by tests that link the worker room.
#pragma once
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/worker/login.h"

#define RIG_UNUSED __attribute__((unused))

struct rig {
	struct login login;
	struct ask ask;
	struct http http;
	struct chan secmod;
	struct msg_auth_init init;
	struct msg_auth_cont cont;
	struct msg_auth_token token;
	struct msg_kdc_req kdc;
	struct msg_cookie_show shown;
	int n_init, n_cont, n_token, n_groups, n_kdc, n_shown;
	uint8_t sha1[CERT_SHA1_SIZE];
};

#define HANDLERS from_worker
#define ON_WORKER_SECMOD(...) __VA_ARGS__
#include "proto/handlers.h"

static RIG_UNUSED int on_sign_req(void *who, const struct msg_sign_req *m, const int *fds)
{
	return -EPROTO;
}

static RIG_UNUSED int on_auth_init(void *who, const struct msg_auth_init *m, const int *fds)
{
	struct rig *r = who;

	r->init = *m;
	r->n_init++;
	return 0;
}

static RIG_UNUSED int on_cert_part(void *who, const struct msg_cert_part *m, const int *fds)
{
	return -EPROTO;
}
static RIG_UNUSED int on_cert_prove(void *who, const struct msg_cert_prove *m, const int *fds)
{
	return -EPROTO;
}
static RIG_UNUSED int on_resume_fetch(void *who, const struct msg_resume_fetch *m, const int *fds)
{
	return -EPROTO;
}
static RIG_UNUSED int on_resume_store(void *who, const struct msg_resume_store *m, const int *fds)
{
	return -EPROTO;
}
static RIG_UNUSED int on_resume_delete(void *who, const struct msg_resume_delete *m, const int *fds)
{
	return -EPROTO;
}
static RIG_UNUSED int on_auth_token(void *who, const struct msg_auth_token *m, const int *fds)
{
	struct rig *r = who;

	r->token = *m;
	r->n_token++;
	return 0;
}

static RIG_UNUSED int on_groups_ask(void *who, const struct msg_groups_ask *m, const int *fds)
{
	struct rig *r = who;

	r->n_groups++;
	return 0;
}

static RIG_UNUSED int on_cookie_show(void *who, const struct msg_cookie_show *m, const int *fds)
{
	struct rig *r = who;

	r->shown = *m;
	r->n_shown++;
	return 0;
}

static RIG_UNUSED int on_kdc_req(void *who, const struct msg_kdc_req *m, const int *fds)
{
	struct rig *r = who;

	r->kdc = *m;
	r->n_kdc++;
	return 0;
}

static RIG_UNUSED int on_auth_cont(void *who, const struct msg_auth_cont *m, const int *fds)
{
	struct rig *r = who;

	r->cont = *m;
	r->n_cont++;
	return 0;
}

static RIG_UNUSED void secmod_reads(struct rig *r, uint32_t state)
{
	chan_enter(&r->secmod, state);
	while (chan_serve(&r->secmod, from_worker, r, 1) > 0)
		;
}

static RIG_UNUSED void secmod_asks(struct rig *r, const char *prompt, int echo, int round)
{
	struct msg_auth_ask m = { .echo = (uint8_t)echo, .round = (uint8_t)round };

	snprintf(m.prompt, sizeof(m.prompt), "%s", prompt);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_ASK, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static RIG_UNUSED void secmod_asks_token(struct rig *r, const char *token)
{
	struct msg_auth_ask m = { .wants_token = 1, .token_len = (uint16_t)strlen(token) };

	memcpy(m.token, token, m.token_len);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_ASK, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static RIG_UNUSED void secmod_fails_since(struct rig *r, int tries_left, const char *why)
{
	struct msg_auth_failed m = { .tries_left = (uint8_t)tries_left };

	snprintf(m.text, sizeof(m.text), "%s", why);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_FAILED, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static RIG_UNUSED void secmod_fails(struct rig *r, int tries_left)
{
	secmod_fails_since(r, tries_left, "");
}

static RIG_UNUSED void secmod_agrees_with(struct rig *r, const char *token)
{
	struct msg_auth_done m = { .cookie_len = COOKIE_SIZE, .user = "anna", .token_len = (uint16_t)strlen(token) };

	memcpy(m.token, token, m.token_len);
	memset(m.cookie, 7, COOKIE_SIZE);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_DONE, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static RIG_UNUSED void secmod_agrees(struct rig *r)
{
	secmod_agrees_with(r, "");
}

static RIG_UNUSED const struct offers plain = { .password = true };
static const struct offers *offers = &plain;

static RIG_UNUSED const struct offers all_offers = {
	.password = true, .negotiate = true, .bearer = true, .n_kdc_paths = 1, .kdc_path = { "/KdcProxy" }
};
static RIG_UNUSED const struct offers tokens_only = { .negotiate = true };

static RIG_UNUSED void rig_init_offers(struct rig *r, const struct offers *offered)
{
	int fds[2];

	memset(r, 0, sizeof(*r));
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&r->secmod, fds[0], ROLE_SECMOD, ROLE_WORKER, SW_SIGNED, "worker");
	ask_init(&r->ask, fds[1], &login_events, &r->login);
	memset(r->sha1, 0xab, sizeof(r->sha1));
	login_init(&r->login, &r->ask, offered, r->sha1);
	http_init(&r->http);
}

static RIG_UNUSED void rig_init(struct rig *r)
{
	rig_init_offers(r, offers);
}

static RIG_UNUSED void rig_fini(struct rig *r)
{
	login_fini(&r->login);
	http_fini(&r->http);
	ask_fini(&r->ask);
	chan_fini(&r->secmod);
}

static const char *agent = "Open AnyConnect VPN Agent v9.01-3";

static RIG_UNUSED void post_to(struct rig *r, const char *path, const char *body)
{
	char text[4096];
	int n;

	http_next(&r->http);
	n = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nUser-Agent: %s\r\nContent-Length: %zu\r\n\r\n%s", path, agent,
	             strlen(body), body);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n), 1);
	assert_int_equal(login_request(&r->login, &r->http), 0);
}

static RIG_UNUSED void post(struct rig *r, const char *body)
{
	post_to(r, "/auth", body);
}

// With these headers, each with its end of line.
static RIG_UNUSED void post_with(struct rig *r, const char *headers, const char *body)
{
	char text[4096];
	int n;

	http_next(&r->http);
	n = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n%sContent-Length: %zu\r\n\r\n%s", headers, strlen(body), body);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n), 1);
	assert_int_equal(login_request(&r->login, &r->http), 0);
}

static RIG_UNUSED void get(struct rig *r)
{
	http_next(&r->http);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18), 1);
	assert_int_equal(login_request(&r->login, &r->http), 0);
}

static RIG_UNUSED void says(struct rig *r, const char *text)
{
	assert_true(r->login.ready);
	if (!strstr(r->login.reply.text, text))
		fail_msg("no \"%s\" in: %s", text, r->login.reply.text);
}

static RIG_UNUSED void says_not(struct rig *r, const char *text)
{
	assert_true(r->login.ready);
	assert_null(strstr(r->login.reply.text, text));
}

#define XML(type, inner) "<config-auth client=\"vpn\" type=\"" type "\">" inner "</config-auth>"
#define REPLY(inner) XML("auth-reply", "<auth>" inner "</auth>")
#define INIT XML("init", "<device-id>linux-64</device-id>")
#define USER REPLY("<username>anna</username>")
#define PASSWORD REPLY("<password>secret</password>")
