// What strangers see of a gateway that hides: a whole worker in a thread, and every way to ask it what it is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "worker_world.h"

#define COOKIE "Cookie: webvpn=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n"
#define V11 "HTTP/1.1\r\nHost: www.example\r\n"
#define CONNECT "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\n"
#define HERE (&shared.gear.vhosts.vhost[0].camouflage)

static bool is_closed(struct world *w)
{
	char c;

	return SSL_read(w->tls, &c, 1) <= 0;
}

static void hide(const char *realm)
{
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *conf;
	int fd;

	assert_non_null(w);
	snapshot_put(w, "camouflage", "1");
	snapshot_put(w, "camouflage_secret", "open & me");
	snapshot_put(w, "camouflage_realm", realm);
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &conf), 0);
	close(fd);
	camouflage_free(HERE);
	assert_int_equal(camouflage_load(HERE, conf, 0), 0);
	snapshot_free(conf);
}

static void test_the_secret(void **state)
{
	char text[LIMIT_QUERY + 2] = "";
	struct camouflage none = { .on = true };

	hide("");
	assert_true(camouflage_opens(HERE, "open & me"));
	assert_true(camouflage_opens(HERE, "open%20&%20me"));
	assert_true(camouflage_opens(HERE, "%6f%70en%20%26%20me"));
	assert_false(camouflage_opens(HERE, NULL));
	assert_false(camouflage_opens(HERE, ""));
	assert_false(camouflage_opens(HERE, "open & m"));
	assert_false(camouflage_opens(HERE, "open & me "));
	assert_false(camouflage_opens(HERE, "Open & me"));
	assert_false(camouflage_opens(HERE, "open+&+me"));
	assert_false(camouflage_opens(HERE, "open%20&%20me%00"));
	memset(text, 'a', LIMIT_QUERY);
	assert_false(camouflage_opens(HERE, text));
	text[LIMIT_QUERY] = 'a';
	assert_false(camouflage_opens(HERE, text));
	assert_false(camouflage_opens(&none, "")); // no secret is nobody's
	assert_null(memmem(HERE, sizeof(*HERE), "open", 4));
}

// ------------------------------------------------------------------------------------------------------------- strangers

// Nothing in it says what this is.
static void looks_ordinary(const char *text)
{
	static const char *const tells[] = { "X-", "webvpn", "config-auth", "VPN", "enstock", "Transport-Security" };

	for (size_t i = 0; i < sizeof(tells) / sizeof(*tells); i++)
		if (strstr(text, tells[i]))
			fail_msg("\"%s\" in: %s", tells[i], text);
	assert_non_null(strstr(text, "\r\nDate: "));
	assert_non_null(strstr(text, "\r\nContent-Type: text/html\r\n"));
}

static void sees(const char *request, const char *want)
{
	char text[8192];
	struct world w;

	world_init(&w, true);
	put(&w, request);
	get_some(&w, text);
	if (strncmp(text, want, strlen(want)) != 0)
		fail_msg("no \"%s\" to \"%s\": %s", want, request, text);
	looks_ordinary(text);
	assert_int_equal(w.requests, 0);
	world_fini(&w);
}

static const char *const strangers[] = {
	"GET / " V11 "\r\n",
	"HEAD / " V11 "\r\n",
	"GET /? " V11 "\r\n",
	"GET /?open " V11 "\r\n",
	"GET /auth " V11 "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n\r\n",
	"GET /nowhere HTTP/1.0\r\n\r\n",
	"GET /profiles/vpn.xml " V11 COOKIE "\r\n",
	"GET / " V11 "\r\nGET / " V11 "\r\n",
	"POST / " V11 "Content-Length: 3\r\n\r\nabc",
	"POST / " V11 "Content-Length: 999999\r\n\r\n",
	"POST / " V11 "Transfer-Encoding: chunked\r\n\r\n",
	"POST / " V11 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
	"PUT / " V11 "Content-Length: 3\r\n\r\nabc",
	"OPTIONS * " V11 "\r\n",
};

