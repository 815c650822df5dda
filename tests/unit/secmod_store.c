// Session records on their way through a file: all of it, torn in every place, forged, revoked, shared, and written anew.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/states.h"
#include "secmod/grants.h"
#include "secmod/store.h"
#include "secmod/stored.h"

#define TIMEOUT 300000
#define WALL 1700000000

static char dir[] = "/tmp/penstock-store-XXXXXX", path[64];
static const struct addr here = { 4, 32, 0, { 192, 0, 2, 1 } }, inner = { 4, 32, 0, { 10, 99, 0, 7 } };

// A life of sec-mod: its cookies, and the file.
struct life {
	struct cookies *c;
	struct store *store;
	int64_t now;
	uint64_t wall;
	char text[LIMIT_TEXT + 1];
};

static void on_gone(void *who, const struct record *r, uint8_t reason)
{
	store_drop(((struct life *)who)->store, r->sid);
}

static void on_changed(void *who, const struct record *r)
{
	struct life *l = who;

	store_put(l->store, r, l->now, l->wall);
}

static uint8_t boot[SID_SIZE] = { 1 };

static void begin(struct life *l, int64_t now, uint64_t wall)
{
	*l = (struct life){ .now = now, .wall = wall };
	l->c = cookies_new(100000, on_gone, on_changed, l);
	l->store = store_open(path, l->c, boot, now, wall, l->text);
}

// As SIGKILL ends it: nothing is said any more.
static void end(struct life *l)
{
	cookies_free(l->c);
	store_close(l->store);
}

static void issue(struct life *l, const char *user, uint8_t cookie[COOKIE_SIZE])
{
	struct record who = { .client = here, .timeout_ms = TIMEOUT, .vhost = "a.example", .acct_id = "0123456789abcdef" };

	strcpy(who.user, user);
	assert_int_equal(grants_add(&who.grants, "route", "10.0.0.0/8"), 0);
	assert_int_equal(grants_add(&who.grants, "dns", "192.0.2.53"), 0);
	assert_int_equal(cookies_issue(l->c, &who, l->now, l->wall, cookie), 0);
}

static size_t file_size(void)
{
	struct stat st;

	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

// The machine runs on, and somebody sets its clock, before anything is written anew or after.
static void nobody_lives_longer_or_shorter_by_the_wall_clock(void **state)
{
	static const struct {
		int64_t before, after,
		        left; // seconds that the clock was set by while the first lives, and after it; then ann has left
		bool same_boot;
	} facts[] = {
		{ 0, 0, TIMEOUT - 100000, true },
		{ 0, 3600, TIMEOUT - 100000, true },
		{ 0, -3600, TIMEOUT - 100000, true },
		{ 0, 315360000, TIMEOUT - 100000, true },
		{ 0, -315360000, TIMEOUT - 100000, true },
		{ 315360000, 0, TIMEOUT - 100000, true },
		{ 315360000, -315360000, TIMEOUT - 100000, true },
		{ -315360000, 315360000, TIMEOUT - 100000, true },
		{ 0, 3600, 0, false }, // nobody can say that no hour has passed
		{ 0, -3600, TIMEOUT, false },
		{ 315360000, 0, TIMEOUT - 100000, false }, // what was written last says which clock it was
	};
	const struct record lease = { .ipv4 = inner, .connected = 5, .session_timeout = 3600 };
	uint8_t joe[COOKIE_SIZE], ann[COOKIE_SIZE], sid[SID_SIZE];
	const struct record *r;
	struct life l;

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		unlink(path);
		boot[0]++;
		begin(&l, 10000, WALL);
		issue(&l, "joe", joe);
		SHA256(joe, COOKIE_SIZE, sid);
		cookies_open(l.c, joe, &here, l.now);
		l.wall += (uint64_t)facts[i].before;
		cookies_lease(l.c, sid, &lease);
		issue(&l, "ann", ann);
		end(&l);

		boot[0] += !facts[i].same_boot;
		begin(&l, 110000, l.wall + 100 + (uint64_t)facts[i].after);
		assert_int_equal(cookies_count(l.c), 2);
		r = cookies_find(l.c, sid);
		if (facts[i].same_boot)
			assert_in_range(r->connected, 4, 6);
		SHA256(ann, COOKIE_SIZE, sid);
		r = cookies_find(l.c, sid);
		assert_in_range(r->deadline, l.now + facts[i].left - (facts[i].left ? 2000 : 0), l.now + facts[i].left + 2000);
		end(&l);
	}
	unlink(path);
}

