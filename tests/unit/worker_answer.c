// What a client is told in answer to CONNECT: header by header, by its family and by what it says that it understands.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/worker/connect.h"

struct told {
	struct connect c;
	struct msg_auth_cookie_rep rep;
	struct reply r;
};

static void told_init(struct told *t, const char *agent)
{
	memset(t, 0, sizeof(*t));
	t->c.agent = agent_of(agent);
	t->c.ipv4 = t->c.ipv6 = t->c.full_ipv6 = true;
	t->rep = (struct msg_auth_cookie_rep){
		.user = "anna", .mtu = 1390, .base_mtu = 1500, .dtls = DTLS_KIND_PSK, .udp_port = 443, .dpd = 90, .keepalive = 300
	};
	addr_parse("10.99.0.2/24", &t->rep.ipv4);
	addr_parse("fd99::2/128", &t->rep.ipv6);
	memset(t->rep.app_id, 0xa5, APP_ID_SIZE);
	t->rep.app_id_len = APP_ID_SIZE;
}

static void item(struct told *t, enum item_kind kind, const char *text)
{
	struct msg_session_item m = { .kind = (uint8_t)kind };

	snprintf(m.text, sizeof(m.text), "%s", text);
	assert_int_equal(connect_add_item(&t->c, &m), 0);
}

static void answer(struct told *t)
{
	connect_answer(&t->c, &t->rep, &t->r);
}

static void has(struct told *t, const char *line)
{
	char text[256];

	snprintf(text, sizeof(text), "\r\n%s\r\n", line);
	if (!strstr(t->r.text, text))
		fail_msg("no \"%s\" in: %s", line, t->r.text);
}

static void lacks(struct told *t, const char *text)
{
	if (strstr(t->r.text, text))
		fail_msg("\"%s\" in: %s", text, t->r.text);
}

static void told_fini(struct told *t)
{
	connect_fini(&t->c);
	reply_clear(&t->r);
}

