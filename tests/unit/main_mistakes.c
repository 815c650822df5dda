// What -t says of bad configurations: each line with its mistake, what was expected there, and what was probably meant.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config_rig.h"
#include "control/main/config_inside.h"
#include "control/main/nearest.h"

#define E 1, 0
#define W 0, 1

// GOOD ends with line 8.
static const struct {
	const char *text;
	unsigned errors, warnings;
	const char *says;
} table[] = {
	// names and words
	{ "tcp-prot = 1\n", E, ":9: tcp-prot: this option is unknown; did you mean tcp-port?" },
	{ "cookie_timeout = 1\n", E, ":9: cookie_timeout: this option is unknown; did you mean cookie-timeout?" },
	{ "xyzzy = 1\n", E, ":9: xyzzy: this option is unknown\n" },
	{ "iroute = 10.0.0.0/8\n", E, ":9: iroute: this option cannot stand here: it belongs in the file of a user or a group" },
	{ "listen-clear-file = /x\n", E, ":9: listen-clear-file: this option has been removed" },
	{ "poll-mode = busi\n", E, ":9: poll-mode: 'busi' is none of adaptive|busy; did you mean busy?" },
	{ "syslog-facility = locale1\n", E, "did you mean local1?" },
	{ "rekey-method = tls\n", E, ":9: rekey-method: 'tls' is none of ssl|new-tunnel" },
	{ "tunnel-all-dns = on\n", E, ":9: tunnel-all-dns: 'on' is neither true nor false; did you mean true?" },
	{ "tunnel-all-dns = 0\n", E, "did you mean false?" },
	{ "no-udp = perhaps\n", E, ":9: no-udp: 'perhaps' is neither true nor false\n" },
	{ "enable-auth = radus[config=passwd]\n", E,
	  "'radus' is none of plain, pam, certificate, radius, gssapi, oidc; did you mean radius?" },
	{ "enable-auth = gssapi[keytap=/k]\n", E, ":9: enable-auth: gssapi knows no 'keytap'; did you mean keytab?" },
	{ "enable-auth = pam[password=x]\n", E, ":9: enable-auth: pam knows no 'password'; it has service, gid-min" },
	// TLS
	{ "tls-priorities = NORMAL:+AES-256-GMC:%COMPT\n", 2, 0,
	  ":9: tls-priorities: '%COMPT' is no word of GnuTLS's priority strings; did you mean %COMPAT?" },
	{ "tls-priorities = NORMAL:-VERS-ALL\n", E, ":9: tls-priorities: it leaves no version of TLS" },
	{ "tls-priorities = NORMAL:+VERS-TLS1.1\n", W, ":9: tls-priorities: +VERS-TLS1.1 has no effect" },
	{ "[vhost:a.example]\ntls-priorities = SECURE265\n", E,
	  ":10: tls-priorities: 'SECURE265' is no word of GnuTLS's priority strings; did you mean SECURE256?" },
	{ "udp-port = 443\nmatch-tls-dtls-ciphers = true\n", E,
	  ":10: match-tls-dtls-ciphers: it cannot be together with dtls-legacy" },
	{ "udp-port = 443\nmatch-tls-dtls-ciphers = true\ndtls-legacy = false\n", 0, 0, NULL },
	{ "udp-port = 443\nmatch-tls-dtls-ciphers = true\ndtls-legacy = false\n[vhost:a.example]\ncisco-client-compat = true\n", E,
	  "it cannot be together with" },
	// numbers and addresses
	{ "dpd = 90s\n", E, ":9: dpd: '90s' is not a whole number of seconds" },
	{ "udp-port = 70000\n", E, ":9: udp-port: '70000' is not from 0 to 65535" },
	{ "dns = 192.0.2.256\n", E, ":9: dns: '192.0.2.256' is no IP address" },
	{ "route = 10.0.0.0/33\n", E, ":9: route: '10.0.0.0/33' is no network such as 10.0.0.0/8" },
	{ "ipv6-network = fd00::\n", E, ":9: ipv6-network: it needs a prefix length, as in fd00::/64" },
	{ "ipv6-network = fd00::/64\nipv6-subnet-prefix = 48\n", E, "it has to be longer than the prefix of ipv6-network" },
	{ "quota-day = 2GB\n", E, ":9: quota-day: '2GB' is no number of bytes such as 500M or 2G" },
	{ "quota-month = 1.5T\n", E, ":9: quota-month: '1.5T' is no number of bytes" },
	{ "valid-until = 31.12.2027\n", E, ":9: valid-until: '31.12.2027' is no date such as 2027-03-31" },
	{ "valid-until = 2027-02-29\n", E, "is no date" },
	{ "quota-day = 2G\nquota-month = 30g\nvalid-until = \"2027-12-31 18:00\"\n", 0, 0, NULL },
	{ "quota-file = quota\n", E, ":9: quota-file: quota: it has to begin with /" },
	{ "quota-file = /proc/x/y\n", E, "no file can be kept there" },
	{ "quota-file = /run/a\nsession-file = /run/a\n", E, "/run/a is session-file already" },
	{ "ipv4-netmask = 255.255.0.0\n", E, "10.9.0.0/24 contradicts ipv4-netmask on line 9" },
	// files and accounts
	{ "ca-cert = cert.pam\n", E, "cert.pam: No such file or directory; did you mean cert.pem?" },
	{ "ca-cert = /\n", E, ":9: ca-cert: /: it is a directory" },
	{ "enable-auth = oidc[config=paswd]\n", E, "paswd: No such file or directory; did you mean passwd?" },
	{ "run-as-user = nobdy\n", 1, 1, ":9: run-as-user: nobdy: there is no such user; did you mean nobody?" },
	{ "run-as-group = nogruop\n", 1, 1, "there is no such group; did you mean nogroup?" },
	{ "session-file = /proc/penstockd.sessions\n", E, ":9: session-file: /proc/penstockd.sessions: no file can be kept there" },
	{ "pid-file = /sys/x.pid\n", E, ":9: pid-file: /sys/x.pid: no file can be kept there" },
	{ "session-file = /dev/null\n", 0, 0, NULL },
	{ "session-file = /run/no-such-directory/sessions\n", 0, 0, NULL },
	{ "session-file = /run/no-such-directory/neither/sessions\n", E,
	  ":9: session-file: /run/no-such-directory/neither/sessions: No such" },
	{ "config-per-user = cert.pem\n", E, "cert.pem: it is no directory" },
	{ "key-pin = 1234\n", W, ":9: key-pin: others than its owner may read this file (mode 644); chmod 600" },
	// one beside another
	{ "auth = pam\n", E, ":9: auth: a second method is not supported" },
	{ "enable-auth = certificate\nca-cert = cert.pem\n", E, ":9: enable-auth: certificate needs cert-user-oid" },
	{ "occtl-socket-file = /run/a\npid-file = /run/a\n", E, "/run/a is pid-file already" },
	{ "dpd = 1\ndpd = 2\n", W, ":10: dpd: is on line 9 already; this one counts" },
	{ "switch-to-tcp-timeout = 7\n", W, ":9: switch-to-tcp-timeout: has no effect: udp-port is 0" },
	{ "switch-to-tcp-timeout = 25\n", 0, 0, NULL }, // what happens anyway
	{ "udp-port = 443\nswitch-to-tcp-timeout = 7\n", 0, 0, NULL },
	{ "udp-port = 443\ndtls-psk = no\ndtls-legacy = no\n", W, ":11: dtls-legacy: dtls-psk and dtls-legacy are both false" },
	{ "udp-port = 443\ndtls-psk = no\ndtls-legacy = no\ncisco-client-compat = yes\n", 0, 0, NULL },
	{ "coa-window = 7\n", W, ":9: coa-window: has no effect without coa-listen" },
	{ "split-dns = example.com\n", W, ":9: split-dns: has no effect without dns" },
	{ "split-dns = example.com\ndns = 192.0.2.1\n", 0, 0, NULL },
	{ "default-select-group = all\n", W, "has no effect without select-group" },
	{ "default-select-group = all\nauto-select-group = yes\n", 0, 0, NULL },
	{ "camouflage_realm = x\n", W, ":9: camouflage_realm: has no effect without camouflage" },
	{ "camouflage = yes\n", E, ":9: camouflage: it needs camouflage_secret" },
	{ "connect-script = /nonexistent\n", W, ":9: connect-script: /nonexistent cannot be run" },
	{ "route-add-cmd = \"/nonexistent %{R}\"\nroute-del-cmd = \"true %{R}\"\n", W,
	  ":9: route-add-cmd: /nonexistent cannot be run: No such" },
	{ "route-add-cmd = \"true %{R}\"\nroute-del-cmd = \"no-such-program %{R}\"\n", W,
	  ":10: route-del-cmd: no-such-program cannot be run" },
	{ "crl = cert.pem\n", W, ":9: crl: has no effect: no auth or enable-auth is certificate" },
	{ "restrict-user-to-routes = true\n", W, "restricts nobody who has no route" },
	{ "restrict-user-to-routes = true\nroute = 10.0.0.0/8\n", 0, 0, NULL },
	{ "key-pin = 1\npin-file = passwd\n", 0, 2, ":10: pin-file: is not read: key-pin counts" },
	{ "listen-host = 10.9.0.7\n", W, ":8: ipv4-network: listen-host 10.9.0.7 is in it" },
	{ "listen-host = 10.8.0.7\n", 0, 0, NULL },
	{ "poll-core = 0,100000\n", E, ":9: poll-core: 0,100000: there is no such CPU" },
	{ "poll-core = all\n", E, ":9: poll-core: all: it is to be CPUs as in 2,4-7, or auto" },
	{ "poll-core = 0-\n", E, "as in 2,4-7" },
	{ "poll-core = 0\n", 0, 0, NULL },
	{ "udp-port = 443\nouter = ethX9\n", W, ":10: outer: there is no interface ethX9 now" },
	{ "udp-port = 443\nouter = net_null0,x=1\n", 0, 0, NULL },
	// HTTP
	{ "included-http-headers = X-Frame-Options\n", E, ":9: included-http-headers: X-Frame-Options: it is no header" },
	{ "included-http-headers = X Frame: deny\n", E, "it is no header: it is to be as in \"Name: value\"" },
	{ "included-http-headers = Server: x\nincluded-http-headers = content-LENGTH: 0\n", E,
	  ":10: included-http-headers: content-LENGTH: 0: it would break the answers" },
	{ "included-http-headers = Transfer-Encoding: chunked\n", E, "it would break the answers that it stands in" },
	{ "included-http-headers = Date: never\n", E, "every answer has one already" },
	{ "included-http-headers = Referrer-Policy: no-referrer\nincluded-http-headers = X-XSS-Protection:0\n", 0, 0, NULL },
	{ "udp-port = 4443\ncisco-svc-client-compat = true\n", E, ":10: cisco-svc-client-compat: udp-port has to be 443, or 0" },
	{ "udp-port = 4443\n[vhost:a]\ncisco-svc-client-compat = true\n", E, ":11: cisco-svc-client-compat: udp-port has to be" },
	{ "udp-port = 443\ncisco-svc-client-compat = true\n", 0, 0, NULL },
	{ "cisco-svc-client-compat = true\n", 0, 0, NULL },
	{ "custom-header = hello\n", E, ":9: custom-header: hello: it is no header" },
	{ "custom-header = Content-Length: 5\n", E, "it would break the answers" },
	{ "custom-header = \"X-CSTP-MTU: 1200\"\ncustom-header = \"X-Who: %{U} of %{G}\"\n", 0, 0, NULL },
	{ "custom-header = X-Who: %{USER}\n", W, ":9: custom-header: %{USER} is told as it stands: only %{U}" },
	{ "proxy-url = http://p.example.com/%{X}\n", W, "%{X} is told as it stands" },
	{ "proxy-url = proxy.example.com:8080\n", W, "it is no URL" },
	{ "proxy-url = http://p.example.com/%{U}/wpad.dat\n", 0, 0, NULL },
	// sections
	{ "[vhost]\n", E, ":9: [vhost] is no section: only [vhost:NAME] is" },
	{ "[vhost:a b]\n", E, "this is no host name" },
	{ "[vhost:default]\n", E, "that is what the options above all sections are called" },
	{ "[vhost:a]\ntcp-port = 444\n", E, ":10: tcp-port: this option is for the whole server" },
	{ "[vhost:a]\ncrl = cert.pem\n[vhost:b]\ndpd = x\n", 1, 1, ":12: dpd: 'x' is not a whole number" },
	{ "[vhost:a]\nserver-key = kye.pem\nserver-cert = cert.pem\n", E,
	  "kye.pem: No such file or directory; did you mean key.pem?" },
};