// A kernel that does not say which boot it is: then by the wall clock, as ever.
static void without_a_boot_the_wall_clock_counts(void **state)
{
	const uint8_t was = boot[0];
	uint8_t ann[COOKIE_SIZE];
	struct life l;

	unlink(path);
	boot[0] = 0;
	begin(&l, 10000, WALL);
	issue(&l, "ann", ann);
	end(&l);
	begin(&l, 20000, WALL + 100);
	assert_int_equal(cookies_expire(l.c, l.now), TIMEOUT - 100000);
	end(&l);
	unlink(path);
	boot[0] = was;
}

static void this_boot_has_a_name(void **state)
{
	static const uint8_t none[SID_SIZE];
	uint8_t a[SID_SIZE], b[SID_SIZE];

	store_boot(a);
	store_boot(b);
	assert_memory_equal(a, b, SID_SIZE);
	assert_memory_not_equal(a, none, SID_SIZE);
}

static void all_of_it_comes_back(void **state)
{
	uint8_t joe[COOKIE_SIZE], ann[COOKIE_SIZE], sid[SID_SIZE];
	const struct record *r, lease = { .ipv4 = inner, .connected = 1, .session_timeout = 3600 };
	const char *key, *value;
	struct life l;
	struct stat st;

	begin(&l, 1000, WALL);
	assert_non_null(l.store);
	assert_string_equal(l.text, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	issue(&l, "joe", joe);
	issue(&l, "ann", ann);
	SHA256(joe, COOKIE_SIZE, sid);
	cookies_open(l.c, joe, &here, l.now);
	cookies_lease(l.c, sid, &lease);
	end(&l);

	boot[0]++;
	begin(&l, 77, WALL + 100); // another clock, as after a restart of the machine
	assert_int_equal(cookies_count(l.c), 2);
	assert_int_equal(cookies_expire(l.c, l.now), TIMEOUT - 100000); // ann's; joe was connected, his begins now
	r = cookies_open(l.c, joe, &here, l.now + TIMEOUT - 1);
	assert_non_null(r);
	assert_string_equal(r->user, "joe");
	assert_string_equal(r->vhost, "a.example");
	assert_string_equal(r->acct_id, "0123456789abcdef");
	assert_true(addr_equal(&r->ipv4, &inner));
	assert_int_equal(r->connected, -100);
	assert_int_equal(r->session_timeout, 3600);
	assert_int_equal(r->created, WALL);
	assert_int_equal(grants_count(r->grants), 2);
	assert_true(grants_nth(r->grants, 1, &key, &value));
	assert_string_equal(key, "dns");
	assert_string_equal(value, "192.0.2.53");
	end(&l);

	boot[0]++;
	begin(&l, 0, WALL + 1000); // ann's time is over
	assert_null(cookies_open(l.c, ann, &here, l.now));
	end(&l);
	boot[0]++;
	begin(&l, 0, 100); // a clock that was set back makes nothing live longer
	assert_in_range(cookies_expire(l.c, 0), 0, TIMEOUT);
	end(&l);
}

static void what_was_revoked_stays_so(void **state)
{
	uint8_t joe[COOKIE_SIZE], ann[COOKIE_SIZE], bob[COOKIE_SIZE], sid[SID_SIZE];
	struct life l;

	unlink(path);
	begin(&l, 0, WALL);
	issue(&l, "joe", joe);
	issue(&l, "ann", ann);
	issue(&l, "bob", bob);
	cookies_revoke_user(l.c, "joe", END_TERMINATED);
	SHA256(bob, COOKIE_SIZE, sid);
	cookies_open(l.c, bob, &here, 0);
	cookies_close(l.c, sid, true, END_BY_USER, 0);
	end(&l);
	for (int i = 0; i < 2; i++) {
		begin(&l, 0, WALL);
		assert_int_equal(cookies_count(l.c), 1);
		assert_null(cookies_open(l.c, joe, &here, 1));
		assert_null(cookies_open(l.c, bob, &here, 1));
		assert_non_null(cookies_open(l.c, ann, &here, 1));
		end(&l);
	}
}

static void no_cookie_is_in_the_file(void **state)
{
	static uint8_t bytes[4096];
	uint8_t joe[COOKIE_SIZE];
	struct life l;
	ssize_t n;
	int fd;

	unlink(path);
	begin(&l, 0, WALL);
	issue(&l, "joe", joe);
	end(&l);
	fd = open(path, O_RDONLY);
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(n > COOKIE_SIZE);
	assert_null(memmem(bytes, (size_t)n, joe, COOKIE_SIZE));
	assert_non_null(memmem(bytes, (size_t)n, "joe", 3));
}

static void torn_or_forged(void **state)
{
	static uint8_t bytes[4096];
	uint8_t cookie[COOKIE_SIZE];
	size_t one, len;
	struct life l;
	int fd;

	unlink(path);
	begin(&l, 0, WALL);
	issue(&l, "joe", cookie);
	one = file_size();
	issue(&l, "ann", cookie);
	end(&l);
	len = file_size();
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), len);
	close(fd);

	for (size_t cut = 0; cut <= len; cut++) { // wherever it was torn: whole records stay
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, bytes, cut), cut);
		close(fd);
		begin(&l, 0, WALL);
		assert_non_null(l.store);
		assert_int_equal(cookies_count(l.c), cut == len ? 2 : cut >= one ? 1 : 0);
		assert_string_equal(l.text, "");
		end(&l);
	}
	for (size_t at = 0; at < len; at++) { // whichever byte is another: nothing of it is believed, or it looks torn
		bytes[at] ^= 1;
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, bytes, len), len);
		close(fd);
		begin(&l, 0, WALL);
		assert_non_null(l.store);
		assert_in_range(cookies_count(l.c), 0, 1);
		end(&l);
		bytes[at] ^= 1;
	}
}

