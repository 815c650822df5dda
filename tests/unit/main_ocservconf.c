// What ocserv documents is accepted: each of its options in a form that its manual and samples use, the file that Debian ships
// where it is installed, and our own sample.
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

#include "control/main/config.h"
#include "control/main/config_table.h"

#define DEBIAN_FILE "/etc/ocserv/ocserv.conf"
#define OUR_SAMPLE "doc/examples/penstock.conf"

static char dir[64], conf[96], users[96];

struct heard {
	unsigned errors, warnings;
	char text[16384];
};

static void hear(void *who, const struct config_remark *r)
{
	struct heard *h = who;
	size_t used = strlen(h->text);

	*(r->level <= LOG_LEVEL_ERR ? &h->errors : &h->warnings) += 1;
	snprintf(h->text + used, sizeof(h->text) - used, "%s\n", r->whole);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/penstock-ocserv-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/t.conf", dir);
	put("cert.pem", "c");
	put("key.pem", "k");
	put("passwd", "u");
	snprintf(users, sizeof(users), "%s/users", dir);
	assert_int_equal(mkdir(users, 0755), 0);
	put("users/anna", "route = 10.1.0.0/255.255.0.0\nexplicit-ipv4 = 192.168.1.7\nhostname = anna\niroute = 10.2.0.0/16\n");
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "cert.pem", "key.pem", "passwd", "t.conf", "users/anna" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(users) + rmdir(dir);
}

// The text is good enough for -t; the number of warnings.
static unsigned accepted(const char *text)
{
	struct config *c = NULL;
	struct heard h = { 0 };

	put("t.conf", text);
	if (config_load(conf, CONFIG_TEST, hear, &h, &c) < 0)
		fail_msg("%s\n%s", text, h.text);
	config_free(c);
	return h.warnings;
}

#define BASE                                                                                                            \
	"auth = \"plain[passwd=./passwd]\"\ntcp-port = 443\nsocket-file = /run/ocserv-socket\nserver-cert = cert.pem\n" \
	"server-key = key.pem\ndevice = vpns\nipv4-network = 192.168.1.0\nipv4-netmask = 255.255.255.0\n"

