// route-add-cmd and route-del-cmd: what a program gets for its words.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/main/routecmd.h"

// Words are shown as [word].
static void gives(const char *text, const char *network, const char *wanted)
{
	char said[512] = "", **argv;
	const char *wrong = NULL;
	struct addr a;

	assert_int_equal(addr_parse(network, &a), 0);
	if (routecmd_words(text, &a, "vpns0", &argv, &wrong) < 0)
		fail_msg("%s: %s", text, wrong);
	for (char **word = argv; *word; word++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "[%s]", *word);
	assert_string_equal(said, wanted);
	routecmd_free(argv);
}

static void is_wrong(const char *text, const char *why)
{
	const char *wrong = NULL;
	char **argv = NULL;
	struct addr a;

	assert_int_equal(addr_parse("10.50.0.0/16", &a), 0);
	assert_int_equal(routecmd_words(text, &a, "vpns0", &argv, &wrong), -EINVAL);
	assert_string_equal(wrong, why);
	assert_null(argv);
}

static void words(void **unused)
{
	gives("ip route add %{R} dev %{D}", "10.50.0.0/16", "[ip][route][add][10.50.0.0/255.255.0.0][dev][vpns0]");
	gives("ip route add %{RI} dev %{D}", "10.50.0.0/16", "[ip][route][add][10.50.0.0/16][dev][vpns0]");
	gives("ip -6 route add %{R} dev %{D}", "fd50::/64", "[ip][-6][route][add][fd50::/64][dev][vpns0]");
	gives("x %{RI} %{R}", "10.50.0.7", "[x][10.50.0.7/32][10.50.0.7/255.255.255.255]");
	gives("  \t/bin/x\t a  ", "10.50.0.0/16", "[/bin/x][a]");
	gives("x net=%{RI},%{D}.", "10.50.0.0/16", "[x][net=10.50.0.0/16,vpns0.]");
}

static void quotes(void **unused)
{
	gives("x 'a b' \"c d\"", "10.50.0.0/16", "[x][a b][c d]");
	gives("x a'b c'd\"e\"", "10.50.0.0/16", "[x][ab cde]");
	gives("x '' \"\"", "10.50.0.0/16", "[x][][]");
	gives("x '%{RI} in' \"%{D}'s\"", "10.50.0.0/16", "[x][10.50.0.0/16 in][vpns0's]");
	gives("x '\"' \"'\"", "10.50.0.0/16",
	      "[x][\"]['"
	      "]");
}

// What a shell would make something of is a word as any other.
static void no_shell(void **unused)
{
	gives("x $(id) `id` ; rm -rf / > /dev/null & | $HOME * \\ %d %", "10.50.0.0/16",
	      "[x][$(id)][`id`][;][rm][-rf][/][>][/dev/null][&][|][$HOME][*][\\][%d][%]");
}

static void wrong(void **unused)
{
	is_wrong("", "there is no command in it");
	is_wrong("   ", "there is no command in it");
	is_wrong("'' x", "there is no command in it");
	is_wrong("x 'a", "a quote has no end");
	is_wrong("x a\"b'", "a quote has no end");
	is_wrong("x %{U}", "it knows %{R}, %{RI} and %{D} only");
	is_wrong("x %{R", "it knows %{R}, %{RI} and %{D} only");
	is_wrong("x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x "
	         "x x x x x x x x "
	         "x x",
	         "there are too many words");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(quotes),
		cmocka_unit_test(no_shell),
		cmocka_unit_test(wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
