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
	struct msg_auth_token token;
	struct msg_kdc_req kdc;
	int n_init, n_cont, n_token, n_groups, n_kdc;
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

static int on_cert_part(void *who, const struct msg_cert_part *m, const int *fds)
{
	return -EPROTO;
}
static int on_cert_prove(void *who, const struct msg_cert_prove *m, const int *fds)
{
	return -EPROTO;
}
static int on_resume_fetch(void *who, const struct msg_resume_fetch *m, const int *fds)
{
	return -EPROTO;
}
static int on_resume_store(void *who, const struct msg_resume_store *m, const int *fds)
{
	return -EPROTO;
}
static int on_resume_delete(void *who, const struct msg_resume_delete *m, const int *fds)
{
	return -EPROTO;
}
static int on_auth_token(void *who, const struct msg_auth_token *m, const int *fds)
{
	struct rig *r = who;

	r->token = *m;
	r->n_token++;
	return 0;
}

static int on_groups_ask(void *who, const struct msg_groups_ask *m, const int *fds)
{
	struct rig *r = who;

	r->n_groups++;
	return 0;
}

static int on_kdc_req(void *who, const struct msg_kdc_req *m, const int *fds)
{
	struct rig *r = who;

	r->kdc = *m;
	r->n_kdc++;
	return 0;
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

static void secmod_asks_token(struct rig *r, const char *token)
{
	struct msg_auth_ask m = { .wants_token = 1, .token_len = (uint16_t)strlen(token) };

	memcpy(m.token, token, m.token_len);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_ASK, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static void secmod_fails_since(struct rig *r, int tries_left, const char *why)
{
	struct msg_auth_failed m = { .tries_left = (uint8_t)tries_left };

	snprintf(m.text, sizeof(m.text), "%s", why);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_FAILED, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static void secmod_fails(struct rig *r, int tries_left)
{
	secmod_fails_since(r, tries_left, "");
}

static void secmod_agrees_with(struct rig *r, const char *token)
{
	struct msg_auth_done m = { .cookie_len = COOKIE_SIZE, .user = "anna", .token_len = (uint16_t)strlen(token) };

	memcpy(m.token, token, m.token_len);
	memset(m.cookie, 7, COOKIE_SIZE);
	assert_int_equal(CHAN_SEND(&r->secmod, AUTH_DONE, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static void secmod_agrees(struct rig *r)
{
	secmod_agrees_with(r, "");
}

static struct group_choice two[] = { { "staff", "The <staff>" }, { "guests", "guests" } };
static const struct offers plain = { .password = true };
static const struct offers choosing = { .password = true, .groups = { .choice = two, .n = 2 } };
static const struct offers by_url = { .password = true,
	                              .banner = "Who goes \"there\"?",
	                              .groups = { .choice = two, .n = 2, .none = "no group", .by_url = true } };
static const struct offers automatic = { .password = true, .groups = { .choice = two, .n = 1, .automatic = true, .by_url = true } };
static const struct offers with_profile = { .password = true,
	                                    .profile = { .text = (char *)"<profile/>",
	                                                 .len = 10,
	                                                 .name = "vpn.xml",
	                                                 .sha1 = "0123456789abcdef0123456789abcdef01234567" } };
static const struct offers *offers = &plain;

static const struct offers all_offers = {
	.password = true, .negotiate = true, .bearer = true, .n_kdc_paths = 1, .kdc_path = { "/KdcProxy" }
};
static const struct offers tokens_only = { .negotiate = true };

static void rig_init_offers(struct rig *r, const struct offers *offered)
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

static void rig_init(struct rig *r)
{
	rig_init_offers(r, offers);
}

static void rig_fini(struct rig *r)
{
	login_fini(&r->login);
	http_fini(&r->http);
	ask_fini(&r->ask);
	chan_fini(&r->secmod);
}

static const char *agent = "Open AnyConnect VPN Agent v9.01-3";

static void post_to(struct rig *r, const char *path, const char *body)
{
	char text[4096];
	int n;

	http_next(&r->http);
	n = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nUser-Agent: %s\r\nContent-Length: %zu\r\n\r\n%s", path, agent,
	             strlen(body), body);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n), 1);
	assert_int_equal(login_request(&r->login, &r->http), 0);
}

static void post(struct rig *r, const char *body)
{
	post_to(r, "/auth", body);
}

// With these headers, each with its end of line.
static void post_with(struct rig *r, const char *headers, const char *body)
{
	char text[4096];
	int n;

	http_next(&r->http);
	n = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n%sContent-Length: %zu\r\n\r\n%s", headers, strlen(body), body);
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

// ---------------------------------------------------------------------------------------------------------------- groups

static void secmod_lists(struct rig *r, const char *names)
{
	struct msg_groups_list m = { 0 };

	snprintf(m.names, sizeof(m.names), "%s", names);
	assert_int_equal(CHAN_SEND(&r->secmod, GROUPS_LIST, &m), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

static void group_is(struct rig *r, const char *name)
{
	secmod_reads(r, SW_SIGNED);
	assert_int_equal(r->n_init, 1);
	assert_string_equal(r->init.group, name);
}

// Whatever it says, and wherever, as a label or a name.
static void says_group(const struct offers *o, const char *path, const char *body, const char *name)
{
	struct rig r;

	offers = o;
	rig_init(&r);
	post_to(&r, path, body);
	group_is(&r, name);
	rig_fini(&r);
	offers = &plain;
}

static void test_choice_of_groups(void **state)
{
	struct rig r;

	offers = &choosing;
	rig_init(&r);
	post(&r, INIT);
	says(&r, "<select name=\"group_list\" label=\"GROUP:\">\n<option>The "
	         "&lt;staff&gt;</option>\n<option>guests</option>\n</select>");
	says_not(&r, "selected");
	// openconnect --authgroup: the form again, with that group
	post(&r, XML("init", "<group-select>guests</group-select>"));
	says(&r, "<option>The &lt;staff&gt;</option>\n<option selected=\"true\">guests</option>");
	post(&r, USER); // which holds, though the reply does not say it again
	group_is(&r, "guests");
	secmod_asks(&r, "Password:", 0, 0);
	says_not(&r, "select");
	post(&r, PASSWORD);
	secmod_reads(&r, SW_ASKED);
	secmod_fails(&r, 2);
	says(&r, "<option selected=\"true\">guests</option>");
	rig_fini(&r);
	offers = &plain;
}

static void test_names_and_labels(void **state)
{
	says_group(&choosing, "/auth", "username=anna&group_list=staff", "staff");
	says_group(&choosing, "/auth", "username=anna&group_list=The+%3Cstaff%3E", "staff");
	says_group(&choosing, "/auth", "username=anna&group%5flist=guests", "guests");
	says_group(&choosing, "/auth", "username=anna&group%5Flist=guests", "guests");
	says_group(&choosing, "/auth", "username=anna&group-select=guests", "guests");
	says_group(&choosing, "/auth", REPLY("<username>anna</username><group_list>The &lt;staff&gt;</group_list>"), "staff");
	says_group(&choosing, "/auth",
	           "<config-auth type=\"auth-reply\"><auth><username>anna</username></auth>"
	           "<group-select>staff</group-select></config-auth>",
	           "staff");
	says_group(&choosing, "/auth", "username=anna&group_list=other", "other"); // sec-mod knows
	says_group(&choosing, "/auth", "username=anna", "");
	says_group(&choosing, "/staff", "username=anna", ""); // nobody has said that URLs count
	says_group(&by_url, "/auth", "username=anna&group_list=no+group", "");
}

static void test_groups_by_url(void **state)
{
	struct rig r;

	says_group(&by_url, "/staff", "username=anna", "staff");
	says_group(&by_url, "/staff/", "username=anna", "staff");
	says_group(&by_url, "/The%20%3cstaff%3E", "username=anna", "staff");
	says_group(&by_url, "/other", "username=anna", "other");
	says_group(&by_url, "/staff", "username=anna&group_list=guests", "guests");
	says_group(&by_url, "/VPN", "username=anna", "");
	says_group(&by_url, "/a/b", "username=anna", "");
	says_group(&by_url, "/%0a", "username=anna", "");
	offers = &by_url;
	rig_init(&r);
	post_to(&r, "/guests", INIT);
	says(&r, "<banner>Who goes &quot;there&quot;?</banner>\n<message>");
	says_not(&r, "<select"); // it has been chosen
	post(&r, USER);
	group_is(&r, "guests");
	rig_fini(&r);
	rig_init(&r);
	post(&r, INIT);
	says(&r, "<option selected=\"true\">no group</option>");
	rig_fini(&r);
	offers = &plain;
}

static bool serves(const struct offers *o, const char *line)
{
	struct http h;
	struct login l;
	char text[256];
	int n = snprintf(text, sizeof(text), "%s HTTP/1.1\r\nContent-Length: 0\r\n\r\n", line);
	bool yes;

	http_init(&h);
	assert_int_equal(http_feed(&h, (const uint8_t *)text, (size_t)n), 1);
	login_init(&l, NULL, o, NULL);
	yes = login_serves(&l, &h);
	login_fini(&l);
	http_fini(&h);
	return yes;
}

static void test_which_paths_are_the_logins(void **state)
{
	assert_true(serves(&plain, "GET /"));
	assert_true(serves(&plain, "GET /auth"));
	assert_true(serves(&plain, "GET /VPN?x=y"));
	assert_true(serves(&plain, "POST /whatever"));
	assert_false(serves(&plain, "GET /staff"));
	assert_false(serves(&choosing, "GET /staff"));
	assert_true(serves(&by_url, "GET /staff"));
	assert_false(serves(&by_url, "GET /favicon.ico"));
}

// sec-mod is asked before the first form, and once.
static void test_groups_of_the_method(void **state)
{
	struct rig r;

	offers = &automatic;
	rig_init(&r);
	post(&r, INIT);
	assert_false(r.login.ready);
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.n_groups, 1);
	secmod_lists(&r, "guests,staff,two words");
	says(&r, "<option>The &lt;staff&gt;</option>\n<option>guests</option>\n<option>two words</option>\n</select>");
	post(&r, REPLY("<username>anna</username><group_list>two words</group_list>"));
	group_is(&r, "two words");
	assert_int_equal(r.n_groups, 1);
	rig_fini(&r);

	rig_init(&r); // a client that says all at once
	post_to(&r, "/The%20%3Cstaff%3E", "username=anna&password=secret");
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.n_groups, 1);
	assert_int_equal(r.n_init, 0);
	secmod_lists(&r, "");
	group_is(&r, "staff");
	secmod_asks(&r, "Password:", 0, 0);
	secmod_reads(&r, SW_ASKED);
	assert_string_equal(r.cont.password, "secret");
	rig_fini(&r);
	offers = &plain;
}

// --------------------------------------------------------------------------------------------------------------- profile

#define OWN "Cookie: webvpncontext=x; webvpn=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\r\n"
#define OTHERS "Cookie: webvpn=CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\r\n"

static void get_profile(struct rig *r, const char *headers, const char *expected)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "GET /profiles/vpn.xml HTTP/1.1\r\n%s\r\n", headers);

	http_next(&r->http);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n), 1);
	assert_true(login_serves(&r->login, &r->http));
	assert_int_equal(login_request(&r->login, &r->http), 0);
	says(r, expected);
}

