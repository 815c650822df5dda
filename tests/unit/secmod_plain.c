// auth = plain in the real penstock-secmod: passwords and one-time passwords, and that no answer tells one user from another,
// neither by what it says nor by what it costs. Hashes are counted, not timed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <crypt.h>
#include <errno.h>
#include <liboath/oath.h>
#include <sys/stat.h>

#include "secmod_rig_worker.h"

#define HEX "3132333435363738393031323334353637383930" // RFC 4226, appendix D: 755224, 287082, 359152, 969429 ...
#define ASKED MSG_AUTH_ASK
#define DONE MSG_AUTH_DONE
#define FAILED MSG_AUTH_FAILED

static char dir[] = "/tmp/secmod_plain.XXXXXX";
static char passwd_path[64], otp_path[64], count_path[64], key_path[64], cert_path[64];
static struct rig rig;
static struct rig_worker worker;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

// Cheap hashes of the same kind: what is counted is how many.
static void write_users(void)
{
	char text[512];
	struct crypt_data data = { 0 };
	const char *hash = crypt_r("right", "$5$rounds=1000$abcdefgh$", &data);

	snprintf(text, sizeof(text), "anna:staff,vpn:%s\nbert:*:%s\ncarl:staff:!%s\nodd:*:$nonsense$x\n", hash, hash, hash);
	put(passwd_path, text);
	put(otp_path, "HOTP anna - " HEX "\nHOTP bert - " HEX "\nHOTP carl - " HEX "\nHOTP/T30 dora - " HEX "\n");
}

static void start_with(bool password, bool code, const char *const more[3])
{
	char auth[256];
	const char *pairs[] = { "@log-level",  "2",       "auth-timeout", "30", "max-clients", "1000",  "server-key", key_path,
		                "server-cert", cert_path, "auth",         auth, more[0],       more[1], NULL };

	snprintf(auth, sizeof(auth), "plain[%s%s%s%s%s]", password ? "passwd=" : "", password ? passwd_path : "",
	         password && code ? "," : "", code ? "otp=" : "", code ? otp_path : "");
	write_users();
	put(count_path, "");
	rig_start(&rig, pairs);
	assert_int_equal(rig.in.last[MSG_SECMOD_READY].secmod_ready.ok, 1);
}

static void start(bool password, bool code)
{
	static const char *const nothing[3];

	start_with(password, code, nothing);
}

static void stop(void)
{
	rig_disconnect(&worker);
	assert_int_equal(rig_stop(&rig), 0);
}

static unsigned hashes(void)
{
	struct stat st;

	assert_int_equal(stat(count_path, &st), 0);
	return (unsigned)st.st_size;
}

// A login on a connection of its own: the last message that it came to.
static int login(const char *user, const char *group, const char *first, const char *second)
{
	int ret;

	rig_disconnect(&worker);
	rig_connect_signed(&rig, &worker);
	ret = rig_login(&worker, user, group, first);
	if (ret != ASKED || second == NULL)
		return ret;
	rig_auth_cont(&worker, second);
	return rig_next(&worker);
}

static void is(const char *user, const char *group, const char *first, const char *second, int expected)
{
	assert_int_equal(login(user, group, first, second), expected);
}

// ----------------------------------------------------------------------------------------------------- one-time passwords

static void password_then_code(void **state)
{
	const struct msg_auth_ask *ask = &worker.in.last[ASKED].auth_ask;

	start(true, true);
	is("anna", "", "right", NULL, ASKED);
	assert_string_equal(ask->prompt, "One-time password:");
	assert_int_equal(ask->echo, 0);
	assert_int_equal(ask->round, 1);
	is("anna", "", "right", "755224", DONE);
	assert_string_equal(worker.in.last[DONE].auth_done.group, "staff");
	is("anna", "", "right", "755224", FAILED); // used up
	is("anna", "vpn", "right", "287082", DONE);
	assert_string_equal(worker.in.last[DONE].auth_done.group, "vpn");
	is("anna", "other", "right", NULL, FAILED);
	is("anna", "", "wrong", NULL, FAILED);
	is("anna", "", "755224", NULL, FAILED);
	is("carl", "", "right", NULL, FAILED); // locked
	is("nobody", "", "right", NULL, FAILED);
	is("dora", "", "right", NULL, FAILED); // a code, but no password
	is("bert", "", "right", "287083", FAILED);
	is("bert", "", "right", "755224", DONE);
	stop();
}

