// The Authorization header: which tokens it can bring.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "control/worker/credentials.h"

#define ROOM 12

static int read(const char *header, enum auth_kind *kind, char out[ROOM + 1])
{
	int n = credentials_read(header, kind, (uint8_t *)out, ROOM);

	out[n > 0 ? n : 0] = '\0';
	return n;
}

static void test_tokens(void **state)
{
	enum auth_kind kind;
	char out[ROOM + 1];

#define T(header, is, text)                                                    \
	do {                                                                   \
		assert_int_equal(read(header, &kind, out), (int)strlen(text)); \
		assert_int_equal(kind, is);                                    \
		assert_string_equal(out, text);                                \
	} while (0)
	T("Bearer a.b.c", AUTH_BEARER, "a.b.c");
	T("bearer a.b.c", AUTH_BEARER, "a.b.c");
	T("Bearer a.b.c ", AUTH_BEARER, "a.b.c"); // as openconnect sends it
	T(" Bearer \t a.b.c", AUTH_BEARER, "a.b.c");
	T("Bearer az09-._~+/==", AUTH_BEARER, "az09-._~+/==");
	T("Negotiate aGVsbG8=", AUTH_NEGOTIATE, "hello");
	T("NEGOTIATE aGVsbG8=", AUTH_NEGOTIATE, "hello");
	T("Negotiate aGVsbG8hIGhlbGxv", AUTH_NEGOTIATE, "hello! hello");
#undef T
}

static void test_none(void **state)
{
	enum auth_kind kind;
	char out[ROOM + 1];

#define T(header, expect) assert_int_equal(read(header, &kind, out), expect)
	T(NULL, -ENOENT);
	T("", -ENOENT);
	T("Basic YW5uYTp4", -ENOENT);
	T("Bearerx a", -ENOENT);
	T("Negotiat aGVsbG8=", -ENOENT);
	T("Bearer", -EBADMSG);
	T("Bearer ", -EBADMSG);
	T("Bearer =", -EBADMSG);
	T("Bearer a b", -EBADMSG);
	T("Bearer a=b", -EBADMSG);
	T("Bearer \"a\"", -EBADMSG);
	T("Bearer a,b", -EBADMSG);
	T("Bearer \xc3\xa4", -EBADMSG);
	T("Bearer 0123456789abc", -EMSGSIZE);
	T("Negotiate", -EBADMSG);
	T("Negotiate aGVsbG8", -EBADMSG); // not canonical
	T("Negotiate aGVs bG8=", -EBADMSG);
	T("Negotiate -_-_", -EBADMSG);
	T("Negotiate aGVsbG8hIGhlbGxvIQ==", -EMSGSIZE);         // one byte more than there is room
	T("Negotiate aGVsbG8hIGhlbGxvISEhISEhISEh", -EMSGSIZE); // and many more
#undef T
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tokens), cmocka_unit_test(test_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
