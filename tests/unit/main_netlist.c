// Who gets no points. The interface of this test's own is the loopback.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/netlist.h"

static void quiet(void *who, const struct config_remark *r) {}

// Of a configuration with these lines and nothing else that matters here.
static struct netlist *exempt_of(const char *lines)
{
	char file[] = "/tmp/penstock-exempt-XXXXXX";
	struct config *c = NULL;
	struct netlist *e;
	FILE *f = fdopen(mkstemp(file), "w");

	fprintf(f,
	        "auth = plain[passwd=/dev/null]\nserver-cert = /dev/null\nserver-key = /dev/null\ntcp-port = 443\ndevice = vpns\n"
	        "ipv4-network = 10.0.0.0/24\n%s",
	        lines);
	fclose(f);
	assert_int_equal(config_load(file, CONFIG_START, quiet, NULL, &c), 0);
	unlink(file);
	e = netlist_new(c, OPT_BAN_EXEMPT);
	config_free(c);
	assert_non_null(e);
	return e;
}

static const char *inner = "";

static bool has(struct netlist *e, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return netlist_has(e, &a, 1, inner);
}

static void neighbours_are(void **unused)
{
	struct netlist *e = exempt_of("");

	assert_true(has(e, "127.0.0.1"));
	assert_true(has(e, "127.9.9.9"));
	assert_false(has(e, "198.51.100.1"));
	netlist_free(e);
}

static void clients_are_not(void **unused)
{
	struct netlist *e = exempt_of("ban-exempt = local\nban-exempt = 198.51.100.7\n");

	inner = "lo";
	assert_false(has(e, "127.0.0.1"));
	assert_true(has(e, "198.51.100.7"));
	netlist_free(e);
	inner = "";
}

static void what_is_named_takes_their_place(void **unused)
{
	struct netlist *e = exempt_of("ban-exempt = 198.51.100.7/24\nban-exempt = 2001:db8:5::/48\n");

	assert_true(has(e, "198.51.100.1"));
	assert_true(has(e, "2001:db8:5:1::1"));
	assert_false(has(e, "2001:db8:6::1"));
	assert_false(has(e, "127.0.0.1"));
	netlist_free(e);
	e = exempt_of("ban-exempt = local\nban-exempt = 198.51.100.7\n");
	assert_true(has(e, "198.51.100.7"));
	assert_false(has(e, "198.51.100.8"));
	assert_true(has(e, "127.0.0.1"));
	netlist_free(e);
	e = exempt_of("ban-exempt = none\n");
	assert_false(has(e, "127.0.0.1"));
	netlist_free(e);
}

static void values(void **unused)
{
	static const char *const good[] = { "local", "none", "192.0.2.0/24", "192.0.2.1", "2001:db8::/32" };
	static const char *const bad[] = { "", "Local", "192.0.2.0/33", "example.com", "192.0.2.1-9" };
	struct addr a;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(netlist_parse(good[i], &a), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_not_equal(netlist_parse(bad[i], &a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_are),
		cmocka_unit_test(clients_are_not),
		cmocka_unit_test(what_is_named_takes_their_place),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
