// Which ClientHello is which handshake. Times are in seconds: hz is 1.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/handshake.h"
#include "eal.h"

static struct tables t;
static struct handshakes h, other;
static bool yields;

static bool ask(void *who, uint32_t owner, const struct path *p)
{
	if (yields)
		handshake_lose_path(owner == 1 ? &h : &other, p);
	return yields;
}

static const struct path_book book = { .tables = &t, .hz = 1, .yields = ask };

static struct path at(uint16_t port)
{
	struct path p = { .key = { .family = 4, .peer_udp = port, .our_udp = 443, .peer_ip = { 192, 0, 2, 1 } } };

	return p;
}

static struct handshake *hello_of(struct handshakes *hs, uint32_t tunnel, uint16_t port, uint8_t random, uint64_t now)
{
	uint8_t bytes[HELLO_RANDOM];
	struct path p = at(port);

	memset(bytes, random, sizeof(bytes));
	return handshake_hello(&book, hs, tunnel, &p, bytes, now);
}

// The number that a ClientHello of tunnel 1 gets, 0 for none.
static uint32_t hello(uint16_t port, uint8_t random, uint64_t now)
{
	struct handshake *s = hello_of(&h, 1, port, random, now);

	return s ? s->number : 0;
}

static uint32_t record(uint16_t port)
{
	struct path p = at(port);
	struct handshake *s = handshake_of_path(&h, &p);

	return s ? s->number : 0;
}

static int owner(uint16_t port)
{
	struct path p = at(port);
	uint32_t tunnel;

	return tables_find(&t.by_path, &p.key, &tunnel) ? (int)tunnel : -1;
}

static void keyed(uint32_t number)
{
	handshake_keyed(&book, &h, 1, handshake_find(&h, number), AEAD_AES_256_GCM);
}

static int fresh(void **state)
{
	yields = false;
	handshake_forget(&book, &h, 1);
	handshake_forget(&book, &other, 2);
	limbo_reap(&t, 1000);
	memset(&h, 0, sizeof(h));
	memset(&other, 0, sizeof(other));
	return 0;
}

static void numbers_attempts(void **state)
{
	assert_int_equal(hello(100, 'a', 0), 1);
	assert_int_equal(hello(100, 'a', 0), 1); // with its cookie, or repeated
	assert_int_equal(hello(100, 'b', 0), 2); // a new attempt
	assert_int_equal(record(100), 2);        // whose records these are
	assert_int_equal(record(101), 0);
	assert_int_equal(owner(100), 1);
	assert_int_equal(owner(101), -1);
}

static void spares_the_honest_one(void **state)
{
	assert_int_equal(hello(100, 'a', 10), 1);
	assert_int_equal(hello(666, 'a', 10), 2); // replayed from elsewhere
	assert_int_equal(hello(667, 'a', 10), 0); // no third in the same second
	assert_int_equal(owner(667), -1);
	assert_int_equal(record(100), 1);
	assert_int_equal(hello(667, 'x', 11), 3); // the oldest goes after its second
	assert_int_equal(record(100), 0);
	assert_int_equal(owner(100), -1);
}

static void spares_one_that_has_keys(void **state)
{
	assert_int_equal(hello(100, 'a', 10), 1);
	keyed(1);
	assert_int_equal(hello(666, 'x', 11), 2);
	assert_int_equal(hello(667, 'y', 12), 3); // in place of the other stranger
	assert_int_equal(record(100), 1);
	assert_int_equal(record(666), 0);
	assert_int_equal(hello(668, 'z', 13), 4);
	assert_int_equal(record(100), 1);
	assert_int_equal(hello(669, 'w', 13), 0);
}

static void confirms(void **state)
{
	assert_int_equal(hello(100, 'a', 0), 1);
	keyed(1);
	assert_true(handshake_confirmed(&book, &h, 1, 1));
	assert_int_equal(h.confirmed, 1);
	assert_int_equal(h.cipher, AEAD_AES_256_GCM);
	assert_int_equal(record(100), 0); // nothing is left to shake
	assert_int_equal(owner(100), 1);  // but data comes from there
	assert_false(handshake_confirmed(&book, &h, 1, 1));
	assert_int_equal(hello(100, 'a', 5), 0); // a replay of what has been
	assert_int_equal(hello(666, 'a', 5), 0);
}

