// Login XML as openconnect 9.01 sends it, and as attackers do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/worker/xml.h"
#include "sanitized.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void test_init(void **state)
{
	static const char body[] = HEAD
	        "<config-auth client=\"vpn\" type=\"init\"><version who=\"vpn\">v9.01</version>"
	        "<device-id device-type=\"phone\">linux-64</device-id><capabilities><auth-method>single-sign-on-v2</auth-method>"
	        "</capabilities><group-access>https://192.0.2.1/</group-access></config-auth>";
	struct login_fields f;

	assert_int_equal(xml_login(body, strlen(body), &f), 0);
	assert_int_equal(f.kind, LOGIN_INIT);
	assert_string_equal(f.device_platform, "linux-64");
	assert_string_equal(f.device_type, "phone");
	assert_false(f.has_user || f.has_password);
}

static void reply(const char *inner, int want)
{
	struct login_fields f;
	char body[4096];

	snprintf(body, sizeof(body), "<config-auth client=\"vpn\" type=\"auth-reply\"><auth>%s</auth></config-auth>", inner);
	assert_int_equal(xml_login(body, strlen(body), &f), want);
	if (want < 0)
		assert_int_equal(f.password[0], 0); // nothing of a refused one is left
}

static void test_reply(void **state)
{
	static const char body[] = HEAD
	        "<config-auth client=\"vpn\" type=\"auth-reply\"><device-id>linux-64</device-id>"
	        "<session-token/><session-id/><auth><username>me &amp; you</username><password> p&lt;w&#233; </password></auth>"
	        "<group-select>staff</group-select></config-auth>";
	struct login_fields f;

	assert_int_equal(xml_login(body, strlen(body), &f), 0);
	assert_int_equal(f.kind, LOGIN_REPLY);
	assert_true(f.has_user && f.has_password);
	assert_string_equal(f.user, "me & you");
	assert_string_equal(f.password, " p<w\xc3\xa9 ");
	assert_string_equal(f.group, "staff");
	login_fields_wipe(&f);
	assert_int_equal(f.password[1], 0);
	reply("<username></username>", 0);
	reply("<secondary_password>1</secondary_password>", 0);
	reply("<username>a&#10;b</username>", -EBADMSG);
	reply("<username><b/></username>", -EBADMSG);
	reply("<password>\xff</password>", -EBADMSG);
	reply("<password>&nbsp;</password>", -EBADMSG);
}

static void test_long_fields(void **state)
{
	char inner[1024];
	int n;

	for (n = 0; n < 2; n++) {
		memset(inner, 'u', sizeof(inner));
		sprintf(inner + LIMIT_USER + n, "</username>");
		memmove(inner + 10, inner, strlen(inner) + 1);
		memcpy(inner, "<username>", 10);
		reply(inner, n == 0 ? 0 : -EBADMSG);
	}
}

// What the program has had of memory at most, in bytes, since it was last asked to begin anew.
static size_t most_memory(bool anew)
{
	unsigned long kib = 0;
	char line[256];
	FILE *f;

	if (anew) {
		f = fopen("/proc/self/clear_refs", "w");
		assert_non_null(f);
		fputs("5", f);
		fclose(f);
	}
	f = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof(line), f) && sscanf(line, "VmHWM: %lu", &kib) != 1)
		;
	fclose(f);
	return kib * 1024;
}

// Refused within 10 ms and 4 MiB, whatever it is.
static void hostile(const char *body, size_t len)
{
	struct login_fields f;
	struct timespec a, b;
	size_t before = most_memory(true), after;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	assert_int_equal(xml_login(body, len, &f), -EBADMSG);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	after = most_memory(false);
	assert_true(SANITIZED || (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 10000000L);
	assert_true(SANITIZED || after - before <= 4u << 20);
}

static char *repeat(const char *head, const char *what, size_t times, const char *tail)
{
	char *text = malloc(strlen(head) + strlen(what) * times + strlen(tail) + 1), *p = text;

	p = stpcpy(p, head);
	while (times-- > 0)
		p = stpcpy(p, what);
	stpcpy(p, tail);
	return text;
}

static void test_hostile(void **state)
{
	static const char *const texts[] = {
		"",
		"<",
		"<a/>",
		"<config-auth>",
		"<config-auth type=\"init\"/><x/>",
		"<!DOCTYPE x [<!ENTITY a \"b\">]><config-auth>&a;</config-auth>",
		"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><config-auth/>",
		"<?xml version=\"1.0\" encoding=\"UTF-16\"?><config-auth",
		"<?xml version=\"1.0\" encoding=\"UTF-16\"?><config-auth type=\"init\">\xff</config-auth>",
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><config-auth type=\"init\">\xe9</config-auth>",
		"<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADw-config-auth+AD4-",
		"\x4c\x6f\xa7\x94\x93",                    // EBCDIC
		"<config-auth>\xc0\xbc</config-auth>",     // overlong
		"<config-auth>\xed\xa0\x80</config-auth>", // half of a surrogate pair
		"<config-auth>\xf4\x90\x80\x80</config-auth>",
		"<!DOCTYPE x [<!ENTITY % a SYSTEM \"http://192.0.2.9/\">%a;]><config-auth/>",
		"<!DOCTYPE x [<!ENTITY a SYSTEM "
		"\"file:///etc/shadow\">]><config-auth><auth><username>&a;</username></auth></config-auth>",
		"<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
		"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d "
		"\"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">]><config-auth>&d;</config-auth>",
		"<config-auth xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='file:///etc/passwd'/><a></config-auth>",
		"<config-auth>\x01</config-auth>",
	};
	static const struct {
		const char *head, *what;
		size_t times;
		const char *tail;
	} many[] = {
		{ "<config-auth>", "<a>", 100000 / 3, "" },
		{ "<config-auth>", "<a/>", 60000, "</config-auth>" },
		{ "<config-auth ", "a=''", 17, "/>" },
		{ "<config-auth><", "n", 200000, "/></config-auth>" },
		{ "<config-auth x='", "n", 200000, "'/>" },
		{ "<config-auth><username>", "n", 200000, "</username></config-auth>" },
		{ "<config-auth><username>", "&#110;", 40000, "</username></config-auth>" },
		{ "", " ", LIMIT_HTTP_BODY + 1, "<config-auth/>" },
	};
	char *text;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		hostile(texts[i], strlen(texts[i]));
	hostile("\xff\xfe<\0c\0o\0n\0", 10); // UTF-16, and UCS-4
	hostile("\xfe\xff\0<\0c\0o\0n", 10);
	hostile("\0\0\xfe\xff\0\0\0<\0\0\0c", 12);
	hostile("<config-auth>\0</config-auth>", 28);
	for (i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		text = repeat(many[i].head, many[i].what, many[i].times, many[i].tail);
		hostile(text, strlen(text));
		free(text);
	}
}

static void test_form(void **state)
{
	static const char body[] = "group_list=staff&username=me&password=a%26b", bad[] = "username=a%0ab";
	struct login_fields f;

	assert_int_equal(form_login(body, strlen(body), &f), 0);
	assert_int_equal(f.kind, LOGIN_REPLY);
	assert_true(f.has_user && f.has_password);
	assert_string_equal(f.password, "a&b");
	assert_string_equal(f.group, "staff");
	assert_int_equal(form_login(bad, strlen(bad), &f), -EBADMSG);
	assert_int_equal(form_login("", 0, &f), 0);
	assert_false(f.has_user || f.has_password);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),    cmocka_unit_test(test_reply), cmocka_unit_test(test_long_fields),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
