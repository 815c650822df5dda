// Virtual hosts: their sections, what they inherit, and what the children see of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_rig.h"
#include "proto/limits.h"
#include "proto/snapshot.h"

#define VHOST GOOD "[vhost:www.example.com]\n"

static void sections(void **state)
{
	char text[8192] = GOOD;

	file_says(VHOST "dpd = 7\ntcp-port = 1\n", CONFIG_TEST, 1, 0, "tcp-port: this option is for the whole server");
	file_says(VHOST "dpd = x\n", CONFIG_TEST, 1, 0, "test.conf:10: dpd");
	file_says(VHOST "iroute = 10.0.0.0/8\n", CONFIG_TEST, 1, 0, "belongs in the file of a user");
	file_says(VHOST "dpd = 7\ndpd = 8\n", CONFIG_TEST, 0, 1, "test.conf:11: dpd: is on line 10 already");
	file_says(GOOD "dpd = 6\n[vhost:a]\ndpd = 7\n[vhost:b]\ndpd = 8\n", CONFIG_TEST, 0, 0, NULL);
	file_says(GOOD "[default]\n", CONFIG_TEST, 1, 0, "only [vhost:NAME] is");
	file_says(GOOD "[vhost:]\n", CONFIG_TEST, 1, 0, "1 to 253 characters");
	file_says(GOOD "[vhost:default]\n", CONFIG_TEST, 1, 0, "above all sections");
	file_says(GOOD "[vhost:a..b]\n", CONFIG_TEST, 1, 0, "a part of it is empty");
	file_says(GOOD "[vhost:a/b]\n", CONFIG_TEST, 1, 0, "no host name");
	file_says(GOOD "[vhost:b\xc3\xbc"
	               "cher.example]\n",
	          CONFIG_TEST, 1, 0, "xn--");
	for (int i = 1; i < LIMIT_VHOSTS; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[vhost:v%d]\n", i);
	file_says(text, CONFIG_TEST, 0, 0, NULL);
	strcat(text, "[vhost:more]\n");
	file_says(text, CONFIG_TEST, 1, 0, "more virtual hosts than");
}

// What is wrong in what a virtual host inherits is said once.
static void checks_of_vhosts(void **state)
{
	file_says(VHOST "server-cert = cert.pem\nserver-cert = cert.pem\n", CONFIG_TEST, 1, 0, "1 keys but 2 certificates");
	file_says(VHOST "server-key = /does/not/exist\n", CONFIG_TEST, 1, 0, "test.conf:10: server-key: /does/not/exist");
	file_says(GOOD "server-key = key.pem\n[vhost:a]\ndpd = 1\n", CONFIG_TEST, 1, 0, NULL);
	file_says(GOOD "compression = true\n[vhost:a]\ncompression = true\n[vhost:b]\n", CONFIG_TEST, 0, 2, NULL);
	file_says(VHOST "ipv4-network = 10.8.0.0\n", CONFIG_TEST, 1, 0, "needs a prefix length");
	file_says(VHOST "ipv4-netmask = 255.255.0.0\n", CONFIG_TEST, 1, 0, "contradicts");
	file_says(VHOST "ipv6-network = fd00::/64\nipv6-subnet-prefix = 64\n", CONFIG_TEST, 1, 0, "longer than the prefix");
	file_says(VHOST "ping-leases = true\n", CONFIG_TEST, 1, 0, "for the whole server");
	file_says(VHOST "default-user-config = /does/not/exist\n", CONFIG_TEST, 1, 0, "default-user-config");
}

static void a_vhost_inherits(void **state)
{
	struct config *c = NULL;
	const struct config *a, *b;
	struct heard h;

	assert_int_equal(load("test.conf",
	                      GOOD "dpd = 6\ndns = 192.0.2.1\ndns = 192.0.2.2\nocsp-response = x\nipv6-network = fd00::\n"
	                           "ipv6-prefix = 48\n[vhost:A.Example]\ndpd = 7\ndns = 192.0.2.3\nipv4-network = 10.8.0.0\n"
	                           "ipv4-netmask = 255.255.0.0\n[vhost:b.example]\nserver-cert = cert.pem\n"
	                           "ipv6-network = fd01::/64\n[vhost:a.EXAMPLE]\nmtu = 1300\n",
	                      CONFIG_START, &h, &c),
	                 0);
	assert_int_equal(config_vhosts(c), 3);
	assert_ptr_equal(config_vhost(c, 0), c);
	a = config_vhost(c, 1);
	b = config_vhost(c, 2);
	assert_string_equal(config_vhost_name(c), "");
	assert_string_equal(config_vhost_name(a), "a.example");
	assert_string_equal(config_vhost_name(b), "b.example");
	assert_int_equal(config_num(c, OPT_DPD), 6);
	assert_int_equal(config_num(a, OPT_DPD), 7);
	assert_int_equal(config_num(b, OPT_DPD), 6);
	assert_int_equal(config_num(a, OPT_KEEPALIVE), config_num(c, OPT_KEEPALIVE)); // a default
	assert_int_equal(config_num(a, OPT_MTU), 1300);                               // from its second section
	assert_int_equal(config_num(b, OPT_MTU), 0);
	assert_int_equal(config_count(c, OPT_DNS), 2);
	assert_int_equal(config_count(a, OPT_DNS), 1); // its list in the place of the other
	assert_string_equal(config_str(a, OPT_DNS), "192.0.2.3");
	assert_int_equal(config_count(b, OPT_DNS), 2);
	assert_string_equal(config_str(a, OPT_IPV4_NETWORK), "10.8.0.0/16");
	assert_string_equal(config_str(b, OPT_IPV4_NETWORK), "10.9.0.0/24");
	assert_string_equal(config_str(a, OPT_IPV6_NETWORK), "fd00::/48");
	assert_string_equal(config_str(b, OPT_IPV6_NETWORK), "fd01::/64");
	assert_non_null(config_str(a, OPT_OCSP_RESPONSE));
	assert_null(config_str(b, OPT_OCSP_RESPONSE)); // it was for another certificate
	assert_string_equal(config_file(a), config_file(c));
	assert_true(config_given(a, OPT_TCP_PORT));
	config_free(c);
}

static void the_snapshot_has_the_vhosts(void **state)
{
	struct config *c = NULL;
	struct snapshot *s = NULL;
	struct heard h;
	int fd = -1;

	assert_int_equal(
	        load("test.conf",
	             GOOD
	             "dns = 192.0.2.1\nocsp-response = x\ncamouflage_secret = s\n[vhost:A.example]\ndns = 192.0.2.2\nkey-pin = 1\n"
	             "server-cert = cert.pem\n",
	             CONFIG_START, &h, &c),
	        0);
	assert_int_equal(config_snapshot(c, NULL, VIEW_PUBLIC, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), 0);
	close(fd);
	assert_int_equal(snapshot_vhosts(s), 2);
	assert_string_equal(snapshot_vhost_name(s, 1), "a.example");
	assert_string_equal(snapshot_get(s, "dns"), "192.0.2.1");
	assert_string_equal(snapshot_vhost_get(s, 1, "dns"), "192.0.2.2");
	assert_int_equal(snapshot_vhost_number(s, 1, "tcp-port"), 443);
	assert_int_equal(snapshot_vhost_number(s, 1, "dpd"), 90);
	assert_non_null(snapshot_get(s, "ocsp-response"));
	assert_null(snapshot_vhost_get(s, 1, "ocsp-response"));
	assert_null(snapshot_vhost_get(s, 1, "key-pin"));
	assert_null(snapshot_get(s, "camouflage_secret"));
	snapshot_free(s);
	assert_int_equal(config_snapshot(c, NULL, VIEW_SECRET, &fd), 0); // sec-mod's
	assert_int_equal(snapshot_open(fd, &s), 0);
	close(fd);
	assert_null(snapshot_get(s, "key-pin"));
	assert_string_equal(snapshot_vhost_get(s, 1, "key-pin"), "1");
	assert_null(snapshot_get(s, "camouflage_secret"));
	snapshot_free(s);
	assert_int_equal(config_snapshot(c, NULL, VIEW_NURSERY, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), 0);
	close(fd);
	assert_null(snapshot_vhost_get(s, 1, "key-pin"));
	assert_string_equal(snapshot_vhost_get(s, 1, "camouflage_secret"), "s");
	snapshot_free(s);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections),
		cmocka_unit_test(checks_of_vhosts),
		cmocka_unit_test(a_vhost_inherits),
		cmocka_unit_test(the_snapshot_has_the_vhosts),
	};

	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