static void each_alone(void **state)
{
	char text[1024];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		snprintf(text, sizeof(text), "%s%s", GOOD, table[i].text);
		file_says(text, CONFIG_TEST, table[i].errors, table[i].warnings, table[i].says);
	}
}

static void all_at_once(void **state)
{
	struct config *c = NULL;
	struct heard h;

	assert_int_equal(load("test.conf",
	                      GOOD "tcp-prot = 1\ndpd = soon\nca-cert = nowhere.pem\n[vhost:a]\nudp-port = 1\nauth = plane\n",
	                      CONFIG_TEST, &h, &c),
	                 -EINVAL);
	assert_int_equal(h.errors, 5);
	assert_null(c);
}

// What could be understood is there to look on at; with a file that cannot be read there is nothing.
static void what_is_left_of_a_bad_file(void **state)
{
	struct config *c = NULL;
	struct heard h = { 0 };
	char path[128];

	write_file("test.conf", GOOD "dpd = soon\n", strlen(GOOD "dpd = soon\n"));
	snprintf(path, sizeof(path), "%s/test.conf", dir);
	assert_int_equal(config_try(path, hear, &h, &c), -EINVAL);
	assert_non_null(c);
	assert_int_equal(config_num(c, OPT_TCP_PORT), 443);
	config_free(c);
	c = NULL;
	assert_int_equal(config_try("/tmp", hear, &h, &c), -EINVAL);
	assert_int_equal(config_try("/nonexistent", hear, &h, &c), -ENOENT);
	assert_null(c);
}