static void moves_to_the_second(void **state)
{
	assert_int_equal(hello(100, 'a', 0), 1);
	keyed(1);
	handshake_confirmed(&book, &h, 1, 1);
	assert_int_equal(hello(200, 'b', 20), 2);
	assert_int_equal(owner(100), 1);
	keyed(2);
	assert_true(handshake_confirmed(&book, &h, 1, 2));
	assert_int_equal(owner(100), 1); // there something may be on its way
	assert_int_equal(owner(200), 1);
	handshake_leave(&book, &h, 1);
	assert_int_equal(owner(100), -1);
	assert_int_equal(owner(200), 1);
	assert_int_equal(hello(200, 'c', 40), 3); // on the same path
	keyed(3);
	assert_true(handshake_confirmed(&book, &h, 1, 3));
	handshake_leave(&book, &h, 1);
	assert_int_equal(owner(200), 1);
}

// The path of the keys before, between 100 and 200.
static void moved(void)
{
	assert_int_equal(hello(100, 'a', 0), 1);
	keyed(1);
	handshake_confirmed(&book, &h, 1, 1);
	assert_int_equal(hello(200, 'b', 20), 2);
	keyed(2);
	handshake_confirmed(&book, &h, 1, 2);
}

static void leaves_a_path(void **state)
{
	struct path left = at(100), now = at(200);

	moved();
	assert_true(handshake_has_left(&h, &left));
	assert_false(handshake_has_left(&h, &now));
	assert_int_equal(hello(300, 'c', 40), 3); // only one is remembered
	keyed(3);
	handshake_confirmed(&book, &h, 1, 3);
	assert_int_equal(owner(100), -1);
	assert_int_equal(owner(200), 1);
	assert_int_equal(hello(200, 'd', 60), 4); // it is in use again
	assert_false(handshake_has_left(&h, &now));
	handshake_leave(&book, &h, 1);
	assert_int_equal(owner(200), 1);
	handshake_forget(&book, &h, 1);
	assert_int_equal(owner(200), -1);
	assert_int_equal(owner(300), -1);
}

static void gives_away_a_path_it_left(void **state)
{
	moved();
	yields = true;
	assert_int_equal(hello_of(&other, 2, 100, 'o', 20)->number, 1);
	assert_int_equal(owner(100), 2);
	handshake_leave(&book, &h, 1);
	handshake_forget(&book, &h, 1);
	assert_int_equal(owner(100), 2);
}

static void keeps_one_set_of_keys_waiting(void **state)
{
	assert_int_equal(hello(100, 'a', 0), 1);
	keyed(1);
	assert_int_equal(hello(200, 'b', 0), 2);
	keyed(2);
	assert_null(handshake_find(&h, 1)); // its keys are out of use
	assert_int_equal(owner(100), -1);
	assert_non_null(handshake_find(&h, 2));
}

static void asks_who_has_the_path(void **state)
{
	assert_int_equal(hello_of(&other, 2, 100, 'o', 0)->number, 1);
	assert_int_equal(hello(100, 'a', 0), 0);
	assert_int_equal(owner(100), 2);
	yields = true;
	assert_int_equal(hello(100, 'a', 0), 1);
	assert_int_equal(owner(100), 1);
	assert_null(handshake_find(&other, 1));
	handshake_forget(&book, &other, 2); // takes nothing that is not its own
	assert_int_equal(owner(100), 1);
}

static void forgets_after_a_minute(void **state)
{
	assert_int_equal(hello(100, 'a', 0), 1);
	handshake_sweep(&book, &h, 1, 59);
	assert_int_equal(record(100), 1);
	handshake_sweep(&book, &h, 1, 60);
	assert_int_equal(record(100), 0);
	assert_int_equal(owner(100), -1);
}

static void reads_the_random(void **state)
{
	uint8_t datagram[59] = { 0 };

	assert_ptr_equal(hello_random(datagram, 59), datagram + 27);
	assert_null(hello_random(datagram, 58));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_attempts, fresh),
		cmocka_unit_test_setup(spares_the_honest_one, fresh),
		cmocka_unit_test_setup(spares_one_that_has_keys, fresh),
		cmocka_unit_test_setup(confirms, fresh),
		cmocka_unit_test_setup(moves_to_the_second, fresh),
		cmocka_unit_test_setup(leaves_a_path, fresh),
		cmocka_unit_test_setup(gives_away_a_path_it_left, fresh),
		cmocka_unit_test_setup(keeps_one_set_of_keys_waiting, fresh),
		cmocka_unit_test_setup(asks_who_has_the_path, fresh),
		cmocka_unit_test_setup(forgets_after_a_minute, fresh),
		cmocka_unit_test(reads_the_random),
	};

	eal_for_test();
	if (tables_init(&t, 16, 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