static void test_profile(void **state)
{
	struct rig r;

	offers = &with_profile;
	rig_init(&r);
	get_profile(&r, "", "401 Unauthorized");
	get_profile(&r, OWN, "401 Unauthorized"); // not yet
	post(&r, USER);
	secmod_asks(&r, "Password:", 0, 0);
	post(&r, PASSWORD);
	secmod_agrees(&r);
	says(&r, "&fu:profiles/vpn.xml&fh:0123456789abcdef0123456789abcdef01234567; path=/");
	says(&r, "<file type=\"profile\" service-type=\"user\"><uri>/profiles/vpn.xml</uri>"
	         "<hash type=\"sha1\">0123456789abcdef0123456789abcdef01234567</hash></file>");
	get_profile(&r, "", "401 Unauthorized");
	get_profile(&r, OTHERS, "401 Unauthorized");
	get_profile(&r, "Cookie: webvpn=x\r\n", "401 Unauthorized");
	get_profile(&r, OWN, "\r\nContent-Length: 10\r\n");
	says(&r, "\r\n\r\n<profile/>");
	rig_fini(&r);
	offers = &plain;
	assert_false(serves(&plain, "GET /profiles/vpn.xml"));
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
	says(&r, "HTTP/1.1 401 Unauthorized\r\nConnection: Keep-Alive\r\n");
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
		cmocka_unit_test(test_both_at_once),
		cmocka_unit_test(test_held_password_is_for_passwords),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_why_it_failed),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_odd_orders),
		cmocka_unit_test(test_old_clients_get_bare_forms),
		cmocka_unit_test(test_choice_of_groups),
		cmocka_unit_test(test_names_and_labels),
		cmocka_unit_test(test_groups_by_url),
		cmocka_unit_test(test_which_paths_are_the_logins),
		cmocka_unit_test(test_groups_of_the_method),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_same_bytes_for_unknown_users),
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_bearer),
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_wrong_tokens),
		cmocka_unit_test(test_kdc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