static void whose_file_it_is(void **state)
{
	struct life l, other;

	unlink(path);
	begin(&l, 0, WALL);
	begin(&other, 0, WALL);
	assert_non_null(l.store);
	assert_null(other.store); // one gateway's
	assert_non_null(strstr(other.text, "another gateway"));
	end(&other);
	end(&l);

	assert_int_equal(chmod(path, 0640), 0); // who could have written it?
	begin(&l, 0, WALL);
	assert_null(l.store);
	end(&l);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	begin(&l, 0, WALL);
	assert_null(l.store);
	end(&l);
	unlink(path);
	snprintf(path, sizeof(path), "%s/nowhere/sessions", dir);
	begin(&l, 0, WALL);
	assert_null(l.store);
	assert_non_null(strstr(l.text, "No such file"));
	end(&l);
	snprintf(path, sizeof(path), "%s/sessions", dir);
}

static void it_does_not_grow_for_ever(void **state)
{
	uint8_t cookie[100][COOKIE_SIZE], other[COOKIE_SIZE];
	struct life l;

	unlink(path);
	begin(&l, 0, WALL);
	for (int i = 0; i < 100; i++)
		issue(&l, "joe", cookie[i]);
	for (int i = 0; i < 20000; i++) {
		issue(&l, "ann", other);
		cookies_revoke_user(l.c, "ann", END_TERMINATED);
		store_tidy(l.store, l.now, l.wall);
	}
	assert_in_range(file_size(), 100 * 200, 2 << 20);
	end(&l);
	begin(&l, 0, WALL);
	assert_int_equal(cookies_count(l.c), 100);
	for (int i = 0; i < 100; i++)
		assert_non_null(cookies_open(l.c, cookie[i], &here, 1));
	end(&l);
}

