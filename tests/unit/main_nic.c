// nic-address and nic-route.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "control/main/nic.h"

static char interface[NIC_INTERFACE];
static struct addr address;
static struct nic_route route;

static bool is(const struct addr *a, const char *text)
{
	char out[ADDR_TEXT];

	return strcmp(addr_text_prefix(a, out), text) == 0;
}

static void addresses(void **state)
{
	assert_int_equal(nic_address_parse("pnic0 192.0.2.1/24", interface, &address), 0);
	assert_string_equal(interface, "pnic0");
	assert_true(is(&address, "192.0.2.1/24"));
	assert_int_equal(nic_address_parse("  pnic1\t2001:db8::1/64 ", interface, &address), 0);
	assert_string_equal(interface, "pnic1");
	assert_true(is(&address, "2001:db8::1/64"));

	static const char *const wrong[] = { "",
		                             "pnic0",
		                             "pnic0 192.0.2.1",
		                             "pnic0 192.0.2.1/33",
		                             "192.0.2.1/24 pnic0",
		                             "pnic0 192.0.2.1/24 more",
		                             "a-name-too-long-0 192.0.2.1/24" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(nic_address_parse(wrong[i], interface, &address), -EINVAL);
}

static void routes(void **state)
{
	assert_int_equal(nic_route_parse("pnic0 default 192.0.2.254", interface, &route), 0);
	assert_int_equal(route.to.family, 0);
	assert_true(is(&route.via, "192.0.2.254/32"));
	assert_int_equal(nic_route_parse("pnic0 default fe80::1", interface, &route), 0);
	assert_int_equal(route.via.family, 6);
	assert_int_equal(nic_route_parse("pnic1 10.0.0.0/8 172.16.0.1", interface, &route), 0);
	assert_true(is(&route.to, "10.0.0.0/8") && is(&route.via, "172.16.0.1/32"));
	assert_int_equal(nic_route_parse("pnic1 10.1.0.0/16", interface, &route), 0);
	assert_int_equal(route.via.family, 0);

	static const char *const wrong[] = { "pnic0",
		                             "pnic0 default",
		                             "pnic0 10.0.0.0 192.0.2.1",
		                             "pnic0 10.0.0.0/8 2001:db8::1",
		                             "pnic0 10.0.0.0/8 192.0.2.1/24",
		                             "pnic0 10.0.0.0/8 192.0.2.1 more",
		                             "pnic0 10.0.0.0/8 somebody" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(nic_route_parse(wrong[i], interface, &route), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
