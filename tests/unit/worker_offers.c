// What a virtual host has to offer, as its login form shows it and a client takes it: groups and the profile.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "login_rig.h"

static struct group_choice two[] = { { "staff", "The <staff>" }, { "guests", "guests" } };
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

// ----------------------------------------------------------------------------------------------- phones, certificates in XML

static const struct offers for_phones = { .password = true, .phones = true, .groups = { .by_url = true } };

static void get_from(struct rig *r, const char *path)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nUser-Agent: Cisco SVC IPPhone Client v1\r\n\r\n", path);

	http_next(&r->http);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n), 1);
	assert_int_equal(login_request(&r->login, &r->http), 0);
}

static void test_phones(void **state)
{
	struct rig r;

	assert_true(serves(&for_phones, "GET /svc"));
	assert_false(serves(&plain, "GET /svc"));
	offers = &for_phones;
	rig_init(&r);
	get_from(&r, "/svc");
	says(&r, "HTTP/1.1 200 OK\r\n");
	says(&r, "\r\nContent-Length: 0\r\n");
	says(&r, "\r\nSet-Cookie: webvpn=; expires=Thu, 01 Jan 1970 22:00:00 GMT; path=/; Secure\r\nSet-Cookie: webvpnlogin=1; "
	         "Secure\r\n\r\n");
	post_to(&r, "/svc", "username=anna"); // half of it is as nothing
	says(&r, "Set-Cookie: webvpnlogin=1;");
	post_to(&r, "/svc", "username=anna&password=secret&Login=Login");
	group_is(&r, "");
	assert_string_equal(r.init.user, "anna");
	secmod_asks(&r, "Password:", 0, 0);
	secmod_reads(&r, SW_ASKED);
	assert_string_equal(r.cont.password, "secret");
	secmod_agrees(&r);
	says(&r, "\r\nContent-Length: 0\r\n");
	says(&r, "Set-Cookie: webvpn=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=; Secure");
	says_not(&r, "<");
	rig_fini(&r);

	rig_init(&r); // whom nobody can ask again
	post_to(&r, "/svc", "username=anna&password=wrong");
	secmod_reads(&r, SW_SIGNED);
	secmod_asks(&r, "Password:", 0, 0);
	secmod_reads(&r, SW_ASKED);
	secmod_fails(&r, 2);
	says(&r, "HTTP/1.1 401 Unauthorized\r\n");
	assert_true(r.login.reply.close);
	rig_fini(&r);

	rig_init(&r);
	post_to(&r, "/svc", "username=anna&password=secret");
	secmod_reads(&r, SW_SIGNED);
	secmod_asks(&r, "Password:", 0, 0);
	secmod_reads(&r, SW_ASKED);
	secmod_asks(&r, "Code:", 0, 1);
	says(&r, "HTTP/1.1 401 Unauthorized\r\n");
	post_to(&r, "/svc", "username=anna&password=secret");
	says(&r, "HTTP/1.1 401 Unauthorized\r\n");
	rig_fini(&r);
	offers = &plain;
}

// One that has a certificate needs no more.
static void test_phones_with_certificates(void **state)
{
	static const struct offers certified = {
		.certificate = true, .wants_certificate = true, .needs_certificate = true, .phones = true
	};
	struct rig r;

	offers = &certified;
	rig_init(&r);
	get_from(&r, "/svc");
	says(&r, "HTTP/1.1 401 Unauthorized\r\n");
	rig_fini(&r);
	rig_init(&r);
	r.login.certified = true;
	get_from(&r, "/svc");
	secmod_reads(&r, SW_SIGNED);
	assert_int_equal(r.init.kind, AUTH_CERTIFICATE);
	secmod_agrees(&r);
	says(&r, "Set-Cookie: webvpn=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=; Secure");
	rig_fini(&r);
	offers = &plain;
}

// AnyConnect may answer a form by another connection.
static void test_both_in_one_form(void **state)
{
	static const struct offers compatible = { .password = true, .one_form = true };
	const char *usual = agent;
	struct rig r;

	offers = &compatible;
	rig_init(&r);
	post(&r, INIT);
	says_not(&r, "type=\"password\"");
	rig_fini(&r);
	agent = "AnyConnect Windows 4.10.06079";
	rig_init(&r);
	post(&r, INIT);
	says(&r, "<input type=\"text\" name=\"username\" label=\"Username:\" />\n<input type=\"password\" name=\"password\" "
	         "label=\"Password:\" />");
	rig_fini(&r);
	rig_init(&r); // here it is
	post(&r, REPLY("<username>anna</username><password>secret</password>"));
	secmod_reads(&r, SW_SIGNED);
	secmod_asks(&r, "Password:", 0, 0);
	secmod_reads(&r, SW_ASKED);
	assert_string_equal(r.cont.password, "secret");
	secmod_fails(&r, 2);
	says(&r, "name=\"password\"");
	rig_fini(&r);
	agent = usual;
	offers = &plain;
}

#define ASKED "type=\"auth-request\" aggregate-auth-version=\"2\">\n"
#define REQUEST "<client-cert-request></client-cert-request>"

