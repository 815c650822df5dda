// What --import makes of each kind of line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/main/import_line.h"

#define S IMPORT_SUPPORTED
#define T IMPORT_TRANSLATED
#define I IMPORT_IDLE
#define R IMPORT_REFUSED

static const struct {
	const char *line;
	enum import_verdict verdict;
	const char *now, *why; // NULL: whatever it is
} table[] = {
	{ "tcp-port = 443", S, "tcp-port = 443", "" },
	{ "route = 10.10.10.0/255.255.255.0", S, "route = 10.10.10.0/24", "" },
	{ "cisco-client-compat = yes", S, "cisco-client-compat = true", "" },
	{ "banner = \"Welcome # here\"", S, "banner = \"Welcome # here\"", "" },
	{ "auth = \"plain[passwd=/etc/ocserv/ocpasswd]\"", S, "auth = \"plain[passwd=/etc/ocserv/ocpasswd]\"", "" },
	{ "auth = \"plain[passwd = /p , otp = /o]\"", S, NULL, "" },
	{ "server-cert = /etc/c.pem # ours", S, "server-cert = /etc/c.pem", "" },
	{ "server-key = pkcs11:object=a", S, NULL, "" },
	{ "[vhost:www.example.com]", S, NULL, "" },
	{ "output-buffer = 0", S, NULL, "" },
	// another name, an older form, a path from the file's folder
	{ "min-reauth-time = 300", T, "ban-time = 300", "this is its other name" },
	{ "ipv4-dns = 192.168.1.1", T, "dns = 192.168.1.1", "this is its other name" },
	{ "use-dbus = true", T, "use-occtl = true", NULL },
	{ "auth = \"plain[/etc/passwd]\"", T, "auth = \"plain[passwd=/etc/passwd]\"", NULL },
	{ "auth = \"plain[passwd=./sample.passwd]\"", T, "auth = \"plain[passwd=/etc/ocserv/sample.passwd]\"", NULL },
	{ "acct = \"radius[/r.conf,groupconfig]\"", T, "acct = \"radius[config=/r.conf,groupconfig=true]\"", NULL },
	{ "server-cert = ../tests/c.pem", T, "server-cert = /etc/ocserv/../tests/c.pem", NULL },
	{ "ipv6-network = fda9:4efe:7e3b:03ea::/48", T, "ipv6-network = fda9:4efe:7e3b::/48", NULL },
	// nothing to do here
	{ "socket-file = /run/ocserv-socket", I, NULL, "the processes talk through socket pairs that have no path" },
	{ "chroot-dir = /var/lib/ocserv", I, NULL, NULL },
	{ "dh-params = /etc/ocserv/dh.pem", I, NULL, NULL },
	{ "cgroup = \"cpuset,cpu:test\"", I, NULL, NULL },
	{ "session-control = true", I, NULL, NULL },
	// not to be taken
	{ "listen-clear-file = /run/x", R, NULL, "ocserv has removed it too" },
	{ "tcp-prot = 443", R, NULL, "this option is unknown; did you mean tcp-port?" },
	{ "xyzzy = 1", R, NULL, "this option is unknown" },
	{ "ipv4-dns = local", R, NULL, "'local' is no IP address" },
	{ "dpd = soon", R, NULL, "'soon' is not a whole number of seconds" },
	{ "nonsense", R, NULL, "this line is no option: it has no =" },
	{ "[vhost:x", R, NULL, "a section has to end with ]" },
};

static void each_line(void **state)
{
	struct config_reader reader;
	struct config_line line;
	struct import_line out;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		config_read_init(&reader, table[i].line, strlen(table[i].line));
		config_read(&reader, &line);
		import_judge(&line, "/etc/ocserv", &out);
		if (out.verdict != table[i].verdict)
			fail_msg("%s is %s: %s", table[i].line, import_word(out.verdict), out.why);
		if (table[i].now)
			assert_string_equal(out.now, table[i].now);
		if (table[i].why)
			assert_string_equal(out.why, table[i].why);
		assert_false(out.secret);
	}
}

// What is written here is understood here, and means the same.
static void a_translation_needs_none(void **state)
{
	struct config_reader reader;
	struct config_line line;
	struct import_line first, second;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (table[i].verdict != T)
			continue;
		config_read_init(&reader, table[i].line, strlen(table[i].line));
		config_read(&reader, &line);
		import_judge(&line, "/etc/ocserv", &first);
		config_read_init(&reader, first.now, strlen(first.now));
		config_read(&reader, &line);
		import_judge(&line, "/elsewhere", &second);
		assert_int_equal(second.verdict, S);
		assert_string_equal(second.now, first.now);
	}
}

static void secrets_are_known(void **state)
{
	struct config_reader reader;
	struct config_line line;
	struct import_line out;

	config_read_init(&reader, "key-pin = 1234", 14);
	config_read(&reader, &line);
	import_judge(&line, "/", &out);
	assert_true(out.secret);
	assert_int_equal(out.verdict, S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line),
		cmocka_unit_test(a_translation_needs_none),
		cmocka_unit_test(secrets_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
