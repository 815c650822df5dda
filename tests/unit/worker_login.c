// A login as a dialogue: what the client posts, what sec-mod is asked, what the client reads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/worker/login.h"

// ---------------------------------------------------------------------------------------------------- the other end

struct rig {
	struct login login;
	struct ask ask;
	struct http http;
	struct chan secmod;
	struct msg_auth_init init;
	struct msg_auth_cont cont;
	int n_init, n_cont;
	uint8_t sha1[CERT_SHA1_SIZE];
};

#define HANDLERS from_worker
#define ON_WORKER_SECMOD(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_sign_req(void *who, const struct msg_sign_req *m, const int *fds)
{
	return -EPROTO;
}

static int on_auth_init(void *who, const struct msg_auth_init *m, const int *fds)
{
	struct rig *r = who;

	r->init = *m;
	r->n_init++;
	return 0;
}

static int on_auth_token(void *who, const struct msg_auth_token *m, const int *fds)
{
	return -EPROTO;
}

static int on_auth_cont(void *who, const struct msg_auth_cont *m, const int *fds)
{
	struct rig *r = who;

	r->cont = *m;
	r->n_cont++;
	return 0;
}

static void secmod_reads(struct rig *r, uint32_t state)
{
	chan_enter(&r->secmod, state);
	while (chan_serve(&r->secmod, from_worker, r, 1) > 0)
		;
}

static void secmod_asks(struct rig *r, const char *prompt, int echo, int round)
{
	struct msg_auth_ask m = { .echo = (uint8_t)echo, .round = (uint8_t)round };

	snprintf(m.prompt, sizeof(m.prompt), "%s", prompt);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_ASK, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static void secmod_fails(struct rig *r, int tries_left)
{
	struct msg_auth_failed m = { .tries_left = (uint8_t)tries_left };

	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_FAILED, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static void secmod_agrees(struct rig *r)
{
	struct msg_auth_done m = { .cookie_len = COOKIE_SIZE, .user = "anna" };

	memset(m.cookie, 7, COOKIE_SIZE);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_DONE, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static const struct offers offers = { .password = true };

static void rig_init(struct rig *r)
{
	int fds[2];

	memset(r, 0, sizeof(*r));
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&r->secmod, fds[0], ROLE_SECMOD, ROLE_WORKER, SW_SIGNED, "worker");
	ask_init(&r->ask, fds[1], &login_events, &r->login);
	memset(r->sha1, 0xab, sizeof(r->sha1));
	login_init(&r->login, &r->ask, &offers, r->sha1);
	http_init(&r->http);
}

static void rig_fini(struct rig *r)
{
	login_fini(&r->login);
	http_fini(&r->http);
	ask_fini(&r->ask);
	chan_fini(&r->secmod);
}

static const char *agent = "Open AnyConnect VPN Agent v9.01-3";

static void post(struct rig *r, const char *body)
{
	char text[4096];
	int n;

	http_next(&r->http);
	n = snprintf(text, sizeof(text), "POST /auth HTTP/1.1\r\nUser-Agent: %s\r\nContent-Length: %zu\r\n\r\n%s", agent,
	             strlen(body), body);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n), 1);
	assert_int_equal(login_request(&r->login, &r->http), 0);
}

static void get(struct rig *r)
{
	http_next(&r->http);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18), 1);
	assert_int_equal(login_request(&r->login, &r->http), 0);
}

static void says(struct rig *r, const char *text)
{
	assert_true(r->login.ready);
	if (!strstr(r->login.reply.text, text))
		fail_msg("no \"%s\" in: %s", text, r->login.reply.text);
}

static void says_not(struct rig *r, const char *text)
{
	assert_true(r->login.ready);
	assert_null(strstr(r->login.reply.text, text));
}

#define XML(type, inner) "<config-auth client=\"vpn\" type=\"" type "\">" inner "</config-auth>"
#define REPLY(inner) XML("auth-reply", "<auth>" inner "</auth>")
#define INIT XML("init", "<device-id>linux-64</device-id>")
#define USER REPLY("<username>anna</username>")
#define PASSWORD REPLY("<password>secret</password>")

// ---------------------------------------------------------------------------------------------------------------- facts

static void test_openconnect(void **state)
{
	struct rig r;

	rig_init(&r);
	post(&r, INIT);
	says(&r, "HTTP/1.1 200 OK\r\n");
	says(&r, "<config-auth client=\"vpn\" type=\"auth-request\">");
	says(&r, "<input type=\"text\" name=\"username\"");
	post(&r, REPLY("<username>anna</username>") "");
	assert_false(r.login.ready);
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.n_init, 1);
	assert_string_equal(r.init.user, "anna");
	assert_string_equal(r.init.user_agent, agent);
	secmod_asks(&r, "Password:", 0, 0);
	says(&r, "Please enter your password.");
	says(&r, "<input type=\"password\" name=\"password\" label=\"Password:\" />");
	post(&r, PASSWORD);
	assert_false(r.login.ready);
	secmod_reads(&r, SW_ASKED);
	assert_string_equal(r.cont.password, "secret");
	secmod_agrees(&r);
	says(&r, "type=\"complete\"");
	says(&r, "<auth id=\"success\">");
	says(&r, "Set-Cookie: webvpn=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=; Secure");
	says(&r, "Set-Cookie: webvpncontext=");
	says(&r, "&sh:abababababababababababababababababababab;");
	says(&r, "X-Transcend-Version: 1");
	post(&r, USER); // one login a connection
	says(&r, "401 Unauthorized");
	rig_fini(&r);
}