static void test_strangers_see_a_web_server(void **state)
{
	hide("Members");
	for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
		sees(strangers[i], "HTTP/1.1 401 Unauthorized\r\n");
	hide("");
	for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
		sees(strangers[i], "HTTP/1.1 404 Not Found\r\n");
	sees(CONNECT "\r\n", "HTTP/1.1 405 Method Not Allowed\r\n");
	sees(CONNECT "Cookie: webvpn=x\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n");
	sees("CONNECT elsewhere:443 " V11 "\r\n", "HTTP/1.1 405 Method Not Allowed\r\n");
	sees("GET / HTTP/1.1\n\n", "HTTP/1.1 400 Bad Request\r\n");
}

// RFC 9112 3.2: what a web server has to refuse, and what it must not.
static void test_a_web_server_wants_a_host(void **state)
{
	hide("Members");
	sees("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
	sees("GET / " V11 "Host: www.example\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
	sees("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
	sees("POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
	sees("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 401 Unauthorized\r\n");
	sees("GET / HTTP/1.1\r\nHost:\r\n\r\n", "HTTP/1.1 401 Unauthorized\r\n");
}

static void test_it_has_patience(void **state)
{
	struct world w;
	char text[8192];

	hide("a \"b\" c\\");
	world_init(&w, true);
	for (int i = 1; i <= LIMIT_HTTP_REQUESTS; i++) {
		bool head = i % 2 == 0, last = i == LIMIT_HTTP_REQUESTS;

		put(&w, head ? "HEAD / " V11 "\r\n" : "GET / " V11 "\r\n");
		get_some(&w, text);
		assert_int_equal(strstr(text, "<h1>401 Unauthorized</h1>") == NULL, head);
		assert_non_null(strstr(text, "\r\nWWW-Authenticate: Basic realm=\"a \\\"b\\\" c\\\\\"\r\n"));
		assert_non_null(strstr(text, last ? "\r\nConnection: close\r\n" : "\r\nConnection: Keep-Alive\r\n"));
	}
	assert_true(is_closed(&w));
	world_fini(&w);
}

static void test_a_bad_cookie_is_no_news(void **state)
{
	struct msg_auth_cookie_denied m = { .status = 503, .reason = "no address is free" };
	struct world w;
	char text[8192];

	hide("");
	world_init(&w, true);
	put(&w, CONNECT COOKIE "\r\n");
	main_awaits(&w, MSG_AUTH_COOKIE_REQ);
	assert_int_equal(CHAN_SEND(&w.main, AUTH_COOKIE_DENIED, &m), 0);
	get(&w, text);
	assert_memory_equal(text, "HTTP/1.1 405 ", 13);
	looks_ordinary(text);
	world_fini(&w);
}

// --------------------------------------------------------------------------------------------------------------- friends

static void test_the_secret_opens_the_connection(void **state)
{
	struct world w;
	char text[8192];

	hide("");
	world_init(&w, true);
	answers(&w, "GET / " V11 "\r\n", "HTTP/1.1 404 ");
	put(&w, "GET /auth?open%20&%20me HTTP/1.1\r\n\r\n");
	get(&w, text);
	assert_memory_equal(text, "HTTP/1.1 200 ", 13);
	assert_non_null(strstr(text, "X-Transcend-Version: 1\r\n"));
	assert_non_null(strstr(text, "action=\"/auth?open%20&amp;%20me\""));
	answers(&w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ");
	answers(&w, CONNECT "\r\n", "HTTP/1.1 503 ");
	world_fini(&w);

	world_init(&w, true); // who knows is told what is wrong
	answers(&w, "GET /?open%20&%20me HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
	world_fini(&w);
}

static void test_a_cookie_needs_no_secret(void **state)
{
	struct world w;

	hide("");
	world_init(&w, true);
	put(&w, CONNECT COOKIE "\r\n");
	main_admits(&w, 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_secret),
		cmocka_unit_test(test_strangers_see_a_web_server),
		cmocka_unit_test(test_a_web_server_wants_a_host),
		cmocka_unit_test(test_it_has_patience),
		cmocka_unit_test(test_a_bad_cookie_is_no_news),
		cmocka_unit_test(test_the_secret_opens_the_connection),
		cmocka_unit_test(test_a_cookie_needs_no_secret),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
