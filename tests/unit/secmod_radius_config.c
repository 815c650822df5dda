// radcli's configuration as we take it: servers, secrets, times; and what is wrong with it, said so that an operator finds it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "secmod/radius_config.h"

// radcli forgets some of what it has read, most of it where that is wrong.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libradcli";
}

static char dir[] = "/tmp/secmod_radius_config.XXXXXX";
static char text[LIMIT_TEXT + 1];

static const char *write_file(const char *name, const char *what)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(what, f);
	fclose(f);
	return path;
}

static int load(const char *what, enum radius_purpose purpose, struct radius_config *c)
{
	int ret = radius_config_load(write_file("radiusclient.conf", what), purpose, c, text);

	if (ret < 0)
		print_message("%s\n", text);
	return ret;
}

#define TIMES "dictionary /etc/radcli/dictionary\nradius_timeout 3\nradius_retries 2\n"
#define ACCT "acctserver 192.0.2.9:1813:other\n"

static void what_is_there(void **state)
{
	struct radius_config c, again;

	assert_int_equal(load("nas-identifier gateway\nauthserver 192.0.2.8:1645:first,[2001:db8::8]:1812:second\n" ACCT TIMES
	                      "radius_deadtime 60\nbindaddr 192.0.2.1\nnas-ip 2001:db8::1\ndefault_realm example.org\n",
	                      RADIUS_AUTH, &c),
	                 0);
	assert_int_equal(c.n_servers, 2);
	assert_string_equal(c.server[0].secret, "first");
	assert_memory_equal(c.server[0].addr.ip, "\xc0\x00\x02\x08", 4);
	assert_int_equal(c.server[0].addr.port, 1645);
	assert_string_equal(c.server[1].secret, "second");
	assert_int_equal(c.server[1].addr.family, 6);
	assert_int_equal(c.server[1].addr.port, 1812);
	assert_int_equal(c.wait_ms, 3000);
	assert_int_equal(c.retries, 2);
	assert_int_equal(c.dead_ms, 60000);
	assert_string_equal(c.nas_identifier, "gateway");
	assert_string_equal(c.realm, "example.org");
	assert_int_equal(c.bind.family, 4);
	assert_int_equal(c.nas_ip.family, 6);

	assert_int_equal(load("authserver 192.0.2.8::first\n" ACCT TIMES, RADIUS_ACCT, &c), 0);
	assert_int_equal(c.n_servers, 1);
	assert_int_equal(c.purpose, RADIUS_ACCT);
	assert_int_equal(c.server[0].addr.port, 1813);
	assert_string_equal(c.server[0].secret, "other");
	assert_int_equal(c.dead_ms, 30000); // where it says nothing

	// the same file is the same bytes: servers live on through a reload
	assert_int_equal(load("authserver 192.0.2.8::first\n" ACCT TIMES, RADIUS_ACCT, &again), 0);
	assert_memory_equal(&c, &again, sizeof(c));
}