static void test_both_at_once(void **state)
{
	struct rig r;

	rig_init(&r);
	get(&r);
	says(&r, "name=\"username\"");
	post(&r, "username=anna&password=sec%20ret&group_list=staff");
	secmod_reads(&r, SW_SIGNED);
	assert_string_equal(r.init.group, "staff");
	assert_int_equal(r.n_cont, 0);
	secmod_asks(&r, "Password:", 0, 0); // answered without the user
	assert_false(r.login.ready);
	secmod_reads(&r, SW_ASKED);
	assert_string_equal(r.cont.password, "sec ret");
	secmod_asks(&r, "One-time code <6 digits>", 0, 1); // but only the first
	says(&r, "One-time code &lt;6 digits&gt;");
	says(&r, "name=\"secondary_password\"");
	rig_fini(&r);
}

static void test_held_password_is_for_passwords(void **state)
{
	struct rig r;

	rig_init(&r);
	post(&r, "username=anna&password=secret");
	secmod_asks(&r, "Your favourite colour?", 1, 0); // shown while typed: not what the password was for
	says(&r, "Your favourite colour?");
	says(&r, "<input type=\"text\" name=\"answer\"");
	assert_int_equal(r.login.held[0], 0);
	rig_fini(&r);
}

static void test_failures(void **state)
{
	struct rig r;
	int tries;

	rig_init(&r);
	for (tries = LIMIT_LOGIN_TRIES - 1; tries >= 0; tries--) {
		post(&r, USER);
		secmod_asks(&r, "Password:", 0, 0);
		post(&r, PASSWORD);
		secmod_fails(&r, tries);
		if (tries > 0) {
			says(&r, "HTTP/1.1 200 OK");
			says(&r, "Login failed.");
			says(&r, "name=\"username\"");
			assert_false(r.login.reply.close);
		}
	}
	says(&r, "HTTP/1.1 401 Unauthorized");
	says(&r, "Connection: close");
	assert_true(r.login.reply.close);
	says_not(&r, "webvpn");
	rig_fini(&r);
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = { "<config-auth", "<x/>", REPLY("<username>a&#10;b</username>"), "username=%0a",
		                           "username=%" };
	struct rig r;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_init(&r);
		post(&r, bad[i]);
		says(&r, "400 Bad Request");
		assert_true(r.login.reply.close);
		secmod_reads(&r, SW_SIGNED);
		assert_int_equal(r.n_init, 0);
		rig_fini(&r);
	}
}

static void test_odd_orders(void **state)
{
	struct rig r;

	rig_init(&r);
	post(&r, PASSWORD); // nobody asked
	says(&r, "name=\"username\"");
	post(&r, REPLY("<username></username>"));
	says(&r, "name=\"username\"");
	post(&r, "");
	says(&r, "name=\"username\"");
	post(&r, USER);
	secmod_asks(&r, "Password:", 0, 0);
	secmod_reads(&r, SW_SIGNED);
	post(&r, REPLY("<username>bert</username><password>x</password>")); // another user in the middle of a login
	secmod_reads(&r, SW_ASKED);
	assert_int_equal(r.n_cont, 0);
	assert_true(r.login.reply.close);
	rig_fini(&r);

	rig_init(&r);
	post(&r, XML("logout", ""));
	says(&r, "200 OK");
	assert_true(r.login.reply.close);
	rig_fini(&r);
}

static void test_old_clients_get_bare_forms(void **state)
{
	struct rig r;

	agent = "Open AnyConnect VPN Agent v3.20";
	rig_init(&r);
	post(&r, "");
	says(&r, "<auth id=\"main\">");
	says_not(&r, "config-auth");
	agent = "Open AnyConnect VPN Agent v9.01-3";
	rig_fini(&r);
}

// What a client may learn: nothing but the time that sec-mod took.
static void test_same_bytes_for_unknown_users(void **state)
{
	struct rig r;
	char first[4096];
	const char *users[] = { USER, REPLY("<username>nobody</username>") };
	int i;

	for (i = 0; i < 2; i++) {
		rig_init(&r);
		post(&r, users[i]);
		secmod_asks(&r, "Password:", 0, 0);
		post(&r, PASSWORD);
		secmod_fails(&r, 1);
		if (i == 0)
			snprintf(first, sizeof(first), "%s", r.login.reply.text);
		else
			assert_string_equal(first, r.login.reply.text);
		rig_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openconnect),
		cmocka_unit_test(test_both_at_once),
		cmocka_unit_test(test_held_password_is_for_passwords),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_odd_orders),
		cmocka_unit_test(test_old_clients_get_bare_forms),
		cmocka_unit_test(test_same_bytes_for_unknown_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