// ------------------------------------------------------------------------------------------------------- users and groups

static void users_file(const char *name, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "users/%s", name);
	write_file(path, text, strlen(text));
}

static void users_say(unsigned errors, unsigned warnings, const char *const says[])
{
	struct heard h = { 0 };
	struct config_log log = { .report = hear, .who = &h, .file = "test.conf" };
	struct config *c = NULL;

	assert_int_equal(load("test.conf", GOOD "config-per-user = users\n", CONFIG_TEST, &h, &c), 0);
	config_check_supplements(c, &log);
	config_free(c);
	for (; *says; says++)
		if (!strstr(h.text, *says))
			fail_msg("'%s' is not in:\n%s", *says, h.text);
	if (h.errors != errors || h.warnings != warnings)
		fail_msg("%u errors, %u warnings:\n%s", h.errors, h.warnings, h.text);
}

static void files_of_users(void **state)
{
	char path[128], command[160];

	snprintf(path, sizeof(path), "%s/users", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	users_file("anna", "explicit-ipv4 = 10.9.0.7\niroute = 10.2.0.0/16\nuser-profile = nowhere.xml\n");
	users_file("bert", "route = 10.0.0.0/8\nexplicit-ipv4 = fd00::1\nroutes = 10.0.0.0/8\n");
	users_file("dora", "explicit-ipv4 = 127.0.0.1\nexplicit-ipv6 = ff02::1\n");
	users_file("cleo", "dpd = 7\nexplicit-ipv4 = 10.9.0.7\ntcp-port = 1\n");
	users_say(4, 3,
	          (const char *const[]){ "users/anna:3: user-profile: ", "nowhere.xml: No such file",
	                                 "users/bert:2: explicit-ipv4: 'fd00::1' is no IPv4 address",
	                                 "users/bert:3: routes: this option is unknown; did you mean route?",
	                                 "users/cleo:3: tcp-port: this option is not for a user or a group",
	                                 "users/dora:1: explicit-ipv4: 127.0.0.1: no client can have this address",
	                                 "users/dora:2: explicit-ipv6: ff02::1: no client can have this address",
	                                 "users/cleo:2: explicit-ipv4: 10.9.0.7 is also in ", NULL });
	snprintf(command, sizeof(command), "rm -r %s", path);
	assert_int_equal(system(command), 0);
}

static void the_nearest(void **state)
{
	struct nearest n;

	nearest_begin(&n, "server-cret.pem");
	assert_false(nearest_offer(&n, "passwd"));
	assert_true(nearest_offer(&n, "server-key.pem"));
	assert_true(nearest_offer(&n, "server-cert.pem"));
	assert_false(nearest_offer(&n, "server-dert.pem"));
	assert_string_equal(n.found, "server-cert.pem");
	nearest_begin(&n, "");
	assert_false(nearest_offer(&n, "a"));
	nearest_begin(&n, "a-word-that-is-much-longer-than-any-that-can-be-meant-by-one-who-types");
	assert_false(nearest_offer(&n, "a-word-that-is-much-longer-than-any-that-can-be-meant-by-one-who-typed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_alone),     cmocka_unit_test(all_at_once), cmocka_unit_test(what_is_left_of_a_bad_file),
		cmocka_unit_test(files_of_users), cmocka_unit_test(the_nearest),
	};

	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