// Secrets in a file of their own, which is how radcli has it by default.
static void a_file_of_secrets(void **state)
{
	struct radius_config c;
	char conf[512];

	snprintf(conf, sizeof(conf), "authserver 192.0.2.8:1812,192.0.2.7\n" ACCT TIMES "servers %s\n",
	         write_file("servers", "# who knows what\n192.0.2.8 from-the-file\n"));
	assert_int_equal(load(conf, RADIUS_AUTH, &c), 0); // one of two is enough
	assert_string_equal(c.server[0].secret, "from-the-file");
	assert_int_equal(c.server[0].addr.family, 4);
	assert_int_equal(c.server[1].addr.family, 0);

	write_file("servers", "192.0.2.7/192.0.2.1\tof-a-pair\n\n192.0.2.8 # \nlast\n");
	assert_int_equal(load(conf, RADIUS_AUTH, &c), 0);
	assert_string_equal(c.server[1].secret, "of-a-pair");
	assert_string_equal(c.server[0].secret, "#");

	write_file("servers", "192.0.2.9 other\n::ffff:192.0.2.8 same\n"); // however it is written
	assert_int_equal(load(conf, RADIUS_AUTH, &c), 0);
	assert_string_equal(c.server[0].secret, "same");

	write_file("servers", "192.0.2.6 nobody-of-ours\n");
	assert_int_equal(load(conf, RADIUS_AUTH, &c), -EINVAL);
	assert_non_null(strstr(text, "server 192.0.2.7: it has no secret in "));

	// a name stands for itself: nobody is asked whose it is
	snprintf(conf, sizeof(conf), "authserver localhost\n" ACCT TIMES "servers %s\n",
	         write_file("servers", "127.0.0.1 of-the-address\nLOCALHOST of-the-name\n"));
	assert_int_equal(load(conf, RADIUS_AUTH, &c), 0);
	assert_string_equal(c.server[0].secret, "of-the-name");
	write_file("servers", "127.0.0.1 of-the-address\n");
	assert_int_equal(load(conf, RADIUS_AUTH, &c), -EINVAL);
	assert_non_null(strstr(text, "server localhost: it has no secret in "));
	assert_non_null(strstr(text, "/servers under that name"));
}

// A resolver may take its time, and the loop has none: whoever has a name is looked up later.
static void a_name_without_an_address(void **state)
{
	struct radius_config c;

	assert_int_equal(load("authserver a..b:1812:first\n" ACCT TIMES, RADIUS_AUTH, &c), 0);
	assert_int_equal(c.server[0].addr.family, 0);
	assert_int_equal(c.server[0].addr.port, 1812);
	assert_string_equal(c.server[0].name, "a..b");
	assert_int_equal(load("authserver localhost:1812:first\n" ACCT TIMES, RADIUS_AUTH, &c), 0);
	assert_int_equal(c.server[0].addr.family, 0);
}

static void what_is_wrong(void **state)
{
	static const struct {
		const char *conf, *says;
	} rows[] = {
		{ "", "radiusclient.conf: no authserver specified" },
		{ "authserver 192.0.2.8:1812:x\n" ACCT "dictionary /x\n", "radius_timeout" },
		{ ACCT TIMES, "radiusclient.conf: no authserver specified" },
		{ "authserver 192.0.2.8:1812:x\n" TIMES "no-such-word 1\n" ACCT, "line 5: unrecognized keyword: no-such-word" },
		{ "authserver 192.0.2.8:1812:x\n" ACCT TIMES "serv-type tcp\n", "serv-type tcp is not supported" },
		{ "authserver 127.0.0.1:1:x\n" ACCT TIMES "serv-type\ttls\n", "serv-type tls is not supported: only udp is" },
		{ "authserver 192.0.2.8:1812:x\n" ACCT TIMES "bindaddr nowhere\n", "bindaddr is no address" },
		{ "authserver 192.0.2.8:1812:x\n" ACCT TIMES "nas-ip nowhere\n", "invalid IP address for nas-ip: nowhere" },
	};
	struct radius_config c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int ret = load(rows[i].conf, RADIUS_AUTH, &c);

		if (ret != -EINVAL || strstr(text, rows[i].says) == NULL || strstr(text, "radiusclient.conf") == NULL)
			fail_msg("row %zu: %d, '%s'", i, ret, text);
	}
	assert_int_equal(radius_config_load("/nonexistent/radiusclient.conf", RADIUS_AUTH, &c, text), -EINVAL);
	assert_non_null(strstr(text, "/nonexistent/radiusclient.conf"));
}

static int clean_up(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there),
		cmocka_unit_test(a_file_of_secrets),
		cmocka_unit_test(a_name_without_an_address),
		cmocka_unit_test(what_is_wrong),
	};

	if (mkdtemp(dir) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, clean_up);
}
