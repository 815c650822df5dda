// A login as a dialogue: what the client posts, what sec-mod is asked, what the client reads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "login_rig.h"

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

// What camouflage wants to hear again.
static void test_forms_repeat_the_query(void **state)
{
	struct rig r;

	rig_init(&r);
	get(&r);
	says(&r, "<form method=\"post\" action=\"/auth\">");
	login_keep_query(&r.login, "a&b\"c");
	get(&r);
	says(&r, "<form method=\"post\" action=\"/auth?a&amp;b&quot;c\">");
	post(&r, USER);
	secmod_reads(&r, SW_SIGNED);
	secmod_asks(&r, "Password:", 0, 0);
	says(&r, "action=\"/auth?a&amp;b&quot;c\">");
	login_fini(&r.login);
	assert_string_equal(r.login.query, "");
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

static void test_why_it_failed(void **state)
{
	struct rig r;

	rig_init(&r);
	post(&r, USER);
	secmod_asks(&r, "Password:", 0, 0);
	post(&r, PASSWORD);
	secmod_fails_since(&r, 2, "Your <account> has expired.");
	says(&r, "<message>Your &lt;account&gt; has expired.\nPlease enter your username.</message>");
	says_not(&r, "Login failed");
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

#define CAN "X-Support-HTTP-Auth: true\r\n"

static void token_is(const struct rig *r, const char *text)
{
	assert_int_equal(r->token.token_len, strlen(text));
	assert_memory_equal(r->token.token, text, strlen(text));
}

static void test_challenge(void **state)
{
	struct rig r;

	rig_init_offers(&r, &all_offers);
	post_with(&r, "", INIT);
	says(&r, "200 OK");
	post_with(&r, CAN, INIT);
	says(&r, "HTTP/1.1 401 Unauthorized\r\nDate: ");
	says(&r, "\r\nConnection: Keep-Alive\r\n");
	says(&r, "X-HTTP-Auth-Support: fallback\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: Bearer\r\n");
	post_with(&r, "X-Support-HTTP-Auth: fallback\r\n", INIT);
	says(&r, "200 OK");
	post_with(&r, CAN, USER); // a user name is an answer to the form
	assert_false(r.login.ready);
	rig_fini(&r);

	rig_init_offers(&r, &tokens_only);
	post_with(&r, "", INIT);
	says(&r, "401 Unauthorized");
	says(&r, "WWW-Authenticate: Negotiate\r\n");
	says_not(&r, "fallback");
	says_not(&r, "Bearer");
	rig_fini(&r);

	rig_init(&r);
	post_with(&r, CAN, INIT);
	says(&r, "200 OK");
	rig_fini(&r);
}

static void test_bearer(void **state)
{
	struct rig r;

	rig_init_offers(&r, &all_offers);
	post_with(&r, CAN "Authorization: Bearer a.b.c \r\n", INIT);
	assert_false(r.login.ready);
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.init.kind, AUTH_BEARER);
	assert_string_equal(r.init.user, "");
	secmod_asks_token(&r, "");
	secmod_reads(&r, SW_ASKED);
	token_is(&r, "a.b.c");
	assert_null(r.login.token);
	secmod_fails(&r, 2);
	says(&r, "401 Unauthorized");
	says(&r, "fallback");
	post_with(&r, "", USER); // and there are forms
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.init.kind, AUTH_PASSWORD);
	secmod_asks(&r, "Password:", 0, 0);
	post_with(&r, "", PASSWORD);
	secmod_reads(&r, SW_ASKED);
	secmod_agrees(&r);
	says(&r, "Set-Cookie: webvpn=");
	says_not(&r, "WWW-Authenticate");
	rig_fini(&r);
}

static void test_negotiate(void **state)
{
	struct rig r;

	rig_init_offers(&r, &tokens_only);
	post_with(&r, "Authorization: Negotiate b25l\r\n", INIT);
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.init.kind, AUTH_NEGOTIATE);
	secmod_asks_token(&r, "");
	secmod_reads(&r, SW_ASKED);
	token_is(&r, "one");
	secmod_asks_token(&r, "go on");
	says(&r, "401 Unauthorized");
	says(&r, "WWW-Authenticate: Negotiate Z28gb24=\r\n");
	post_with(&r, "Authorization: Negotiate dHdv\r\n", INIT);
	secmod_reads(&r, SW_ASKED);
	token_is(&r, "two");
	secmod_agrees_with(&r, "sure");
	says(&r, "200 OK");
	says(&r, "Set-Cookie: webvpn=");
	says(&r, "WWW-Authenticate: Negotiate c3VyZQ==\r\n");
	rig_fini(&r);
}