static void disk_has(rlim_t bytes)
{
	const struct rlimit room = { bytes, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &room), 0);
}

// Nobody comes back who was revoked while nothing could be written; who was there before or has come since does, once it can.
static void a_disk_that_is_full_for_a_while(void **state)
{
	uint8_t joe[COOKIE_SIZE], ann[COOKIE_SIZE], sue[COOKIE_SIZE];
	struct life l;
	int64_t due;

	signal(SIGXFSZ, SIG_IGN);
	unlink(path);
	begin(&l, 0, WALL);
	issue(&l, "joe", joe);
	issue(&l, "ann", ann);
	assert_int_equal(store_due(l.store, l.now), -1);
	disk_has((rlim_t)file_size());
	issue(&l, "sue", sue);
	assert_int_equal(access(path, F_OK), -1);
	cookies_revoke_user(l.c, "joe", END_TERMINATED);
	store_tidy(l.store, l.now, l.wall);
	due = store_due(l.store, l.now);
	assert_in_range(due, 1, 60000);
	disk_has(16);
	l.now += due;
	store_tidy(l.store, l.now, l.wall);
	assert_in_range(store_due(l.store, l.now), 1, 60000);
	assert_int_equal(access(path, F_OK), -1);

	disk_has(RLIM_INFINITY);
	store_tidy(l.store, l.now, l.wall);
	assert_int_equal(access(path, F_OK), -1); // it is not tried all the time
	l.now += store_due(l.store, l.now);
	store_tidy(l.store, l.now, l.wall);
	assert_int_equal(store_due(l.store, l.now), -1);
	end(&l);
	disk_has(16); // nor at a start
	begin(&l, 0, WALL);
	assert_non_null(l.store);
	assert_non_null(strstr(l.text, "do not outlive"));
	assert_int_equal(access(path, F_OK), -1);
	assert_null(cookies_open(l.c, joe, &here, 1));
	assert_non_null(cookies_open(l.c, ann, &here, 1));
	assert_non_null(cookies_open(l.c, sue, &here, 1));
	disk_has(RLIM_INFINITY);
	end(&l);
}

static void the_largest_record(void **state)
{
	static uint8_t bytes[STORED_MAX];
	struct stored s = { .kind = STORED_RECORD }, back;
	char value[LIMIT_TEXT + 1];
	size_t len;

	memset(s.record.user, 'u', LIMIT_USER);
	memset(s.record.user_agent, 'a', LIMIT_USER_AGENT);
	s.record.client = s.record.login = here;
	memset(value, 'v', LIMIT_TEXT);
	value[LIMIT_TEXT] = '\0';
	for (int i = 0; i < LIMIT_GRANTS; i++)
		assert_int_equal(grants_add(&s.record.grants, "a-key-that-is-as-long-as-a-key-may-be-a-key-that", value), 0);
	len = stored_put(&s, bytes, sizeof(bytes));
	assert_true(len > 0);
	assert_int_equal(stored_put(&s, bytes, len - 1), 0);
	assert_int_equal(stored_put(&s, bytes, len), len);
	assert_int_equal(stored_get(bytes, len, &back), len);
	assert_int_equal(grants_count(back.record.grants), LIMIT_GRANTS);
	assert_int_equal(stored_get(bytes, len - 1, &back), 0);
	grants_free(back.record.grants);
	grants_free(s.record.grants);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_boot_has_a_name),
		cmocka_unit_test(nobody_lives_longer_or_shorter_by_the_wall_clock),
		cmocka_unit_test(without_a_boot_the_wall_clock_counts),
		cmocka_unit_test(all_of_it_comes_back),
		cmocka_unit_test(what_was_revoked_stays_so),
		cmocka_unit_test(no_cookie_is_in_the_file),
		cmocka_unit_test(torn_or_forged),
		cmocka_unit_test(whose_file_it_is),
		cmocka_unit_test(it_does_not_grow_for_ever),
		cmocka_unit_test(the_largest_record),
		cmocka_unit_test(a_disk_that_is_full_for_a_while),
	};
	int ret;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/sessions", dir);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return ret;
}