static void test_openconnect_is_told(void **state)
{
	struct told t;

	told_init(&t, "Open AnyConnect VPN Agent v9.01-3");
	item(&t, ITEM_DNS, "10.99.0.1");
	item(&t, ITEM_DNS, "fd99::1");
	item(&t, ITEM_SPLIT_DNS, "example.org");
	item(&t, ITEM_ROUTE, "10.0.0.0/8");
	item(&t, ITEM_ROUTE, "192.168.0.0/255.255.0.0");
	item(&t, ITEM_ROUTE, "fd00::/8");
	item(&t, ITEM_NO_ROUTE, "10.98.0.0/16");
	item(&t, ITEM_DEFAULT_DOMAIN, "example.com");
	item(&t, ITEM_BANNER, "hello");
	item(&t, ITEM_HEADER, "X-CSTP-MTU: 1200");
	item(&t, ITEM_PROXY_URL, "http://p/anna");
	answer(&t);
	assert_memory_equal(t.r.text, "HTTP/1.1 200 CONNECTED\r\n", 24);
	has(&t, "X-CSTP-Version: 1");
	has(&t, "X-CSTP-Address: 10.99.0.2");
	has(&t, "X-CSTP-Netmask: 255.255.255.0");
	has(&t, "X-CSTP-Address-IP6: fd99::2/128");
	has(&t, "X-CSTP-DNS: 10.99.0.1");
	has(&t, "X-CSTP-DNS: fd99::1");
	has(&t, "X-CSTP-Split-DNS: example.org");
	has(&t, "X-CSTP-Split-Include: 10.0.0.0/255.0.0.0");
	has(&t, "X-CSTP-Split-Include: 192.168.0.0/255.255.0.0");
	has(&t, "X-CSTP-Split-Include-IP6: fd00::/8");
	has(&t, "X-CSTP-Split-Exclude: 10.98.0.0/255.255.0.0");
	has(&t, "X-CSTP-Default-Domain: example.com");
	has(&t, "X-CSTP-Banner: hello");
	has(&t, "X-CSTP-DPD: 90");
	has(&t, "X-CSTP-Keepalive: 300");
	has(&t, "X-CSTP-Client-Bypass-Protocol: false");
	has(&t, "X-DTLS-DPD: 90");
	has(&t, "X-DTLS-Keepalive: 300");
	has(&t, "X-CSTP-Idle-Timeout: none");
	has(&t, "X-CSTP-Session-Timeout: none");
	lacks(&t, "Session-Timeout-Remaining");
	has(&t, "X-CSTP-Disconnected-Timeout: none");
	has(&t, "X-CSTP-Base-MTU: 1500");
	has(&t, "X-CSTP-MTU: 1390");
	has(&t, "X-CSTP-MSIE-Proxy-PAC-URL: http://p/anna");
	assert_non_null(strstr(t.r.text, "X-CSTP-MTU: 1390\r\nX-CSTP-MTU: 1200\r\n\r\n"));
	has(&t, "X-DTLS-CipherSuite: PSK-NEGOTIATE");
	has(&t, "X-DTLS-Port: 443");
	has(&t, "X-DTLS-App-ID: a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
	assert_memory_equal(t.r.text + t.r.len - 4, "\r\n\r\n", 4);
	told_fini(&t);
}

static void all_items(struct told *t)
{
	item(t, ITEM_HOSTNAME, "anna-pc");
	item(t, ITEM_DNS, "10.99.0.1");
	item(t, ITEM_DNS, "fd99::1");
	item(t, ITEM_NBNS, "10.99.0.3");
	item(t, ITEM_SPLIT_DNS, "example.org");
	item(t, ITEM_ROUTE, "10.0.0.0/8");
	item(t, ITEM_ROUTE, "fd00::/8");
	item(t, ITEM_NO_ROUTE, "10.98.0.0/16");
	item(t, ITEM_NO_ROUTE, "fd01::/16");
	item(t, ITEM_DEFAULT_DOMAIN, "example.com");
	item(t, ITEM_BANNER, "hello");
	item(t, ITEM_PROXY_URL, "http://p/anna");
	item(t, ITEM_HEADER, "X-Own: 1");
}

static void answer_is(struct told *t, const char *agent, const char *want)
{
	static const char name[] = "X-CSTP-Server-Name: Penstock " PENSTOCK_VERSION "\r\n";
	char text[8192], *at;

	t->c.agent = agent_of(agent);
	answer(t);
	snprintf(text, sizeof(text), "%s", t->r.text);
	at = strstr(text, name); // the version is not what counts
	assert_non_null(at);
	memmove(at, at + strlen(name), strlen(at + strlen(name)) + 1);
	assert_string_equal(text, want);
	told_fini(t);
}

// Header by header: everything that there can be, for openconnect ...
static void test_the_whole_answer(void **state)
{
	struct told t;

	told_init(&t, NULL);
	t.rep.idle_timeout = 1200;
	t.rep.session_timeout = 3600;
	t.rep.session_left = 3500;
	t.rep.rekey_time = 86400;
	t.rep.rekey_method = REKEY_SSL;
	t.rep.tunnel_all_dns = t.rep.client_bypass = 1;
	t.rep.cstp_compress = t.rep.dtls_compress = COMPRESS_LZ4;
	t.c.tls13 = true;
	all_items(&t);
	answer_is(&t, "Open AnyConnect VPN Agent v9.01-3",
	          "HTTP/1.1 200 CONNECTED\r\n"
	          "X-CSTP-Version: 1\r\n"
	          "X-CSTP-Hostname: anna-pc\r\n"
	          "X-CSTP-DPD: 90\r\n"
	          "X-CSTP-Address: 10.99.0.2\r\n"
	          "X-CSTP-Netmask: 255.255.255.0\r\n"
	          "X-CSTP-Address-IP6: fd99::2/128\r\n"
	          "X-CSTP-DNS: 10.99.0.1\r\n"
	          "X-CSTP-DNS: fd99::1\r\n"
	          "X-CSTP-NBNS: 10.99.0.3\r\n"
	          "X-CSTP-Split-DNS: example.org\r\n"
	          "X-CSTP-Split-Include: 10.0.0.0/255.0.0.0\r\n"
	          "X-CSTP-Split-Include-IP6: fd00::/8\r\n"
	          "X-CSTP-Split-Exclude: 10.98.0.0/255.255.0.0\r\n"
	          "X-CSTP-Split-Exclude-IP6: fd01::/16\r\n"
	          "X-CSTP-Default-Domain: example.com\r\n"
	          "X-CSTP-Banner: hello\r\n"
	          "X-CSTP-MSIE-Proxy-PAC-URL: http://p/anna\r\n"
	          "X-CSTP-Tunnel-All-DNS: true\r\n"
	          "X-CSTP-Client-Bypass-Protocol: true\r\n"
	          "X-CSTP-Keepalive: 300\r\n"
	          "X-CSTP-Idle-Timeout: 1200\r\n"
	          "X-CSTP-Session-Timeout: 3600\r\n"
	          "X-CSTP-Session-Timeout-Remaining: 3500\r\n"
	          "X-CSTP-Disconnected-Timeout: none\r\n"
	          "X-CSTP-Smartcard-Removal-Disconnect: true\r\n"
	          "X-CSTP-Rekey-Time: 86400\r\n"
	          "X-CSTP-Rekey-Method: ssl\r\n"
	          "X-CSTP-Keep: true\r\n"
	          "X-CSTP-TCP-Keepalive: true\r\n"
	          "X-CSTP-License: accept\r\n"
	          "X-DTLS-Port: 443\r\n"
	          "X-DTLS-DPD: 90\r\n"
	          "X-DTLS-Keepalive: 300\r\n"
	          "X-DTLS-Rekey-Time: 86410\r\n"
	          "X-DTLS-Rekey-Method: new-tunnel\r\n"
	          "X-DTLS-Content-Encoding: oc-lz4\r\n"
	          "X-DTLS-App-ID: a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\r\n"
	          "X-DTLS-CipherSuite: PSK-NEGOTIATE\r\n"
	          "X-CSTP-Content-Encoding: oc-lz4\r\n"
	          "X-CSTP-Base-MTU: 1500\r\n"
	          "X-CSTP-MTU: 1390\r\n"
	          "X-Own: 1\r\n"
	          "\r\n");
}

// ... and for AnyConnect on iOS.
static void test_the_whole_answer_on_ios(void **state)
{
	struct told t;

	told_init(&t, NULL);
	t.rep.dtls = DTLS_KIND_RESUMED;
	t.c.suite = suite_choose("AES256-GCM-SHA384", true, &ciphers_all);
	all_items(&t);
	answer_is(&t, "Cisco AnyConnect VPN Agent for Apple iPhone 4.10",
	          "HTTP/1.1 200 CONNECTED\r\n"
	          "X-CSTP-Version: 1\r\n"
	          "X-CSTP-Hostname: anna-pc\r\n"
	          "X-CSTP-DPD: 90\r\n"
	          "X-CSTP-Address: 10.99.0.2\r\n"
	          "X-CSTP-Netmask: 255.255.255.0\r\n"
	          "X-CSTP-Address-IP6: fd99::2/128\r\n"
	          "X-CSTP-Split-Include-IP6: 2000::/3\r\n"
	          "X-CSTP-DNS: 10.99.0.1\r\n"
	          "X-CSTP-DNS-IP6: fd99::1\r\n"
	          "X-CSTP-NBNS: 10.99.0.3\r\n"
	          "X-CSTP-Split-DNS: example.org\r\n"
	          "X-CSTP-Split-Include: 10.0.0.0/255.0.0.0\r\n"
	          "X-CSTP-Split-Include-IP6: fd00::/8\r\n"
	          "X-CSTP-Split-Exclude: 10.98.0.0/255.255.0.0\r\n"
	          "X-CSTP-Split-Exclude-IP6: fd01::/16\r\n"
	          "X-CSTP-Default-Domain: example.com\r\n"
	          "X-CSTP-Banner: hello\r\n"
	          "X-CSTP-MSIE-Proxy-PAC-URL: http://p/anna\r\n"
	          "X-CSTP-Tunnel-All-DNS: false\r\n"
	          "X-CSTP-Client-Bypass-Protocol: false\r\n"
	          "X-CSTP-Keepalive: 300\r\n"
	          "X-CSTP-Idle-Timeout: none\r\n"
	          "X-CSTP-Session-Timeout: none\r\n"
	          "X-CSTP-Disconnected-Timeout: none\r\n"
	          "X-CSTP-Smartcard-Removal-Disconnect: true\r\n"
	          "X-CSTP-Rekey-Time: 31536000\r\n"
	          "X-CSTP-Rekey-Method: new-tunnel\r\n"
	          "X-CSTP-Keep: true\r\n"
	          "X-CSTP-TCP-Keepalive: true\r\n"
	          "X-CSTP-License: accept\r\n"
	          "X-DTLS-Port: 443\r\n"
	          "X-DTLS-DPD: 90\r\n"
	          "X-DTLS-Keepalive: 300\r\n"
	          "X-DTLS-Session-ID: a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\r\n"
	          "X-DTLS12-CipherSuite: AES256-GCM-SHA384\r\n"
	          "X-DTLS-MTU: 1390\r\n"
	          "X-CSTP-Base-MTU: 1500\r\n"
	          "X-CSTP-MTU: 1390\r\n"
	          "X-Own: 1\r\n"
	          "\r\n");
}

static void test_encodings_are_told(void **state)
{
	struct told t;

	told_init(&t, NULL);
	t.rep.cstp_compress = COMPRESS_LZS;
	t.rep.dtls_compress = COMPRESS_LZ4;
	answer(&t);
	has(&t, "X-CSTP-Content-Encoding: lzs");
	has(&t, "X-DTLS-Content-Encoding: oc-lz4");
	told_fini(&t);
	told_init(&t, NULL);
	answer(&t);
	lacks(&t, "Content-Encoding");
	told_fini(&t);
}

static void test_times_are_told(void **state)
{
	struct told t;

	told_init(&t, NULL);
	t.rep.idle_timeout = 1200;
	t.rep.session_timeout = 3600;
	t.rep.client_bypass = 1;
	t.rep.session_left = 1234;
	answer(&t);
	has(&t, "X-CSTP-Idle-Timeout: 1200");
	has(&t, "X-CSTP-Session-Timeout: 3600");
	has(&t, "X-CSTP-Session-Timeout-Remaining: 1234");
	told_fini(&t);
}

static void test_a_default_route_is_no_list(void **state)
{
	struct told t;

	told_init(&t, NULL);
	item(&t, ITEM_ROUTE, "10.0.0.0/8");
	item(&t, ITEM_ROUTE, "default");
	item(&t, ITEM_NO_ROUTE, "192.168.0.0/16");
	answer(&t);
	lacks(&t, "Split-Include");
	has(&t, "X-CSTP-Split-Exclude: 192.168.0.0/255.255.0.0");
	has(&t, "X-CSTP-Tunnel-All-DNS: true"); // DNS is part of all
	told_fini(&t);
}

// dns: the header of an IPv6 server, NULL: there is none; ios: 2000::/3 is added.
static void family_gets(const char *agent, const char *routes, const char *dns, bool ipv6_route, bool ios)
{
	struct told t;
	char line[64];

	told_init(&t, agent);
	item(&t, ITEM_DNS, "fd99::1");
	for (const char *at = routes; *at; at += strlen(at) + 1)
		item(&t, ITEM_ROUTE, at);
	answer(&t);
	snprintf(line, sizeof(line), "X-CSTP-%s: fd99::1", dns ? dns : "");
	if (dns)
		has(&t, line);
	else
		lacks(&t, "fd99::1\r");
	if (ipv6_route)
		has(&t, "X-CSTP-Split-Include-IP6: fd00::/8");
	else
		lacks(&t, "fd00::");
	if (ios)
		has(&t, "X-CSTP-Split-Include-IP6: 2000::/3");
	else
		lacks(&t, "2000::");
	told_fini(&t);
}

#define SPLIT "10.0.0.0/8\0fd00::/8\0"

static void test_families_are_told_apart(void **state)
{
	struct told t;

	family_gets("Open AnyConnect VPN Agent v9.01", SPLIT, "DNS", true, false);
	family_gets("Open AnyConnect VPN Agent v3.20", SPLIT, NULL, false, false);
	family_gets("OpenConnect VPN Agent (NetworkManager) v9", SPLIT, "DNS", true, false);
	family_gets("AnyConnect-compatible OpenConnect VPN Agent v9", SPLIT, "DNS", true, false);
	family_gets("Cisco AnyConnect VPN Agent for Windows", SPLIT, "DNS-IP6", true, false);
	family_gets("AnyConnect Linux_64 4.10", SPLIT, "DNS-IP6", true, false);
	family_gets("Clavister OneConnect VPN 1", SPLIT, "DNS", true, false);
	family_gets("AnyLink Secure Client", SPLIT, "DNS", true, false);
	family_gets("Cisco SVC IPPhone Client v1", SPLIT, "DNS", true, false);
	family_gets("curl/7.88", SPLIT, "DNS", true, false);
	family_gets(NULL, SPLIT, "DNS", true, false);
	family_gets("Cisco AnyConnect VPN Agent for Apple iPhone", SPLIT, "DNS-IP6", true, true);
	family_gets("Cisco AnyConnect VPN Agent for Apple iPhone", "10.0.0.0/8\0", "DNS-IP6", false, true);
	family_gets("Cisco AnyConnect VPN Agent for Apple iPhone", "", "DNS-IP6", false, true);
	family_gets("Cisco AnyConnect VPN Agent for Apple iPhone", "default\0", "DNS-IP6", false, false);

	told_init(&t, "Cisco AnyConnect VPN Agent for Apple iPhone");
	t.c.full_ipv6 = false; // it would not know the header
	answer(&t);
	lacks(&t, "2000::");
	told_fini(&t);
}

static void some_items(struct told *t)
{
	item(t, ITEM_DNS, "10.99.0.1");
	item(t, ITEM_DNS, "fd99::1");
	item(t, ITEM_NBNS, "10.99.0.3");
	item(t, ITEM_ROUTE, "10.0.0.0/8");
	item(t, ITEM_ROUTE, "fd00::/8");
	item(t, ITEM_NO_ROUTE, "10.98.0.0/16");
	item(t, ITEM_NO_ROUTE, "fd01::/16");
}

// Who does not say that it understands more gets IPv6 in the headers of IPv4.
static void test_without_full_ipv6(void **state)
{
	struct told t;

	told_init(&t, NULL);
	t.c.full_ipv6 = false;
	some_items(&t);
	answer(&t);
	lacks(&t, "IP6");
	has(&t, "X-CSTP-Address: 10.99.0.2");
	has(&t, "X-CSTP-Netmask: 255.255.255.0");
	has(&t, "X-CSTP-Address: fd99::2");
	has(&t, "X-CSTP-Netmask: fd99::2/128");
	has(&t, "X-CSTP-DNS: fd99::1");
	has(&t, "X-CSTP-Split-Include: fd00::/8");
	has(&t, "X-CSTP-Split-Exclude: fd01::/16");
	told_fini(&t);
}

static void test_one_family_only(void **state)
{
	struct told t;

	told_init(&t, "Cisco AnyConnect VPN Agent for Apple iPhone");
	memset(&t.rep.ipv6, 0, sizeof(t.rep.ipv6)); // none is configured
	some_items(&t);
	answer(&t);
	lacks(&t, "fd");
	lacks(&t, "2000::");
	has(&t, "X-CSTP-DNS: 10.99.0.1");
	has(&t, "X-CSTP-Split-Include: 10.0.0.0/255.0.0.0");
	told_fini(&t);

	told_init(&t, NULL);
	t.c.ipv6 = false; // the session has one from an earlier connection, this client does not want it
	some_items(&t);
	answer(&t);
	lacks(&t, "fd");
	told_fini(&t);

	told_init(&t, NULL);
	t.c.ipv4 = false;
	memset(&t.rep.ipv4, 0, sizeof(t.rep.ipv4));
	some_items(&t);
	answer(&t);
	lacks(&t, " 10.");
	has(&t, "X-CSTP-Address-IP6: fd99::2/128");
	has(&t, "X-CSTP-DNS: fd99::1");
	has(&t, "X-CSTP-Split-Include-IP6: fd00::/8");
	told_fini(&t);
}

static void test_no_dtls(void **state)
{
	struct told t;

	told_init(&t, NULL);
	t.rep.dtls = DTLS_KIND_NONE;
	answer(&t);
	lacks(&t, "X-DTLS");
	told_fini(&t);
}

static void rekey_is(bool tls13, uint32_t time, enum rekey_method method, const char *cstp_time, const char *cstp_method,
                     const char *dtls_time)
{
	struct told t;

	told_init(&t, NULL);
	t.c.tls13 = tls13;
	t.rep.rekey_time = time;
	t.rep.rekey_method = (uint8_t)method;
	answer(&t);
	has(&t, cstp_time);
	has(&t, cstp_method);
	if (dtls_time) {
		has(&t, dtls_time);
		has(&t, "X-DTLS-Rekey-Method: new-tunnel"); // leaves it to us; by any other word openconnect loses packets
	} else {
		lacks(&t, "X-DTLS-Rekey");
	}
	told_fini(&t);
}

static void test_rekey(void **state)
{
	rekey_is(true, 3600, REKEY_SSL, "X-CSTP-Rekey-Time: 3600", "X-CSTP-Rekey-Method: ssl", "X-DTLS-Rekey-Time: 3610");
	rekey_is(true, 3600, REKEY_NEW_TUNNEL, "X-CSTP-Rekey-Time: 3600", "X-CSTP-Rekey-Method: new-tunnel",
	         "X-DTLS-Rekey-Time: 3610");
	rekey_is(false, 3600, REKEY_SSL, "X-CSTP-Rekey-Time: 3600", "X-CSTP-Rekey-Method: new-tunnel", "X-DTLS-Rekey-Time: 3610");
	rekey_is(true, 0, REKEY_SSL, "X-CSTP-Rekey-Time: 31536000", "X-CSTP-Rekey-Method: new-tunnel", NULL); // never
}

static void test_a_session_that_never_was(void **state)
{
	struct told t;

	told_init(&t, NULL);
	t.rep.dtls = DTLS_KIND_RESUMED;
	t.c.suite = suite_choose("OC-DTLS1_2-AES256-GCM", false, &ciphers_all);
	answer(&t);
	has(&t, "X-DTLS-CipherSuite: OC-DTLS1_2-AES256-GCM");
	has(&t, "X-DTLS-Session-ID: a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
	has(&t, "X-DTLS-Port: 443");
	has(&t, "X-DTLS-MTU: 1390");
	lacks(&t, "X-DTLS-App-ID");
	lacks(&t, "X-DTLS12");
	told_fini(&t);

	told_init(&t, "Cisco AnyConnect VPN Agent for Windows");
	t.rep.dtls = DTLS_KIND_RESUMED;
	t.c.suite = suite_choose("ECDHE-RSA-AES256-GCM-SHA384", true, &ciphers_all);
	answer(&t);
	has(&t, "X-DTLS12-CipherSuite: ECDHE-RSA-AES256-GCM-SHA384");
	lacks(&t, "X-DTLS-CipherSuite");
	told_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openconnect_is_told),
		cmocka_unit_test(test_the_whole_answer),
		cmocka_unit_test(test_the_whole_answer_on_ios),
		cmocka_unit_test(test_encodings_are_told),
		cmocka_unit_test(test_times_are_told),
		cmocka_unit_test(test_a_default_route_is_no_list),
		cmocka_unit_test(test_families_are_told_apart),
		cmocka_unit_test(test_without_full_ipv6),
		cmocka_unit_test(test_one_family_only),
		cmocka_unit_test(test_no_dtls),
		cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_a_session_that_never_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
