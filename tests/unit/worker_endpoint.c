// What there is at which URL: ocserv's list, and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "control/worker/endpoint.h"
#include "worker_world.h"

#define MANIFEST "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<vpn rev=\"1.0\">\n</vpn>\n"
#define EMPTY "<html></html>\n"

static const struct {
	const char *path;
	enum endpoint_who who;
	unsigned methods;
	const char *body;
} facts[] = {
	{ "/", ENDPOINT_LOGIN, METHOD_GET | METHOD_POST, NULL },
	{ "/auth", ENDPOINT_LOGIN, METHOD_GET | METHOD_POST, NULL },
	{ "/VPN", ENDPOINT_LOGIN, METHOD_GET | METHOD_POST, NULL },
	{ "/svc", ENDPOINT_PHONE, METHOD_GET | METHOD_POST, NULL },
	{ "/CSCOSSLC/tunnel", ENDPOINT_TUNNEL, METHOD_CONNECT, NULL },
	{ "/profiles", ENDPOINT_PROFILE, METHOD_GET, NULL },
	{ "/profiles/vpn.xml", ENDPOINT_PROFILE, METHOD_GET, NULL },
	{ "/VPNManifest.xml", ENDPOINT_TEXT, METHOD_GET, MANIFEST },
	{ "/1/VPNManifest.xml", ENDPOINT_TEXT, METHOD_GET, MANIFEST },
	{ "/+CSCOT+/translation-table", ENDPOINT_TEXT, METHOD_GET, MANIFEST },
	{ "/+CSCOT+/oem-customization", ENDPOINT_TEXT, METHOD_GET, MANIFEST },
	{ "/1/binaries/update.txt", ENDPOINT_TEXT, METHOD_GET, "0,0,0000\n" },
	{ "/1/binaries/vpndownloader.sh", ENDPOINT_TEXT, METHOD_GET, "#!/bin/sh\n\nexit 0" },
	{ "/1/index.html", ENDPOINT_TEXT, METHOD_GET, EMPTY },
	{ "/1/Linux", ENDPOINT_TEXT, METHOD_GET, EMPTY },
	{ "/1/Linux_64", ENDPOINT_TEXT, METHOD_GET, EMPTY },
	{ "/1/Windows", ENDPOINT_TEXT, METHOD_GET, EMPTY },
	{ "/1/Windows_ARM64", ENDPOINT_TEXT, METHOD_GET, EMPTY },
	{ "/1/Darwin_i386", ENDPOINT_TEXT, METHOD_GET, EMPTY },
	{ "/logout", ENDPOINT_TEXT, METHOD_GET, EMPTY },
};
#define FACTS (sizeof(facts) / sizeof(*facts))

static void test_the_list(void **state)
{
	const struct endpoint *e;
	unsigned n = 0;

	for (size_t i = 0; i < FACTS; i++) {
		e = endpoint_find(facts[i].path);
		assert_non_null(e);
		assert_int_equal(e->who, facts[i].who);
		assert_int_equal(e->methods, facts[i].methods);
	}
	while (endpoint_nth(n))
		n++;
	assert_int_equal(n, FACTS - 1); // one has two paths here
}

static void test_what_is_not_there(void **state)
{
	static const char *const nothing[] = { "/x",         "/auth/",   "/Auth",     "/vpn",   "/1", "/1/",
		                               "/1/Linux/x", "/profile", "/+CSCOT+/", "/svc/x", "" };

	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		assert_null(endpoint_find(nothing[i]));
}

static void takes(const char *path, enum http_verb verb, bool yes)
{
	assert_int_equal(endpoint_takes(endpoint_find(path), verb), yes);
}

static void test_methods(void **state)
{
	takes("/", VERB_GET, true);
	takes("/", VERB_POST, true);
	takes("/", VERB_HEAD, true);
	takes("/profiles/x", VERB_HEAD, false);
	takes("/", VERB_CONNECT, false);
	takes("/1/Linux", VERB_GET, true);
	takes("/1/Linux", VERB_HEAD, true);
	takes("/1/Linux", VERB_POST, false);
	takes("/CSCOSSLC/tunnel", VERB_CONNECT, true);
	takes("/CSCOSSLC/tunnel", VERB_GET, false);
	takes("/profiles/x", VERB_GET, true);
	takes("/profiles/x", VERB_OTHER, false);
}

// All on one connection, as AnyConnect asks for them before its login.
static void test_texts(void **state)
{
	struct world w;
	char text[8192], request[128];
	unsigned asked = 0;

	world_init(&w, true);
	for (size_t i = 0; i < FACTS; i++) {
		if (!facts[i].body)
			continue;
		snprintf(request, sizeof(request), "GET %s?a=b HTTP/1.1\r\n\r\n", facts[i].path);
		put(&w, request);
		get(&w, text);
		assert_memory_equal(text, "HTTP/1.1 200 OK\r\n", 17);
		assert_string_equal(strstr(text, "\r\n\r\n") + 4, facts[i].body);
		asked++;
	}
	assert_true(asked + 2 <= LIMIT_HTTP_REQUESTS);
	put(&w, "HEAD /1/index.html HTTP/1.1\r\n\r\n");
	get_some(&w, text);
	assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
	assert_non_null(strstr(text, "\r\nContent-Length: 14\r\n"));
	world_fini(&w);

	world_init(&w, true);
	answers(&w, "GET /svc HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");        // for phones only
	answers(&w, "GET /profiles/x HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "); // there is none
	answers(&w, "GET /CSCOSSLC/tunnel HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");
	put(&w, "HEAD / HTTP/1.1\r\n\r\n");
	get_some(&w, text);
	assert_memory_equal(text, "HTTP/1.1 200 ", 13);
	assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
	assert_int_equal(w.signatures, 1); // sec-mod has heard of no login
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_list),
		cmocka_unit_test(test_what_is_not_there),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