// Neither starts a login, nor goes on with one.
static void test_wrong_tokens(void **state)
{
	struct rig r;

	rig_init_offers(&r, &tokens_only);
	post_with(&r, "Authorization: Negotiate ???\r\n", INIT);
	says(&r, "400 Bad Request");
	post_with(&r, "Authorization: Bearer a.b.c\r\n", INIT); // not offered
	says(&r, "401 Unauthorized");
	post_with(&r, "Authorization: Basic YTpi\r\n", INIT);
	says(&r, "401 Unauthorized");
	assert_int_equal(r.n_init, 0);
	post_with(&r, "Authorization: Negotiate b25l\r\n", INIT);
	secmod_reads(&r, SW_SIGNED);
	secmod_asks_token(&r, "");
	secmod_reads(&r, SW_ASKED);
	secmod_asks_token(&r, "go on");
	post_with(&r, "", PASSWORD); // a password in the place of a token
	says(&r, "401 Unauthorized");
	secmod_reads(&r, SW_ASKED);
	assert_int_equal(r.n_cont, 0);
	assert_int_equal(r.n_token, 1);
	rig_fini(&r);
}

static void ask_kdc_by(struct rig *r, const char *body, size_t len)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "POST /KdcProxy HTTP/1.0\r\nContent-Length: %zu\r\n\r\n", len);

	memcpy(text + n, body, len);
	http_next(&r->http);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n + len), 1);
	assert_true(login_is_kdc(&r->login, &r->http));
	assert_int_equal(login_kdc(&r->login, &r->http), 0);
}

static void test_kdc(void **state)
{
	static const char question[] = "\x30\x14\xa0\x09\x04\x07\x00\x00\x00\x03\x6a\x01\x00\xa1\x07\x1b\x05"
	                               "A.ORG";
	struct msg_kdc_rep m = { .message = { 0x6b, 0 }, .message_len = 2 };
	struct rig r;

	rig_init_offers(&r, &all_offers);
	ask_kdc_by(&r, "nonsense", 8);
	says(&r, "400 Bad Request");
	ask_kdc_by(&r, question, sizeof(question) - 1);
	assert_false(r.login.ready);
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.n_kdc, 1);
	assert_string_equal(r.kdc.path, "/KdcProxy");
	assert_string_equal(r.kdc.realm, "A.ORG");
	assert_int_equal(r.kdc.message_len, 3);
	assert_memory_equal(r.kdc.message, "\x6a\x01\x00", 3);
	assert_int_equal(CHAN_SEND(&r.secmod, KDC_REP, &m), 0);
	assert_int_equal(ask_serve(&r.ask), 0);
	says(&r, "Content-Type: application/kerberos\r\nContent-Length: 12\r\n");
	assert_memory_equal(r.login.reply.text + r.login.reply.len - 12, "\x30\x0a\xa0\x08\x04\x06\0\0\0\x02\x6b\0", 12);
	ask_kdc_by(&r, question, sizeof(question) - 1);
	m.message_len = 0;
	assert_int_equal(CHAN_SEND(&r.secmod, KDC_REP, &m), 0);
	assert_int_equal(ask_serve(&r.ask), 0);
	says(&r, "503 Service Unavailable");
	post_with(&r, "", USER); // and the login is where it was
	assert_false(r.login.ready);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openconnect),
		cmocka_unit_test(test_forms_repeat_the_query),
		cmocka_unit_test(test_both_at_once),
		cmocka_unit_test(test_held_password_is_for_passwords),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_why_it_failed),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_odd_orders),
		cmocka_unit_test(test_old_clients_get_bare_forms),
		cmocka_unit_test(test_same_bytes_for_unknown_users),
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_bearer),
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_wrong_tokens),
		cmocka_unit_test(test_kdc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
