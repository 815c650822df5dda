// The configuration: lines, values, the whole file, reload, snapshot.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "config_rig.h"
#include "control/main/config_read.h"
#include "control/main/config_table.h"
#include "control/main/config_value.h"
#include "proto/snapshot.h"

// ----------------------------------------------------------------------------------------------------------------- lines

static void line_is(const char *input, enum config_line_kind kind, const char *key, const char *value)
{
	struct config_reader r;
	struct config_line line;

	config_read_init(&r, input, strlen(input));
	config_read(&r, &line);
	assert_int_equal(line.kind, kind);
	if (key)
		assert_string_equal(line.key, key);
	if (value)
		assert_string_equal(line.value, value);
}

static void lines_are_cut(void **state)
{
	char text[2 * CONFIG_LINE_MAX];

	line_is("", LINE_END, NULL, NULL);
	line_is("\n\n  \t\n", LINE_END, NULL, NULL);
	line_is("# a comment\n; another\n   # and one\n", LINE_END, NULL, NULL);
	line_is("dpd = 90", LINE_ENTRY, "dpd", "90");
	line_is("dpd=90\r\n", LINE_ENTRY, "dpd", "90");
	line_is("  dpd\t=\t90  \n", LINE_ENTRY, "dpd", "90");
	line_is("dpd: 90", LINE_ENTRY, "dpd", "90");
	line_is("\xef\xbb\xbf"
	        "dpd = 90",
	        LINE_ENTRY, "dpd", "90");
	line_is("dpd =", LINE_ENTRY, "dpd", "");
	line_is("banner = \"Welcome\"", LINE_ENTRY, "banner", "Welcome");
	line_is("banner = \" Welcome \"", LINE_ENTRY, "banner", " Welcome ");
	line_is("banner = \"\"", LINE_ENTRY, "banner", "");
	line_is("banner = \"Welcome\" # to all", LINE_ENTRY, "banner", "Welcome");
	line_is("banner = \"Say \"hello\" now\"", LINE_ENTRY, "banner", "Say \"hello\" now");
	line_is("banner = \"a\" # say \"b\"", LINE_ENTRY, "banner", "a");
	line_is("banner = \"a#b\"", LINE_ENTRY, "banner", "a#b");
	line_is("x = A: max-age=1 ; includeSubDomains", LINE_ENTRY, "x", "A: max-age=1 ; includeSubDomains");
	line_is("auth = \"plain[passwd=/p]\"", LINE_ENTRY, "auth", "plain[passwd=/p]");
	line_is("[vhost:www.example.com]", LINE_SECTION, NULL, "vhost:www.example.com");
	line_is(" [ vhost:a ] # b", LINE_SECTION, NULL, "vhost:a");

	line_is("banner = \"Welcome", LINE_BAD, NULL, NULL);
	line_is("banner = \"", LINE_BAD, NULL, NULL);
	line_is("dpd 90", LINE_BAD, NULL, NULL);
	line_is("= 90", LINE_BAD, NULL, NULL);
	line_is("[vhost:a", LINE_BAD, NULL, NULL);
	line_is("[vhost:a] b", LINE_BAD, NULL, NULL);

	// as long as a line may be, and a byte more
	memset(text, 'x', sizeof(text));
	memcpy(text, "k=", 2);
	text[CONFIG_LINE_MAX] = '\0';
	line_is(text, LINE_ENTRY, "k", text + 2);
	text[CONFIG_LINE_MAX] = 'x';
	text[CONFIG_LINE_MAX + 1] = '\0';
	line_is(text, LINE_BAD, NULL, NULL);
}

static void lines_are_numbered(void **state)
{
	static const char text[] = "a = 1\n\n# c\nbad\n[s]\n\0 = 1\nb = 2";
	static const struct {
		enum config_line_kind kind;
		unsigned line;
	} expected[] = { { LINE_ENTRY, 1 }, { LINE_BAD, 4 },   { LINE_SECTION, 5 },
		         { LINE_BAD, 6 },   { LINE_ENTRY, 7 }, { LINE_END, 0 } };
	struct config_reader r;
	struct config_line line;

	config_read_init(&r, text, sizeof(text) - 1);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		config_read(&r, &line);
		assert_int_equal(line.kind, expected[i].kind);
		assert_int_equal(line.line, expected[i].line);
	}
}

// ---------------------------------------------------------------------------------------------------------------- values

// NULL: refused. "?x": taken as x, with a warning.
static void value_is(enum opt o, const char *text, const char *expected)
{
	struct value_out out;
	int ret = value_parse(&opt_table[o], text, false, "/etc/p", &out);

	if (!expected) {
		if (ret >= 0)
			fail_msg("%s = %s was taken as %s", opt_table[o].name, text, out.text);
		assert_true(out.why[0]);
		return;
	}
	if (ret < 0)
		fail_msg("%s = %s: %s", opt_table[o].name, text, out.why);
	assert_int_equal(ret, expected[0] == '?');
	assert_string_equal(out.text, expected[0] == '?' ? expected + 1 : expected);
}

// V(TCP_PORT, "443", "443")
#define V(id, text, expected) value_is(OPT_##id, text, expected)