static void test_certificates_are_asked_for(void **state)
{
	static const struct offers either = {
		.password = true, .certificate = true, .wants_certificate = true, .asks_certificate = true
	};
	static const struct offers only = {
		.certificate = true, .wants_certificate = true, .needs_certificate = true, .asks_certificate = true
	};
	struct rig r;

	offers = &either;
	rig_init(&r);
	get_from(&r, "/"); // a browser is not asked
	says(&r, "name=\"username\"");
	post(&r, INIT);
	says(&r, ASKED);
	says(&r, REQUEST);
	post(&r, INIT); // once is enough
	says(&r, "name=\"username\"");
	rig_fini(&r);

	rig_init(&r);
	post(&r, XML("init", "<client-cert-fail/>"));
	says(&r, "name=\"username\"");
	rig_fini(&r);

	rig_init(&r);
	r.login.certified = true;
	post(&r, INIT);
	assert_false(r.login.ready); // it goes in by it
	rig_fini(&r);

	offers = &only;
	rig_init(&r);
	post(&r, INIT);
	says(&r, REQUEST);
	post(&r, XML("init", "<client-cert-fail></client-cert-fail>"));
	says(&r, "HTTP/1.1 401 Unauthorized\r\n");
	rig_fini(&r);
	offers = &plain;
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

// The answer to the login waits for what main says.
static void test_own_profiles(void **state)
{
	struct offers both = with_profile;
	struct profile own = { .text = strdup("<own/>"), .len = 6, .name = "own.xml", .sha1 = "1" };
	struct rig r;

	both.own_profiles = true;
	for (int has = 0; has <= 1; has++) {
		rig_init_offers(&r, &both);
		post(&r, USER);
		secmod_asks(&r, "Password:", 0, 0);
		post(&r, PASSWORD);
		secmod_agrees(&r);
		assert_false(r.login.ready);
		assert_non_null(r.login.done);
		login_profile(&r.login, has ? &own : &(struct profile){ 0 });
		assert_null(r.login.done);
		says(&r, has ? "&fu:profiles/own.xml&fh:1;" : "&fu:profiles/vpn.xml&fh:0");
		get_profile(&r, OWN, has ? "\r\n\r\n<own/>" : "\r\n\r\n<profile/>");
		rig_fini(&r);
	}
	rig_init_offers(&r, &both); // and goes with the connection
	post(&r, USER);
	secmod_asks(&r, "Password:", 0, 0);
	post(&r, PASSWORD);
	secmod_agrees(&r);
	rig_fini(&r);
}

static void show(struct rig *r, const char *cookie)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "GET /profiles/x HTTP/1.1\r\n%s\r\n", cookie);

	http_next(&r->http);
	assert_int_equal(http_feed(&r->http, (const uint8_t *)text, (size_t)n), 1);
	assert_true(login_serves(&r->login, &r->http));
	assert_int_equal(login_request(&r->login, &r->http), 0);
	assert_false(r->login.ready);
	secmod_reads(r, SW_SIGNED);
	assert_int_equal(r->n_shown, 1);
	assert_int_equal(r->shown.cookie[0], 8);
}

static void secmod_knows(struct rig *r, bool it)
{
	assert_int_equal(CHAN_SEND(&r->secmod, COOKIE_SEEN, &(struct msg_cookie_seen){ .ok = it }), 0);
	assert_int_equal(ask_serve(&r->ask), 0);
}

// AnyConnect fetches it on another connection than that of its login.
static void test_profile_of_a_session(void **state)
{
	static const struct offers own_only = { .password = true, .own_profiles = true };
	struct profile own = { .text = strdup("<own/>"), .len = 6 };
	struct rig r;

	rig_init_offers(&r, &with_profile);
	show(&r, OTHERS);
	secmod_knows(&r, true);
	assert_false(login_asks_main(&r.login));
	says(&r, "\r\n\r\n<profile/>");
	get_profile(&r, OTHERS, "<profile/>"); // it has shown it
	assert_int_equal(r.n_shown, 1);
	get_profile(&r, OWN, "401 Unauthorized");
	post(&r, USER);
	says(&r, "401 Unauthorized");
	rig_fini(&r);

	rig_init_offers(&r, &with_profile);
	show(&r, OTHERS);
	secmod_knows(&r, false);
	says(&r, "401 Unauthorized");
	assert_true(r.login.reply.close);
	get_profile(&r, OTHERS, "401 Unauthorized");
	assert_int_equal(r.n_shown, 1);
	rig_fini(&r);

	rig_init_offers(&r, &own_only); // whose it is, main is asked
	show(&r, OTHERS);
	secmod_knows(&r, true);
	assert_true(login_asks_main(&r.login));
	assert_false(r.login.ready);
	login_profile(&r.login, &own);
	says(&r, "\r\n\r\n<own/>");
	assert_false(login_asks_main(&r.login));
	rig_fini(&r);

	rig_init_offers(&r, &own_only); // and he has none
	show(&r, OTHERS);
	secmod_knows(&r, true);
	login_profile(&r.login, &(struct profile){ 0 });
	says(&r, "404 Not Found");
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice_of_groups),
		cmocka_unit_test(test_names_and_labels),
		cmocka_unit_test(test_groups_by_url),
		cmocka_unit_test(test_which_paths_are_the_logins),
		cmocka_unit_test(test_groups_of_the_method),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_profile_of_a_session),
		cmocka_unit_test(test_own_profiles),
		cmocka_unit_test(test_phones),
		cmocka_unit_test(test_phones_with_certificates),
		cmocka_unit_test(test_both_in_one_form),
		cmocka_unit_test(test_certificates_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