static const char *const documented[] = {
	"listen-host = 192.0.2.7",
	"listen-host = vpn.example.com",
	"udp-listen-host = 192.0.2.8",
	"listen-netns = vpn",
	"udp-port = 443",
	"listen-host-is-dyndns = true",
	"listen-proxy-proto = true",
	"run-as-user = nobody",
	"run-as-group = nogroup",
	"occtl-socket-file = /run/occtl.socket",
	"chroot-dir = /var/lib/ocserv",
	"pid-file = /run/ocserv.pid",
	"sec-mod-scale = 4",
	"isolate-workers = true",
	"use-seccomp = true",
	"limit-worker-memory = false",
	"use-occtl = true",
	"use-dbus = true",
	"use-utmp = true",
	"log-level = 1",
	"syslog-facility = daemon",
	"server-stats-reset-time = 604800",
	"cgroup = \"cpuset,cpu:test\"",
	"ca-cert = cert.pem",
	"dh-params = /etc/ocserv/dh.pem",
	"pin-file = passwd",
	"srk-pin-file = passwd",
	"key-pin = 1234",
	"srk-pin = 1234",
	"crl = cert.pem",
	"ocsp-response = ocsp.der",
	"tls-priorities = \"NORMAL:%SERVER_PRECEDENCE:%COMPAT:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-TLS1.3\"",
	"cert-user-oid = 0.9.2342.19200300.100.1.1",
	"cert-user-oid = SAN(rfc822name)",
	"cert-group-oid = 2.5.4.11",
	"match-tls-dtls-ciphers = true\ndtls-legacy = false",
	"enable-auth = \"certificate\"\nca-cert = cert.pem\ncert-user-oid = 2.5.4.3",
	"enable-auth = \"gssapi\"",
	"enable-auth = \"gssapi[keytab=key.pem,require-local-user-map=true,tgt-freshness-time=900]\"",
	"acct = \"radius[config=/etc/radiusclient/radiusclient.conf]\"",
	"acct = pam",
	"kkdcp = \"/KdcProxy KERBEROS.REALM udp@127.0.0.1:88\"",
	"kkdcp = \"/KdcProxy KERBEROS.REALM tcp@[::1]:88\"",
	"max-clients = 1024",
	"max-same-clients = 2",
	"auth-timeout = 240",
	"cookie-timeout = 300",
	"cookie-validity = 172800",
	"persistent-cookies = true",
	"deny-roaming = false",
	"session-timeout = 86400",
	"idle-timeout = 1200",
	"mobile-idle-timeout = 2400",
	"keepalive = 32400",
	"dpd = 90",
	"mobile-dpd = 1800",
	"switch-to-tcp-timeout = 25",
	"rekey-time = 172800",
	"rekey-method = ssl",
	"rekey-method = new-tunnel",
	"stats-report-time = 360",
	"server-drain-ms = 15000",
	"max-ban-score = 80",
	"ban-time = 300",
	"min-reauth-time = 300",
	"ban-reset-time = 1200",
	"ban-points-wrong-password = 10",
	"ban-points-connection = 1",
	"ban-points-kkdcp = 1",
	"ban-points-crash = 20",
	"ban-points-stall = 5",
	"ban-exempt = 192.0.2.0/24",
	"proxy-from = 192.0.2.0/24",
	"session-file = /run/penstock/sessions",
	"rate-limit-ms = 100",
	"ipv6-network = fda9:4efe:7e3b::/48 ",
	"ipv6-network = fda9:4efe:7e3b::/48\nipv6-subnet-prefix = 64",
	"ipv6-network = fda9::\nipv6-prefix = 64",
	"predictable-ips = true",
	"ping-leases = false",
	"dns = 192.168.1.1",
	"ipv4-dns = 192.168.1.1",
	"ipv6-dns = fd00::1",
	"nbns = 192.168.1.3",
	"ipv4-nbns = 192.168.1.3",
	"split-dns = example.com",
	"default-domain = example.com",
	"default-domain = \"example.com one.example.com\"",
	"tunnel-all-dns = true",
	"route = 10.10.10.0/255.255.255.0",
	"route = fef4:db8:1000:1001::/64",
	"route = default",
	"no-route = 192.168.5.0/255.255.255.0",
	"append-routes = true",
	"expose-iroutes = true",
	"route-add-cmd = \"ip route add %{R} dev %{D}\"",
	"route-del-cmd = \"ip route delete %{R} dev %{D}\"",
	"mtu = 1420",
	"try-mtu-discovery = false",
	"no-udp = true",
	"net-priority = 3",
	"net-priority = 0x10",
	"output-buffer = 10",
	"rx-data-per-sec = 40000",
	"tx-data-per-sec = 40000",
	"restrict-user-to-routes = true",
	"restrict-user-to-ports = \"tcp(443), tcp(80), udp(443), sctp(99), tcp(583), icmp(), icmpv6()\"",
	"restrict-user-to-ports = \"!(tcp(443), tcp(80))\"",
	"proxy-url = http://example.com/%{U}/",
	"custom-header = \"X-My-Header: hi there\"",
	"select-group = group1\nselect-group = group2[My special group]",
	"select-group-by-url = true",
	"default-select-group = DEFAULT",
	"auto-select-group = true",
	"config-per-user = users/",
	"config-per-group = users",
	"default-user-config = users/anna",
	"default-group-config = users/anna",
	"compression = true",
	"no-compress-limit = 256",
	"compression-algo-priority = oc-lz4:1000",
	"cisco-client-compat = true",
	"cisco-svc-client-compat = false",
	"dtls-legacy = true",
	"dtls-psk = false",
	"client-bypass-protocol = false",
	"user-profile = cert.pem", // any file there is
	"banner = \"Welcome\"",
	"pre-login-banner = \"Welcome\"",
	"included-http-headers = Strict-Transport-Security: max-age=31536000 ; includeSubDomains",
	"included-http-headers = X-XSS-Protection: 0",
	"included-http-headers = Clear-Site-Data: \"cache\",\"cookies\",\"storage\"",
	"included-http-headers = Content-Security-Policy: default-src 'none'",
	"camouflage = true\ncamouflage_secret = \"mysecretkey\"",
	"camouflage_realm = \"Restricted Content\"",
	"connect-script = /usr/bin/myscript",
	"disconnect-script = /usr/bin/myscript",
	"host-update-script = /usr/bin/myhostnamescript",
	"[vhost:www.example.com]\nauth = \"plain[passwd=./passwd]\"\nca-cert = cert.pem\nserver-cert = cert.pem\n"
	"server-key = key.pem\nipv4-network = 192.168.2.0\nipv4-netmask = 255.255.255.0\n"
	"cert-user-oid = 0.9.2342.19200300.100.1.1",
};