static void simple_values(void **state)
{
	V(TUNNEL_ALL_DNS, "true", "1");
	V(TUNNEL_ALL_DNS, "Yes", "1");
	V(TUNNEL_ALL_DNS, "no", "0");
	V(TUNNEL_ALL_DNS, "FALSE # not now", "0");
	V(TUNNEL_ALL_DNS, "1", NULL);
	V(TUNNEL_ALL_DNS, "", NULL);

	V(TCP_PORT, "443", "443");
	V(TCP_PORT, "00443", "443");
	V(TCP_PORT, "443 # https", "443");
	V(TCP_PORT, "443 ; https", "443");
	V(TCP_PORT, "0", NULL);
	V(TCP_PORT, "65536", NULL);
	V(TCP_PORT, "-1", NULL);
	V(TCP_PORT, "+1", NULL);
	V(TCP_PORT, "0x10", NULL);
	V(TCP_PORT, "443#", NULL);
	V(TCP_PORT, "4 4", NULL);
	V(TCP_PORT, "", NULL);
	V(TCP_PORT, "# 443", NULL);
	V(UDP_PORT, "0", "0");
	V(DPD, "2147483647", "2147483647");
	V(DPD, "2147483648", NULL);
	V(DPD, "99999999999999999999999999", NULL);
	V(DPD, "90s", NULL);
	V(RX_DATA_PER_SEC, "9223372036854775807", "9223372036854775807");
	V(RX_DATA_PER_SEC, "9223372036854775808", NULL);

	V(POLL_MODE, "busy", "busy");
	V(POLL_MODE, "bus", NULL);
	V(POLL_MODE, "adaptive|busy", NULL);
	V(CLIENT_TO_CLIENT, "direct", "direct");
	V(CLIENT_TO_CLIENT, "true", NULL);
	V(SYSLOG_FACILITY, "local7", "local7");

	V(BANNER, "Welcome # here ; there", "Welcome # here ; there");
	V(BANNER, "", "");
	V(BANNER, "Gr\xc3\xbc\xc3\x9f Gott", "Gr\xc3\xbc\xc3\x9f Gott");
	V(BANNER, "\xff", NULL);
	V(BANNER, "a\x1b[31mb", NULL);

	V(NET_PRIORITY, "0", "0");
	V(NET_PRIORITY, "6", "6");
	V(NET_PRIORITY, "7", NULL);
	V(NET_PRIORITY, "0x1C", "0x1c");
	V(NET_PRIORITY, "0x100", NULL);
	V(NET_PRIORITY, "0x", NULL);
}