// Who is locked between the two has not got in.
static void locked_in_the_middle(void **state)
{
	start(true, true);
	is("anna", "", "right", NULL, ASKED);
	put(passwd_path, "anna:*:!x\n");
	rig_auth_cont(&worker, "755224");
	assert_int_equal(rig_next(&worker), FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	stop();
}

static void code_alone(void **state)
{
	start(false, true);
	is("anna", "", "755224", NULL, DONE);
	assert_string_equal(worker.in.last[DONE].auth_done.group, "");
	is("anna", "", "755224", NULL, FAILED);
	is("anna", "", "right", NULL, FAILED);
	is("anna", "staff", "287082", NULL, FAILED); // nobody knows who is in a group
	is("nobody", "", "755224", NULL, FAILED);
	is("bert", "", "755224", NULL, DONE);
	stop();
}

// A code is a guess like a password: three a connection.
static void three_tries(void **state)
{
	start(true, true);
	rig_disconnect(&worker);
	rig_connect_signed(&rig, &worker);
	for (int left = 2; left >= 0; left--) {
		assert_int_equal(rig_login(&worker, "anna", "", "right"), ASKED);
		rig_auth_cont(&worker, "000000");
		assert_int_equal(rig_next(&worker), FAILED);
		assert_int_equal(worker.in.last[FAILED].auth_failed.tries_left, left);
	}
	rig_auth_init(&worker, "anna", "");
	assert_true(rig_is_dropped(&worker));
	stop();
}

static void a_file_that_is_gone(void **state)
{
	start(true, true);
	is("anna", "", "right", NULL, ASKED);
	unlink(otp_path);
	rig_auth_cont(&worker, "755224");
	assert_int_equal(rig_next(&worker), FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	stop();
}

// ---------------------------------------------------------------------------------------------------------------- groups

static void lists(const char *key, const char *value, const char *expected)
{
	const char *const more[] = { key, value, NULL };
	struct msg_groups_ask ask = { .kind = AUTH_PASSWORD };

	start_with(true, false, more);
	rig_connect_signed(&rig, &worker);
	assert_int_equal(CHAN_SEND(&worker.chan, GROUPS_ASK, &ask), 0);
	assert_int_equal(rig_worker_await(&worker, MSG_GROUPS_LIST), 0);
	assert_string_equal(worker.in.last[MSG_GROUPS_LIST].groups_list.names, expected);
	assert_int_equal(rig_login(&worker, "anna", "vpn", "right"), DONE);
	assert_string_equal(worker.in.last[DONE].auth_done.group, "vpn");
	stop();
}

static void groups_of_the_file(void **state)
{
	lists("auto-select-group", "1", "staff,vpn");
	lists("auto-select-group", "0", ""); // a worker that asks all the same
}

// --------------------------------------------------------------------------------------------------------- the same for all

#define TRIES 10

// All of a login that a client can see but its time, and what makes up most of that.
static void same(bool password, bool code, const char *const (*who)[3], size_t n)
{
	struct rig_inbox seen;
	unsigned before;

	start(password, code);
	for (size_t i = 0; i < n; i++) {
		for (int t = 0; t < TRIES; t++) {
			before = hashes();
			is(who[i][0], who[i][1], who[i][2], NULL, FAILED);
			assert_int_equal(hashes() - before, 1);
			if (i == 0 && t == 0)
				seen = worker.in;
			assert_int_equal(worker.in.count[ASKED], 1);
			assert_memory_equal(&worker.in.last[ASKED].auth_ask, &seen.last[ASKED].auth_ask,
			                    sizeof(struct msg_auth_ask));
			assert_memory_equal(&worker.in.last[FAILED].auth_failed, &seen.last[FAILED].auth_failed,
			                    sizeof(struct msg_auth_failed));
			assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
		}
	}
	stop();
}

static void users_look_alike(void **state)
{
	static const char *const passwords[][3] = {
		{ "anna", "", "wrong" }, { "nobody", "", "right" },   { "carl", "", "right" },
		{ "carl", "", "wrong" }, { "anna", "none", "right" }, { "odd", "", "right" },
	};
	static const char *const codes[][3] = {
		{ "anna", "", "000000" },     { "dora", "", "000000" }, { "nobody", "", "000000" },
		{ "anna", "none", "755224" }, { "anna", "", "755224" }, { "anna", "", "word" },
	};

	same(true, false, passwords, 6);
	same(true, true, passwords, 6);
	same(false, true, codes, 6);
}

// A right code costs what a wrong one does, and so does a right password.
static void right_ones_cost_the_same(void **state)
{
	start(true, true);
	is("anna", "", "right", "755224", DONE);
	assert_int_equal(hashes(), 2);
	is("bert", "", "right", "000000", FAILED);
	assert_int_equal(hashes(), 4);
	stop();
}

static int set_up(void **state)
{
	EVP_PKEY *key = pki_key("p256");
	X509 *cert = pki_cert(key);
	char preload[512], options[512];

	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(passwd_path, sizeof(passwd_path), "%s/passwd", dir);
	snprintf(otp_path, sizeof(otp_path), "%s/otp", dir);
	snprintf(count_path, sizeof(count_path), "%s/count", dir);
	snprintf(key_path, sizeof(key_path), "%s/key", dir);
	snprintf(cert_path, sizeof(cert_path), "%s/cert", dir);
	pki_write_key(key_path, key, NULL);
	pki_write_cert(cert_path, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	snprintf(preload, sizeof(preload), "%s/unit/crypt_count.so", rig_build());
	setenv("CRYPT_COUNT", count_path, 1);
	if (getenv("ASAN_OPTIONS") != NULL) { // a sanitizer wants to be first
		snprintf(options, sizeof(options), "%s:verify_asan_link_order=0", getenv("ASAN_OPTIONS"));
		setenv("ASAN_OPTIONS", options, 1);
	}
	setenv("LD_PRELOAD", preload, 1); // for the program, not for this one
	worker.chan.fd = -1;
	return 0;
}

static int clean_up(void **state)
{
	char command[64];

	unsetenv("LD_PRELOAD");
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(password_then_code),  cmocka_unit_test(locked_in_the_middle),
		cmocka_unit_test(code_alone),          cmocka_unit_test(three_tries),
		cmocka_unit_test(a_file_that_is_gone), cmocka_unit_test(groups_of_the_file),
		cmocka_unit_test(users_look_alike),    cmocka_unit_test(right_ones_cost_the_same),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