static void every_documented_option(void **state)
{
	char text[4096];

	for (size_t i = 0; i < sizeof(documented) / sizeof(*documented); i++) {
		snprintf(text, sizeof(text), "%s%s\n", BASE, documented[i]);
		accepted(text);
	}
}

// So that an option that comes into the table gets its line above.
static void no_option_is_left_out(void **state)
{
	// these stand in BASE, in a file of a user's, are ours, or are an error
	static const enum opt others[] = { OPT_AUTH,
		                           OPT_TCP_PORT,
		                           OPT_SOCKET_FILE,
		                           OPT_SERVER_CERT,
		                           OPT_SERVER_KEY,
		                           OPT_DEVICE,
		                           OPT_INNER,
		                           OPT_IROUTE,
		                           OPT_EXPLICIT_IPV4,
		                           OPT_EXPLICIT_IPV6,
		                           OPT_IPV4_NETWORK,
		                           OPT_IPV4_NETMASK,
		                           OPT_OUTER,
		                           OPT_NIC_DEVICE,
		                           OPT_NIC_ADDRESS,
		                           OPT_NIC_ROUTE,
		                           OPT_NIC_KERNEL,
		                           OPT_POLL_CORE,
		                           OPT_POLL_MODE,
		                           OPT_HUGE_PAGES,
		                           OPT_EAL_ARGS,
		                           OPT_TELEMETRY_SOCKET_FILE,
		                           OPT_METRICS_LISTEN,
		                           OPT_METRICS_PER_USER,
		                           OPT_OCCTL_READONLY_GROUP,
		                           OPT_COPY_DSCP,
		                           OPT_MSS_CLAMP,
		                           OPT_CLIENT_TO_CLIENT,
		                           OPT_ACCT_SPOOL,
		                           OPT_COA_LISTEN,
		                           OPT_COA_CLIENTS,
		                           OPT_COA_WINDOW,
		                           OPT_SCRIPT_TIMEOUT,
		                           OPT_QUOTA_DAY,
		                           OPT_QUOTA_MONTH,
		                           OPT_QUOTA_FILE,
		                           OPT_VALID_UNTIL,
		                           OPT_HOSTNAME,
		                           OPT_MAX_STARTUPS,
		                           OPT_MAX_STARTUPS_PER_SOURCE,
		                           OPT_SESSION_CONTROL,
		                           OPT_ALWAYS_REQUIRE_CERT,
		                           OPT_LISTEN_CLEAR_FILE };
	bool seen[OPT_COUNT] = { false };
	char name[64];
	int o;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		seen[others[i]] = true;
	for (size_t i = 0; i < sizeof(documented) / sizeof(*documented); i++)
		for (const char *p = documented[i]; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, " "), p);
			o = opt_find(name);
			if (o >= 0)
				seen[o] = true;
		}
	for (o = 0; o < OPT_COUNT; o++)
		if (!seen[o])
			fail_msg("%s is not tried", opt_table[o].name);
}

// A file with its lines about these options replaced by ours, whose files exist.
static char *with_our_files(const char *path)
{
	static const char *const replaced[] = { "auth", "server-cert", "server-key", "run-as-user", "run-as-group" };
	char *text = calloc(1, 65536), line[1024];
	FILE *f = fopen(path, "r");
	bool drop;

	assert_non_null(text);
	assert_non_null(f);
	strcpy(text, "auth = \"plain[passwd=./passwd]\"\nserver-cert = cert.pem\nserver-key = key.pem\n");
	while (fgets(line, sizeof(line), f)) {
		drop = false;
		for (size_t i = 0; i < sizeof(replaced) / sizeof(*replaced); i++)
			drop = drop ||
			       (strncmp(line, replaced[i], strlen(replaced[i])) == 0 && strchr(" =", line[strlen(replaced[i])]));
		if (!drop && strlen(text) + strlen(line) < 65536)
			strcat(text, line);
	}
	fclose(f);
	return text;
}

static void what_debian_ships(void **state)
{
	char *text;

	if (access(DEBIAN_FILE, R_OK) != 0)
		skip();
	text = with_our_files(DEBIAN_FILE);
	assert_true(accepted(text) > 0);
	free(text);
}

static void our_sample(void **state)
{
	char *text = with_our_files(OUR_SAMPLE);

	assert_int_equal(accepted(text), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_documented_option),
		cmocka_unit_test(no_option_is_left_out),
		cmocka_unit_test(what_debian_ships),
		cmocka_unit_test(our_sample),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