static void names_and_paths(void **state)
{
	V(SERVER_CERT, "/a/b.pem", "/a/b.pem");
	V(SERVER_CERT, "b.pem", "/etc/p/b.pem");
	V(SERVER_CERT, "./b.pem", "/etc/p/b.pem");
	V(SERVER_CERT, "../b.pem", "/etc/p/../b.pem");
	V(SERVER_CERT, "b c.pem # mine", "/etc/p/b c.pem");
	V(SERVER_KEY, "pkcs11:object=key;type=private", "pkcs11:object=key;type=private");
	V(OCCTL_SOCKET_FILE, "a:b", "/etc/p/a:b");
	V(OCCTL_SOCKET_FILE, "/run/x.socket", "/run/x.socket");
	// what a Unix socket's path can be at most
	V(OCCTL_SOCKET_FILE,
	  "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	V(OCCTL_SOCKET_FILE,
	  "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL);

	V(RUN_AS_USER, "nobody", "nobody");
	V(RUN_AS_USER, "no body", NULL);
	V(RUN_AS_USER, "-x", NULL);
	V(RUN_AS_USER, "../x", NULL);

	V(DEVICE, "vpns", "vpns");
	V(DEVICE, "vpns-1234567890", NULL);
	V(DEVICE, "a/b", NULL);
	V(DEVICE, "..", NULL);
	V(DEVICE, "vp ns", NULL);

	V(LISTEN_HOST, "192.0.2.1", "192.0.2.1");
	V(LISTEN_HOST, "2001:DB8::1", "2001:db8::1");
	V(LISTEN_HOST, "vpn.example.com", "vpn.example.com");
	V(LISTEN_HOST, "fe80::1%eth0", "fe80::1%eth0");
	V(LISTEN_HOST, "192.0.2.0/24", NULL);
	V(LISTEN_HOST, "[IP|HOSTNAME]", NULL);
	V(LISTEN_HOST, "1:2", NULL);

	V(SPLIT_DNS, "example.com", "example.com");
	V(SPLIT_DNS, "example.com other.com", NULL);
	V(SPLIT_DNS, ".com", NULL);
	V(SPLIT_DNS, "a..b", NULL);
	V(DEFAULT_DOMAIN, "example.com one.example.com", "example.com one.example.com");
	V(DEFAULT_DOMAIN, "example.com\r\nX-Evil: 1", NULL);
}

static void addresses_and_networks(void **state)
{
	V(DNS, "192.0.2.1", "192.0.2.1");
	V(DNS, "FD00::0001", "fd00::1");
	V(DNS, "192.0.2.1/32", NULL);
	V(DNS, "192.0.2.256", NULL);
	V(DNS, "local", NULL);

	V(IPV4_NETWORK, "10.9.0.0/24", "10.9.0.0/24");
	V(IPV4_NETWORK, "10.9.0.0/255.255.255.0", "10.9.0.0/24");
	V(IPV4_NETWORK, "10.9.0.7/24", "?10.9.0.0/24");
	V(IPV4_NETWORK, "10.9.0.0", "10.9.0.0");
	V(IPV4_NETWORK, "10.9.0.0/31", NULL);
	V(IPV4_NETWORK, "10.9.0.0/0", NULL);
	V(IPV4_NETWORK, "10.9.0.0/", NULL);
	V(IPV4_NETWORK, "10.9.0.0/33", NULL);
	V(IPV4_NETWORK, "fd00::/64", NULL);
	V(IPV6_NETWORK, "fda9:4efe:7e3b:03ea::/48", "?fda9:4efe:7e3b::/48");
	V(IPV6_NETWORK, "fd00::/64", "fd00::/64");
	V(IPV6_NETWORK, "fd00::/127", NULL);
	V(IPV6_NETWORK, "10.9.0.0/24", NULL);

	V(IPV4_NETMASK, "255.255.255.0", "255.255.255.0");
	V(IPV4_NETMASK, "255.0.255.0", NULL);
	V(IPV4_NETMASK, "0.0.0.255", NULL);
	V(IPV4_NETMASK, "255.255.255.255", NULL);
	V(IPV4_NETMASK, "24", NULL);

	V(ROUTE, "default", "default");
	V(ROUTE, "0.0.0.0/0", "default");
	V(ROUTE, "::/0", "::/0");
	V(ROUTE, "10.0.0.0/8", "10.0.0.0/8");
	V(ROUTE, "10.10.10.0/255.255.255.0", "10.10.10.0/24");
	V(ROUTE, "10.10.10.0/0.0.0.255", NULL);
	V(ROUTE, "192.168.5.1", "192.168.5.1/32");
	V(ROUTE, "192.168.5.1/16", "?192.168.0.0/16");
	V(ROUTE, "fef4:db8:1000:1001::2/64", "?fef4:db8:1000:1001::/64");
	V(ROUTE, "example.com", NULL);
	V(NO_ROUTE, "default", NULL);
	V(NO_ROUTE, "10.0.0.0/8", "10.0.0.0/8");
}

static void ports(void **state)
{
	V(RESTRICT_USER_TO_PORTS, "tcp(443)", "tcp(443)");
	V(RESTRICT_USER_TO_PORTS, "tcp(443),  UDP(53) ,icmp(), icmpv6(), esp(), sctp(99), udp()",
	  "tcp(443), udp(53), icmp(), icmpv6(), esp(), sctp(99), udp()");
	V(RESTRICT_USER_TO_PORTS, "!(tcp(443), tcp(80))", "!(tcp(443), tcp(80))");
	V(RESTRICT_USER_TO_PORTS, "! ( tcp(80) ) ", "!(tcp(80))");
	V(RESTRICT_USER_TO_PORTS, "tcp", NULL);
	V(RESTRICT_USER_TO_PORTS, "tcp(0)", NULL);
	V(RESTRICT_USER_TO_PORTS, "tcp(65536)", NULL);
	V(RESTRICT_USER_TO_PORTS, "tcp(443", NULL);
	V(RESTRICT_USER_TO_PORTS, "tcp(443) tcp(80)", NULL);
	V(RESTRICT_USER_TO_PORTS, "tcp(443),", NULL);
	V(RESTRICT_USER_TO_PORTS, "icmp(8)", NULL);
	V(RESTRICT_USER_TO_PORTS, "!tcp(443)", NULL);
	V(RESTRICT_USER_TO_PORTS, "!(tcp(443)", NULL);
	V(RESTRICT_USER_TO_PORTS, "tcp(443))", NULL);
	V(RESTRICT_USER_TO_PORTS, "gre()", NULL);
}

static void authentication(void **state)
{
	char word[64];

	V(AUTH, "pam", "pam");
	V(AUTH, "pam[]", "pam");
	V(AUTH, "pam[service=vpn,gid-min=1000]", "pam[service=vpn,gid-min=1000]");
	V(AUTH, "certificate", "certificate");
	V(AUTH, "plain[passwd=/p]", "plain[passwd=/p]");
	V(AUTH, "plain[ passwd = ./p , otp = o ]", "plain[passwd=/etc/p/p,otp=/etc/p/o]");
	V(AUTH, "plain[/p]", "plain[passwd=/p]");
	V(AUTH, "plain[p]", "plain[passwd=/etc/p/p]");
	V(AUTH, "radius[/r.conf,groupconfig]", "radius[config=/r.conf,groupconfig=true]");
	V(AUTH, "radius[config=/r.conf,groupconfig=true,nas-identifier=x,group-separator=comma]",
	  "radius[config=/r.conf,groupconfig=true,nas-identifier=x,group-separator=comma]");
	V(AUTH, "gssapi[keytab=/k,require-local-user-map=true,tgt-freshness-time=900]",
	  "gssapi[keytab=/k,require-local-user-map=true,tgt-freshness-time=900]");
	V(AUTH, "oidc[config=/o.json]", "oidc[config=/o.json]");

	V(AUTH, "plane[passwd=/p]", NULL);
	V(AUTH, "plain[passwd=/p", NULL);
	V(AUTH, "plain]", NULL);
	V(AUTH, "plain[passwd=]", NULL);
	V(AUTH, "plain[password=/p]", NULL);
	V(AUTH, "plain[passwd=/p,]", NULL);
	V(AUTH, "plain[passwd=/p,passwd=/q]", NULL);
	V(AUTH, "plain[passwd=/p,/q]", NULL);
	V(AUTH, "plain[,passwd=/p]", NULL);
	V(AUTH, "pam[x]", NULL);
	V(AUTH, "gssapi[require-local-user-map=maybe]", NULL);
	V(AUTH, "radius[config=/r.conf,require-message-authenticator=false]",
	  "radius[config=/r.conf,require-message-authenticator=false]");
	V(AUTH, "radius[config=/r.conf,require-message-authenticator=no]", NULL);
	V(AUTH, "radius[config=/r.conf,group-separator=;]", NULL);
	V(AUTH, "", NULL);
	V(AUTH, "[", NULL);

	value_auth_method("plain[passwd=/p,otp=/o]", word, sizeof(word));
	assert_string_equal(word, "plain");
	assert_true(value_auth_key("plain[passwd=/p,otp=/o]", "otp", word, sizeof(word)));
	assert_string_equal(word, "/o");
	assert_true(value_auth_key("plain[passwd=/p,otp=/o]", "passwd", word, sizeof(word)));
	assert_string_equal(word, "/p");
	assert_false(value_auth_key("plain[passwd=/p]", "pass", word, sizeof(word)));
	assert_false(value_auth_key("pam", "service", word, sizeof(word)));
}

// ----------------------------------------------------------------------------------------------------------------- table

static void the_table_is_sound(void **state)
{
	struct value_out out;

	for (int o = 0; o < OPT_COUNT; o++) {
		const struct opt_info *i = &opt_table[o];

		assert_int_equal(opt_find(i->name), o);
		assert_true(i->help && i->help[0]);
		assert_true(i->status == STATUS_WORKS || (i->note && i->note[0]));
		if (i->value && value_parse(i, i->value, true, "/", &out) != 0)
			fail_msg("default of %s: %s", i->name, out.why);
		// what works says itself what it does
		if (i->status == STATUS_WORKS && (i->as_is || i->note))
			fail_msg("%s works, and has a reason not to", i->name);
		if (i->as_is && value_parse(i, i->as_is, true, "/", &out) != 0)
			fail_msg("as_is of %s: %s", i->name, out.why);
		if (i->kind == KIND_CHOICE)
			assert_non_null(i->words);
	}
	assert_int_equal(opt_find("min-reauth-time"), OPT_BAN_TIME);
	assert_int_equal(opt_find("ipv6-dns"), OPT_DNS);
	assert_int_equal(opt_find("tcp_port"), -1);
}

static void the_nearest_name_is_found(void **state)
{
#define N(given, expected)                                 \
	do {                                               \
		const char *nearest_ = opt_nearest(given); \
		assert_non_null(nearest_);                 \
		assert_string_equal(nearest_, expected);   \
	} while (0)
	N("tcp_port", "tcp-port");
	N("TCP-Port", "tcp-port");
	N("tcp-prot", "tcp-port");
	N("tpc-port", "tcp-port");
	N("max-client", "max-clients");
	N("listen-hosts", "listen-host");
	N("keep-alive", "keepalive");
	N("ipv4-mask", "ipv4-netmask");
	N("routes", "route");
	N("tls-prio", "tls-priorities");
	N("switch-to", "switch-to-tcp-timeout");
	assert_null(opt_nearest("abc"));
	assert_null(opt_nearest("xyzzy-plugh"));
	assert_null(opt_nearest(""));
	assert_null(opt_nearest("a-name-that-is-longer-than-any-of-the-table-can-be"));
}

// ------------------------------------------------------------------------------------------------------------------ file

static void a_good_file(void **state)
{
	struct config *c = NULL;
	struct heard h;
	char expected[256];

	assert_int_equal(
	        load("test.conf", GOOD "route = 10.0.0.0/8\nroute = default\nudp-port=4443\nlog-level = 7\n", CONFIG_TEST, &h, &c),
	        0);
	assert_string_equal(h.text, "");
	assert_int_equal(config_num(c, OPT_TCP_PORT), 443);
	assert_int_equal(config_num(c, OPT_UDP_PORT), 4443);
	assert_int_equal(config_num(c, OPT_LOG_LEVEL), 7);
	assert_int_equal(config_num(c, OPT_DPD), 90);
	assert_int_equal(config_num(c, OPT_MTU), 0);
	assert_true(config_bool(c, OPT_ISOLATE_WORKERS));
	assert_false(config_bool(c, OPT_TUNNEL_ALL_DNS));
	assert_int_equal(config_count(c, OPT_ROUTE), 2);
	assert_string_equal(config_nth(c, OPT_ROUTE, 1), "default");
	assert_null(config_nth(c, OPT_ROUTE, 2));
	assert_null(config_str(c, OPT_LISTEN_HOST));
	assert_string_equal(config_str(c, OPT_OUTER), "auto");
	assert_false(config_given(c, OPT_OUTER));
	assert_true(config_given(c, OPT_TCP_PORT));
	snprintf(expected, sizeof(expected), "%s/cert.pem", dir);
	assert_string_equal(config_str(c, OPT_SERVER_CERT), expected);
	snprintf(expected, sizeof(expected), "plain[passwd=%s/passwd]", dir);
	assert_string_equal(config_str(c, OPT_AUTH), expected);
	snprintf(expected, sizeof(expected), "%s/test.conf", dir);
	assert_string_equal(config_file(c), expected);
	assert_string_equal(config_name(OPT_BAN_TIME), "ban-time");
	config_free(c);
}

static void a_relative_file(void **state)
{
	struct config *c = NULL;
	struct heard h = { 0 };
	char before[4096], expected[256];

	write_file("test.conf", GOOD, strlen(GOOD));
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(config_load("test.conf", CONFIG_START, hear, &h, &c), 0);
	assert_int_equal(chdir(before), 0);
	snprintf(expected, sizeof(expected), "%s/test.conf", dir);
	assert_string_equal(config_file(c), expected);
	config_free(c);
}

// One warning more: anybody may read this file.
static void camouflage_needs_its_secret(void **state)
{
	file_says(GOOD "camouflage = true\n", CONFIG_START, 1, 0, "test.conf:9: camouflage: it needs camouflage_secret");
	file_says(GOOD "camouflage = true\ncamouflage_secret = a b\n", CONFIG_TEST, 0, 2, "percent-encoded");
	file_says(GOOD "camouflage = true\ncamouflage_secret = a-b\n", CONFIG_TEST, 0, 1, "chmod 600");
	file_says(GOOD "[vhost:a.example]\ncamouflage = true\n", CONFIG_START, 1, 0, "camouflage: it needs camouflage_secret");
}

static void unknown_options(void **state)
{
	file_says(GOOD "tcp_port = 1\n", CONFIG_START, 0, 1,
	          "test.conf:9: tcp_port: this option is unknown and ignored; did you mean tcp-port?");
	file_says(GOOD "tcp_port = 1\n", CONFIG_RELOAD, 0, 1, NULL);
	file_says(GOOD "tcp_port = 1\n", CONFIG_TEST, 1, 0,
	          "test.conf:9: tcp_port: this option is unknown; did you mean tcp-port?");
	file_says(GOOD "iroute = 10.0.0.0/8\n", CONFIG_TEST, 1, 0, "belongs in the file of a user");
	file_says(GOOD "iroute = 10.0.0.0/8\n", CONFIG_START, 0, 1, NULL);
}

static void compression_is_warned_of(void **state)
{
	file_says(GOOD "compression = true\n", CONFIG_TEST, 0, 1, "test.conf:9: compression: who can add text");
	file_says(GOOD "compression = true\n", CONFIG_START, 0, 1, "find out what else is in them");
	file_says(GOOD "compression = false\ncompression-algo-priority = \"lzs:1000\"\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "compression-algo-priority = gzip:1\n", CONFIG_TEST, 0, 1, "'gzip:1' is no list of oc-lz4:NUMBER");
	file_says(GOOD "no-compress-limit = 63\n", CONFIG_TEST, 1, 0, NULL);
}

static void options_without_effect(void **state)
{
	file_says(GOOD "ping-leases = true\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "socket-file = /run/x\n", CONFIG_TEST, 0, 1, "socket-file: has no effect: the processes talk");
	file_says(GOOD "dh-params = /does/not/exist\n", CONFIG_TEST, 0, 1, NULL);
	file_says(GOOD "always-require-cert = true\n", CONFIG_TEST, 0, 1, "ocserv has replaced it by cisco-client-compat");
	file_says(GOOD "always-require-cert = false\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "ping-leases = maybe\n", CONFIG_TEST, 1, 0, "'maybe' is neither true nor false");
	file_says(GOOD "listen-clear-file = /x\n", CONFIG_START, 1, 0, "has been removed");
}

// GOOD with another auth, that is not closed yet, as its last line.
#define RADIUS                                                                                                      \
	"tcp-port = 443\nserver-cert = cert.pem\nserver-key = key.pem\ndevice = vpns\nipv4-network = 10.9.0.0/24\n" \
	"auth = radius[config=passwd"
static void radius_servers(void **state)
{
	file_says(RADIUS "]\n", CONFIG_TEST, 0, 0, NULL);
	file_says(RADIUS ",require-message-authenticator=false]\n", CONFIG_TEST, 0, 1,
	          "test.conf:6: auth: answers without a Message-Authenticator are believed");
	file_says(GOOD "acct = radius[config=passwd]\nacct-spool = /var/tmp/a/b\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "acct = radius[config=passwd]\nacct-spool =\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "acct = radius[config=passwd,groupconfig=true]\n", CONFIG_TEST, 0, 1,
	          "test.conf:9: acct: groupconfig=true has no effect");
	file_says(GOOD "acct-spool = spool\n", CONFIG_TEST, 1, 0, "test.conf:9: acct-spool: spool: it has to begin with /");
	file_says(GOOD "acct-spool = /dev/null/x\n", CONFIG_TEST, 1, 0, "acct-spool: /dev/null/x: Not a directory");
	file_says(GOOD "acct-spool = /proc/nope/x\n", CONFIG_TEST, 1, 0, "acct-spool: /proc/nope/x: no file can be kept there");
}

#define CERTIFIED "ca-cert = cert.pem\ncert-user-oid = 2.5.4.3\n"

// A client comes with a password, a ticket, a token or a certificate: a second method for the same has nobody to ask.
static void ways_that_nobody_takes(void **state)
{
	file_says(GOOD "enable-auth = pam\n", CONFIG_TEST, 0, 1,
	          "test.conf:9: enable-auth: pam is never asked: auth = plain[passwd=");
	file_says(GOOD "enable-auth = radius[config=passwd]\n", CONFIG_TEST, 0, 1, "takes all logins with passwords");
	file_says(GOOD "enable-auth = gssapi\nenable-auth = oidc[config=passwd]\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "enable-auth = gssapi\nenable-auth = gssapi[gid-min=1]\n", CONFIG_TEST, 0, 1,
	          "test.conf:10: enable-auth: gssapi[gid-min=1] is never asked: enable-auth = gssapi takes");
	// of a certificate and a password it is the password that a login begins with
	file_says(GOOD CERTIFIED "auth = certificate\nenable-auth = certificate\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD CERTIFIED "enable-auth = certificate\nenable-auth = certificate\n", CONFIG_TEST, 0, 1,
	          "test.conf:12: enable-auth: certificate is never asked");
	// a virtual host has its own, and what it inherits
	file_says(GOOD "[vhost:a]\nenable-auth = pam\n", CONFIG_TEST, 0, 1, "test.conf:10: enable-auth: pam is never asked");
	file_says(GOOD "enable-auth = gssapi\n[vhost:a]\nauth = gssapi\nenable-auth = pam\n", CONFIG_TEST, 0, 0, NULL);
}

static void ways_are_checked_alike(void **state)
{
	file_says(GOOD "enable-auth = gssapi[keytab=/nonexistent]\n", CONFIG_TEST, 1, 0,
	          "test.conf:9: enable-auth: /nonexistent: No such file");
	file_says(GOOD "enable-auth = oidc\n", CONFIG_TEST, 1, 0, "test.conf:9: enable-auth: oidc needs its file");
	file_says(GOOD "enable-auth = oidc[config=/nonexistent]\n", CONFIG_TEST, 1, 0, "enable-auth: /nonexistent: No such file");
	file_says(GOOD "[vhost:a]\nauth = gssapi\nenable-auth = plain[passwd=/nonexistent]\n", CONFIG_TEST, 1, 0,
	          "test.conf:11: enable-auth: /nonexistent: No such file");
}

static void every_mistake_is_told(void **state)
{
	file_says("tcp-port = 70000\nudp-port = x\nnonsense\n[vhost\ndpd = -1\n", CONFIG_TEST, 10, 0, "test.conf:2: udp-port: 'x'");
	file_says("", CONFIG_TEST, 6, 0, "auth is missing");
	file_says("", CONFIG_START, 6, 0, "ipv4-network or ipv6-network has to be there");
	file_says(GOOD "banner = \x1b[31m\n", CONFIG_TEST, 1, 0, "banner: byte 1 is not printable");
	file_says(GOOD "dpd = \x1b[31m\n", CONFIG_TEST, 1, 0, "dpd: '?[31m' is not a whole number");
}

static void repeated_options(void **state)
{
	struct config *c = NULL;
	struct heard h;

	file_says(GOOD "dpd = 1\ndpd = 2\n", CONFIG_TEST, 0, 1, "test.conf:10: dpd: is on line 9 already; this one counts");
	assert_int_equal(load("test.conf", GOOD "dpd = 1\ndpd = 2\nmin-reauth-time = 4\nban-time = 5\n", CONFIG_START, &h, &c), 0);
	assert_int_equal(config_num(c, OPT_DPD), 2);
	assert_int_equal(config_num(c, OPT_BAN_TIME), 5);
	assert_int_equal(config_count(c, OPT_DPD), 1);
	config_free(c);
}

// GOOD without its last line.
#define NO_NETWORK "auth = plain[passwd=passwd]\ntcp-port = 443\nserver-cert = cert.pem\nserver-key = key.pem\ndevice = vpns\n"

static void network_is(const char *text, enum opt o, const char *expected)
{
	struct config *c = NULL;
	struct heard h;
	char whole[1024];

	snprintf(whole, sizeof(whole), "%s%s", NO_NETWORK, text);
	assert_int_equal(load("test.conf", whole, CONFIG_TEST, &h, &c), 0);
	assert_string_equal(config_str(c, o), expected);
	assert_int_equal(config_count(c, o), 1);
	config_free(c);
}

static void networks_are_folded(void **state)
{
	network_is("ipv4-network = 10.9.0.0\nipv4-netmask = 255.255.255.0\n", OPT_IPV4_NETWORK, "10.9.0.0/24");
	network_is("ipv4-netmask = 255.255.0.0\nipv4-network = 10.9.0.0\n", OPT_IPV4_NETWORK, "10.9.0.0/16");
	network_is("ipv4-network = 10.9.0.0/24\nipv4-netmask = 255.255.255.0\n", OPT_IPV4_NETWORK, "10.9.0.0/24");
	network_is("ipv6-network = fd00:9::\nipv6-prefix = 64\n", OPT_IPV6_NETWORK, "fd00:9::/64");
	network_is("ipv6-network = fd00:9::/48\nipv6-subnet-prefix = 64\n", OPT_IPV6_NETWORK, "fd00:9::/48");

	file_says(NO_NETWORK "ipv4-network = 10.9.0.0\n", CONFIG_TEST, 1, 0, "needs a prefix length, as in 10.9.0.0/24");
	file_says(NO_NETWORK "ipv4-network = 10.9.0.0/16\nipv4-netmask = 255.255.255.0\n", CONFIG_TEST, 1, 0,
	          "10.9.0.0/16 contradicts ipv4-netmask on line 7");
	file_says(NO_NETWORK "ipv4-network = 10.9.0.1\nipv4-netmask = 255.255.255.0\n", CONFIG_TEST, 0, 1, "10.9.0.0/24 is taken");
	file_says(NO_NETWORK "ipv6-network = fd00::/64\nipv6-subnet-prefix = 64\n", CONFIG_TEST, 1, 0, "longer than the prefix");
}

static void what_only_the_whole_shows(void **state)
{
	file_says(GOOD "server-key = /does/not/exist\nserver-cert = cert.pem\n", CONFIG_TEST, 1, 0,
	          "test.conf:9: server-key: /does/not/exist: No such file");
	file_says(GOOD "server-key = key.pem\n", CONFIG_TEST, 1, 0, "2 keys but 1 certificates");
	file_says(GOOD "server-key = pkcs11:object=a\nserver-cert = cert.pem\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "server-key = system:a\nserver-cert = cert.pem\n", CONFIG_TEST, 1, 0, "only pkcs11: and tpmkey:");
	file_says(GOOD "server-key = pkcs11:object=a?pin-value=1\nserver-cert = cert.pem\n", CONFIG_TEST, 1, 0,
	          "key-pin or pin-file");
	file_says(GOOD "server-key = key.pem\nserver-cert = pkcs11:object=a\n", CONFIG_TEST, 1, 0, "PEM files only");
	file_says(GOOD "pin-file = /does/not/exist\n", CONFIG_TEST, 1, 0, "pin-file: /does/not/exist: No such file");
	file_says(GOOD "run-as-user = no-such-user-here\n", CONFIG_TEST, 1, 1, "there is no such user");
	file_says(GOOD "select-group = a\nselect-group = b[The bees]\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "select-group = a\nselect-group = b[The bees\n", CONFIG_TEST, 1, 0, "select-group: it is to be as in");
	file_says(GOOD "select-group = [x]\n", CONFIG_TEST, 1, 0, "name or name[Label]");
	file_says(GOOD "select-group = x[]\n", CONFIG_TEST, 1, 0, "name or name[Label]");
	file_says(GOOD "auth = pam\n", CONFIG_TEST, 1, 0, "a second method");
	file_says(GOOD "auth = certificate\n", CONFIG_TEST, 2, 0, "certificate needs ca-cert");
	file_says(GOOD "enable-auth = certificate\nca-cert = cert.pem\n", CONFIG_TEST, 1, 0, "certificate needs cert-user-oid");
	file_says(GOOD "pid-file = /does/not/exist\n", CONFIG_TEST, 1, 0, "pid-file: /does/not/exist: No such file");
	file_says(GOOD "sec-mod-scale = 16\nban-exempt = none\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "sec-mod-scale = 17\n", CONFIG_TEST, 0, 1, "test.conf:9: sec-mod-scale: 16 are started, and no more");
	file_says(GOOD "ban-exempt = local\nban-exempt = none\n", CONFIG_TEST, 0, 1,
	          "test.conf:10: ban-exempt: none has no effect beside others");
	file_says(GOOD "listen-proxy-proto = true\n", CONFIG_TEST, 0, 1,
	          "test.conf:9: listen-proxy-proto: whoever is in a network");
	file_says(GOOD "listen-proxy-proto = true\nproxy-from = 192.0.2.9\nproxy-from = local\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "proxy-from = 192.0.2.9\n", CONFIG_TEST, 0, 1,
	          "test.conf:9: proxy-from: no effect without listen-proxy-proto");
	file_says(GOOD "listen-proxy-proto = true\nproxy-from = none\n", CONFIG_TEST, 1, 0, "proxy-from: it is to be a network");
	file_says(GOOD "listen-proxy-proto = true\nproxy-from = haproxy\n", CONFIG_TEST, 1, 0, "proxy-from: it is to be a network");
}

static void files_that_cannot_be_read(void **state)
{
	struct config *c = NULL;
	struct heard h = { 0 };
	char *big = malloc(CONFIG_FILE_MAX + 2);

	assert_int_equal(config_load("/does/not/exist", CONFIG_START, hear, &h, &c), -ENOENT);
	assert_int_equal(config_load("/tmp", CONFIG_START, hear, &h, &c), -EINVAL);
	assert_int_equal(config_load("/dev/null", CONFIG_RELOAD, hear, &h, &c), -EINVAL);
	assert_int_equal(h.errors, 3);
	assert_non_null(big);
	memset(big, '\n', CONFIG_FILE_MAX + 1);
	big[CONFIG_FILE_MAX + 1] = '\0';
	assert_int_equal(load("test.conf", big, CONFIG_START, &h, &c), -EFBIG);
	free(big);
	assert_null(c);
}

static void too_many_lines(void **state)
{
	size_t lines = CONFIG_ENTRIES_MAX + 1, len = strlen("dpd=1\n");
	char *text = malloc(lines * len + 1);
	struct config *c = NULL;
	struct heard h;

	assert_non_null(text);
	for (size_t i = 0; i < lines; i++)
		memcpy(text + i * len, "dns=1\n", len);
	text[lines * len] = '\0';
	assert_int_equal(load("test.conf", text, CONFIG_START, &h, &c), -EINVAL);
	assert_int_equal(h.errors, CONFIG_ENTRIES_MAX + 1 + 6);
	free(text);
}

// ------------------------------------------------------------------------------------------------------ reload, snapshot

static void reload_keeps_what_needs_a_restart(void **state)
{
	struct config *old = NULL, *now = NULL;
	struct heard h;

	assert_int_equal(load("test.conf", GOOD "socket-file = /run/a\n", CONFIG_START, &h, &old), 0);
	assert_int_equal(load("other.conf", GOOD "udp-port = 444\ndpd = 7\nlisten-host = 192.0.2.1\nsocket-file = /run/b\n",
	                      CONFIG_RELOAD, &h, &now),
	                 0);
	memset(&h, 0, sizeof(h));
	assert_int_equal(config_keep(old, now, hear, &h), 2);
	assert_int_equal(h.warnings, 2);
	assert_non_null(strstr(h.text, "other.conf:11: listen-host: this change needs a restart; until then it stays unset"));
	assert_non_null(strstr(h.text, "other.conf:9: udp-port: this change needs a restart; until then it stays 0"));
	assert_int_equal(config_num(now, OPT_UDP_PORT), 0);
	assert_int_equal(config_count(now, OPT_LISTEN_HOST), 0);
	assert_int_equal(config_num(now, OPT_DPD), 7);
	assert_int_equal(config_keep(old, now, hear, &h), 0);
	config_free(old);
	config_free(now);
}

// Packets have room for so much since the start; less is fine, and what fits too.
static void mtus_that_take_a_restart(void **state)
{
	struct config *old = NULL, *now = NULL, *jumbo = NULL;
	struct heard h;

	assert_int_equal(load("test.conf", GOOD "mtu = 1400\n", CONFIG_START, &h, &old), 0);
	assert_int_equal(load("other.conf", GOOD "mtu = 1800\n", CONFIG_RELOAD, &h, &now), 0);
	assert_int_equal(config_keep(old, now, hear, &h), 0);
	assert_int_equal(config_num(now, OPT_MTU), 1800);
	assert_int_equal(load("other.conf", GOOD "mtu = 9000\n", CONFIG_RELOAD, &h, &jumbo), 0);
	assert_int_equal(config_keep(jumbo, now, hear, &h), 0);
	assert_int_equal(config_keep(old, jumbo, hear, &h), 1);
	assert_non_null(strstr(h.text, "other.conf:9: mtu: this change needs a restart; until then it stays 1400"));
	assert_int_equal(config_num(jumbo, OPT_MTU), 1400);
	config_free(old);
	config_free(now);
	config_free(jumbo);
}

static void the_snapshot_is_whole(void **state)
{
	static const struct config_word words[] = { { "@log-level", "6" }, { "@version", "1" }, { NULL, NULL } };
	struct config *c = NULL;
	struct snapshot *s = NULL;
	struct heard h;
	int fd = -1;

	assert_int_equal(
	        load("test.conf", GOOD "dns = 192.0.2.1\ndns = 192.0.2.2\nkey-pin = 1234\nno-udp = yes\n", CONFIG_START, &h, &c),
	        0);
	assert_int_equal(config_snapshot(c, words, VIEW_PUBLIC, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), 0);
	assert_int_equal(snapshot_number(s, "tcp-port"), 443);
	assert_int_equal(snapshot_number(s, "dpd"), 90);
	assert_true(snapshot_bool(s, "no-udp"));
	assert_true(snapshot_bool(s, "isolate-workers"));
	assert_false(snapshot_bool(s, "tunnel-all-dns"));
	assert_string_equal(snapshot_nth(s, "dns", 1), "192.0.2.2");
	assert_null(snapshot_nth(s, "dns", 2));
	assert_string_equal(snapshot_get(s, "outer"), "auto");
	assert_string_equal(snapshot_get(s, "@log-level"), "6");
	assert_null(snapshot_get(s, "mtu"));
	assert_non_null(config_str(c, OPT_KEY_PIN));
	assert_null(snapshot_get(s, "key-pin")); // secrets are for sec-mod
	snapshot_free(s);
	close(fd);
	assert_int_equal(config_snapshot(c, NULL, VIEW_PUBLIC, &fd), 0);
	close(fd);
	config_free(c);
}

static void levels_and_facilities(void **state)
{
	assert_int_equal(config_log_level(0), LOG_LEVEL_WARN);
	assert_int_equal(config_log_level(1), LOG_LEVEL_NOTICE);
	assert_int_equal(config_log_level(2), LOG_LEVEL_INFO);
	assert_int_equal(config_log_level(3), LOG_LEVEL_DEBUG);
	assert_int_equal(config_log_level(9), LOG_LEVEL_DEBUG);
	assert_int_equal(config_facility("daemon"), LOG_DAEMON);
	assert_int_equal(config_facility("LOCAL3"), LOG_LOCAL3);
	assert_int_equal(config_facility("nothing"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut),
		cmocka_unit_test(lines_are_numbered),
		cmocka_unit_test(simple_values),
		cmocka_unit_test(names_and_paths),
		cmocka_unit_test(addresses_and_networks),
		cmocka_unit_test(ports),
		cmocka_unit_test(authentication),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(the_nearest_name_is_found),
		cmocka_unit_test(a_good_file),
		cmocka_unit_test(a_relative_file),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(camouflage_needs_its_secret),
		cmocka_unit_test(compression_is_warned_of),
		cmocka_unit_test(options_without_effect),
		cmocka_unit_test(radius_servers),
		cmocka_unit_test(ways_that_nobody_takes),
		cmocka_unit_test(ways_are_checked_alike),
		cmocka_unit_test(every_mistake_is_told),
		cmocka_unit_test(repeated_options),
		cmocka_unit_test(networks_are_folded),
		cmocka_unit_test(what_only_the_whole_shows),
		cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(too_many_lines),
		cmocka_unit_test(reload_keeps_what_needs_a_restart),
		cmocka_unit_test(mtus_that_take_a_restart),
		cmocka_unit_test(the_snapshot_is_whole),
		cmocka_unit_test(levels_and_facilities),
	};

	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
