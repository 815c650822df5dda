// PAM logins of the real penstock-secmod, with services and a module of the test's own: what a module does to its process
// ends one login and nothing else. /etc/pam.d is a tmpfs in a mount namespace that only this test sees.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

#include "secmod_rig_worker.h"

static char dir[] = "/tmp/secmod_pam.XXXXXX";
static struct rig rig;
static struct rig_worker worker;
static char key_path[64], cert_path[64], module[PATH_MAX];
static X509 *cert;

static void start(const char *service, const char *timeout)
{
	char auth[96];
	const char *pairs[] = { "@log-level",   "3",     "server-key",     key_path, "server-cert", cert_path, "auth", auth,
		                "auth-timeout", timeout, "cookie-timeout", "300",    NULL };

	snprintf(auth, sizeof(auth), "pam[service=%s]", service);
	rig_start(&rig, pairs);
	assert_int_equal(rig.in.last[MSG_SECMOD_READY].secmod_ready.ok, 1);
	rig_connect_signed(&rig, &worker);
}

static void stop(void)
{
	rig_disconnect(&worker);
	assert_int_equal(rig_stop(&rig), 0);
}

static void expect_ask(const char *prompt, int echo)
{
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	assert_string_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.prompt, prompt);
	assert_int_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.echo, echo);
}

static void expect_no_helpers(void)
{
	for (int i = 0; rig_helpers(&rig, NULL) > 0; i++) {
		assert_in_range(i, 0, 1000);
		usleep(10000);
	}
}

static void permit_and_deny(void **state)
{
	start("t-permit", "30");
	rig_auth_init(&worker, "joe", "");
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE); // it asks for nothing
	assert_string_equal(worker.in.last[MSG_AUTH_DONE].auth_done.user, "joe");
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_OK);
	assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.method, "pam");
	stop();

	start("t-deny", "30");
	for (int left = LIMIT_LOGIN_TRIES - 1; left >= 0; left--) {
		rig_auth_init(&worker, "joe", "");
		expect_ask("Password:", 0); // a refusal without a question is none
		rig_auth_cont(&worker, "x");
		assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
		assert_int_equal(worker.in.last[MSG_AUTH_FAILED].auth_failed.tries_left, left);
		assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	}
	expect_no_helpers();
	stop();
}

static void a_conversation(void **state)
{
	static const struct {
		const char *password, *code;
		int end;
	} rows[] = { { "secret", "1", MSG_AUTH_FAILED },
		     { "x", "123456", MSG_AUTH_FAILED },
		     { "secret", "123456", MSG_AUTH_DONE } };

	start("t-two", "30");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		rig_auth_init(&worker, "joe", "");
		expect_ask("Passphrase: ", 0);
		assert_int_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.round, 0);
		rig_auth_cont(&worker, rows[i].password);
		expect_ask("A code was sent. Code:", 1);
		assert_int_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.round, 1);
		rig_auth_cont(&worker, rows[i].code);
		assert_int_equal(rig_next(&worker), rows[i].end);
	}
	stop();
}

// To the worker all of these look like a wrong password; main hears that it was none.
static void modules_that_misbehave(void **state)
{
	static const char *const services[] = { "t-abort", "t-exit", "t-crash", "t-close", "t-badname", "t-nomodule" };

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		start(services[i], "30");
		rig_auth_init(&worker, "joe", "");
		assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
		rig_auth_cont(&worker, "x");
		assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
		assert_int_equal(worker.in.last[MSG_AUTH_FAILED].auth_failed.tries_left, LIMIT_LOGIN_TRIES - 1);
		assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
		expect_no_helpers();
		rig_disconnect(&worker);
		rig_connect_signed(&rig, &worker); // and sec-mod goes on
		stop();
	}
}

static void dies_before_it_asks(void **state)
{
	start("t-recurse", "30");
	rig_auth_init(&worker, "joe", "");
	expect_ask("Password:", 0);
	rig_auth_cont(&worker, "x");
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	stop();
}

static void blocks(void **state)
{
	start("t-block", "1");
	rig_auth_init(&worker, "joe", "");
	expect_ask("Password:", 0); // when its time is up
	rig_auth_cont(&worker, "x");
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	expect_no_helpers();
	stop();

	start("t-blocklater", "1");
	rig_auth_init(&worker, "joe", "");
	expect_ask("Password: ", 0);
	rig_auth_cont(&worker, "x");
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	expect_no_helpers();
	stop();
}

static void others_go_on_beside_a_blocked_one(void **state)
{
	static struct rig_worker blocked[20];

	start("t-blocklater", "5");
	for (int i = 0; i < 20; i++) {
		rig_connect_signed(&rig, &blocked[i]);
		rig_auth_init(&blocked[i], "joe", "");
		assert_int_equal(rig_next(&blocked[i]), MSG_AUTH_ASK);
		rig_auth_cont(&blocked[i], "x");
	}
	rig_auth_init(&worker, "joe", ""); // asks like the others, meanwhile
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	assert_int_equal(rig_helpers(&rig, NULL), 21);
	for (int i = 0; i < 20; i++)
		rig_disconnect(&blocked[i]);
	rig_disconnect(&worker);
	expect_no_helpers(); // the client goes, its helper goes: at once, or at the latest when its time is up
	rig_connect_signed(&rig, &worker);
	rig_auth_init(&worker, "joe", "");
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	rig_auth_cont(&worker, "x");
	stop(); // sec-mod goes, its helpers go
}

static unsigned count_sessions(void)
{
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_LIST, &(struct msg_session_list){ .token = 1 }), 0);
	assert_int_equal(rig_await(&rig, MSG_SESSION_ROWS_END), 0);
	return rig.in.last[MSG_SESSION_ROWS_END].session_rows_end.count;
}

// A right password is answered at once and a wrong one late: who hangs up in between has seen enough.
static void hanging_up_saves_no_guess(void **state)
{
	static const struct {
		const char *service;
		unsigned answers;
		int outcome;
	} rows[] = {
		{ "t-lateno", 0, AUTH_ABANDONED }, // no guess
		{ "t-lateno", 1, AUTH_BAD },
		{ "t-lateyes", 1, AUTH_ABANDONED }, // no session either
		{ "t-two", 1, AUTH_HUNG_UP },       // that there is a second question may be news enough
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		start(rows[i].service, "30");
		rig_auth_init(&worker, "joe", "");
		assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
		if (rows[i].answers)
			rig_auth_cont(&worker, "x");
		rig_disconnect(&worker);
		assert_int_equal(rig_outcome(&rig, worker.conn), rows[i].outcome);
		assert_int_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.client.ip[3], 9);
		assert_int_equal(count_sessions(), 0);
		expect_no_helpers();
		stop();
	}
}

static void hanging_up_piles_nothing_up(void **state)
{
	enum { MANY = 100, MOST = 64 };

	start("t-blocklater", "120");
	for (int i = 0; i < MANY; i++) {
		rig_auth_init(&worker, "joe", "");
		assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
		rig_auth_cont(&worker, "x");
		rig_disconnect(&worker);
		rig_connect_signed(&rig, &worker);
	}
	while (rig.in.count[MSG_AUTH_EVENT] < MANY - MOST) { // and yet no guess is lost
		assert_int_equal(rig_await(&rig, MSG_AUTH_EVENT), 0);
		assert_int_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.outcome, AUTH_HUNG_UP);
	}
	for (int i = 0; rig_helpers(&rig, NULL) > MOST; i++) { // some are not reaped yet
		assert_in_range(i, 0, 1000);
		usleep(10000);
	}
	assert_int_equal(rig_helpers(&rig, NULL), MOST);
	stop(); // sec-mod goes, they go
}

static void asks_for_ever(void **state)
{
	int asked = 0, got;

	start("t-ask", "30");
	rig_auth_init(&worker, "joe", "");
	while ((got = rig_next(&worker)) == MSG_AUTH_ASK) {
		asked++;
		rig_auth_cont(&worker, "x");
	}
	assert_int_equal(asked, LIMIT_AUTH_ROUNDS);
	assert_int_equal(got, MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	expect_no_helpers();
	stop();
}

static void names_and_groups(void **state)
{
	static const struct {
		const char *service, *user, *group, *got_user, *got_group; // got NULL: AUTH_FAILED
	} rows[] = {
		{ "t-rename", "joe", "", "mapped", "" },
		{ "t-print", "joe", "", "joe", "" }, // what a module prints goes nowhere
		{ "t-print", "root", "", "root", "root" },
		{ "t-print", "daemon", "daemon", "daemon", "daemon" },
		{ "t-print", "daemon", "root", NULL, NULL },
		{ "t-print", "nosuchuser", "root", NULL, NULL },
		{ "t-print,gid-min=1000", "root", "", "root", "" },
		{ "t-print,gid-min=1000", "root", "root", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int ret;

		start(rows[i].service, "30");
		ret = rig_login(&worker, rows[i].user, rows[i].group, "x");
		assert_int_equal(ret, rows[i].got_user != NULL ? MSG_AUTH_DONE : MSG_AUTH_FAILED);
		assert_int_equal(rig_outcome(&rig, worker.conn), rows[i].got_user != NULL ? AUTH_OK : AUTH_BAD);
		if (rows[i].got_user != NULL) {
			assert_string_equal(worker.in.last[ret].auth_done.user, rows[i].got_user);
			assert_string_equal(worker.in.last[ret].auth_done.group, rows[i].got_group);
			assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.user, rows[i].got_user);
		}
		stop();
	}
}

static void the_account_counts_too(void **state)
{
	start("t-account", "30");
	assert_int_equal(rig_login(&worker, "joe", "", "x"), MSG_AUTH_FAILED); // authenticated, but its account is closed
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	stop();
}

// Only who has proven who he is hears what is wrong with his account.
static void what_is_wrong_with_an_account(void **state)
{
	static const struct {
		const char *service, *code, *text;
	} rows[] = {
		{ "t-change", "123456", "You have to change your password. This cannot be done here." },
		{ "t-changemute", "123456", "Your password has expired, and cannot be changed here." },
		{ "t-expired", "123456", "Your account has expired." },
		{ "t-denied", "123456", "Not on Sundays." },
		{ "t-change", "1", "" },
		{ "t-expired", "1", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		start(rows[i].service, "30");
		assert_int_equal(rig_login(&worker, "joe", "", "secret"), MSG_AUTH_ASK);
		rig_auth_cont(&worker, rows[i].code);
		assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
		assert_string_equal(worker.in.last[MSG_AUTH_FAILED].auth_failed.text, rows[i].text);
		assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
		stop();
	}
}

static void lists_groups(const char *auth, bool expected)
{
	const char *const pairs[] = { "@log-level", "3",  "server-key",        key_path, "server-cert", cert_path,
		                      "auth",       auth, "auto-select-group", "1",      NULL };
	struct msg_groups_ask ask = { .kind = AUTH_PASSWORD };
	char names[LIMIT_GROUP_LIST + 3];

	rig_start(&rig, pairs);
	rig_connect_signed(&rig, &worker);
	assert_int_equal(CHAN_SEND(&worker.chan, GROUPS_ASK, &ask), 0);
	assert_int_equal(rig_worker_await(&worker, MSG_GROUPS_LIST), 0);
	snprintf(names, sizeof(names), ",%s,", worker.in.last[MSG_GROUPS_LIST].groups_list.names);
	assert_int_equal(strstr(names, ",daemon,") != NULL, expected); // gid 1
	stop();
}

static void the_systems_groups(void **state)
{
	lists_groups("pam", true);
	lists_groups("pam[gid-min=1]", true);
	lists_groups("pam[gid-min=2]", false);
}

// More logins than there are helpers: the rest wait for their turn, and who does not answer gives up a place.
static void more_than_there_is_room_for(void **state)
{
	enum { MANY = 300, MOST = 256 };
	struct rig_worker *w = calloc(MANY, sizeof(*w));
	int asked = 0;

	assert_non_null(w);
	start("t-print", "120");
	for (int i = 0; i < MANY; i++) {
		rig_connect_signed(&rig, &w[i]);
		rig_auth_init(&w[i], "joe", "");
		if (i < MOST)
			assert_int_equal(rig_next(&w[i]), MSG_AUTH_ASK);
	}
	assert_int_equal(rig_helpers(&rig, NULL), MOST);
	for (int i = 0; i < MOST; i++) {
		rig_auth_cont(&w[i], "x");
		assert_int_equal(rig_next(&w[i]), MSG_AUTH_DONE);
	}
	for (int i = MOST; i < MANY; i++) {
		asked += rig_next(&w[i]) == MSG_AUTH_ASK;
		rig_auth_cont(&w[i], "x");
		assert_int_equal(rig_next(&w[i]), MSG_AUTH_DONE);
	}
	assert_int_equal(asked, MANY - MOST);
	for (int i = 0; i < MANY; i++)
		rig_disconnect(&w[i]);
	expect_no_helpers();
	stop();
	free(w);
}

// ----------------------------------------------------------------------------------------------------------------- main

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	PKI_NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

// Root inside, whoever we are outside.
static void own_namespace(void)
{
	char map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();

	PKI_NEED(unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) == 0);
	if (uid != 0) {
		write_text("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", uid);
		write_text("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		write_text("/proc/self/gid_map", map);
	}
	PKI_NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	PKI_NEED(mount("tmpfs", "/etc/pam.d", "tmpfs", 0, NULL) == 0);
}

static void write_service(const char *name, const char *auth, const char *account)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/etc/pam.d/%s", name);
	f = fopen(path, "w");
	PKI_NEED(f != NULL);
	fprintf(f, "auth required %s\naccount required %s\n", auth, account);
	fclose(f);
}

static int set_up(void **state)
{
	static const char *const behaviours[] = { "two",     "ask",  "block", "recurse", "blocklater", "abort",   "lateno",
		                                  "lateyes", "exit", "crash", "close",   "rename",     "badname", "print" };
	static const char *const accounts[] = { "change", "changemute", "expired", "denied" };
	char line[PATH_MAX + 32], name[64];
	EVP_PKEY *key = pki_key("p256");

	snprintf(line, sizeof(line), "%s/unit/pam_evil.so", rig_build());
	PKI_NEED(realpath(line, module) != NULL && mkdtemp(dir) != NULL);
	cert = pki_cert(key);
	snprintf(key_path, sizeof(key_path), "%s/key", dir);
	snprintf(cert_path, sizeof(cert_path), "%s/crt", dir);
	pki_write_key(key_path, key, NULL);
	pki_write_cert(cert_path, cert);
	EVP_PKEY_free(key);
	own_namespace();
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(*behaviours); i++) {
		snprintf(line, sizeof(line), "%s %s", module, behaviours[i]);
		snprintf(name, sizeof(name), "t-%s", behaviours[i]);
		write_service(name, line, "pam_permit.so");
	}
	write_service("t-permit", "pam_permit.so", "pam_permit.so");
	write_service("t-deny", "pam_deny.so", "pam_permit.so");
	write_service("t-nomodule", "pam_that_is_not_there.so", "pam_permit.so");
	snprintf(line, sizeof(line), "%s print", module);
	write_service("t-account", line, "pam_deny.so");
	snprintf(line, sizeof(line), "%s two", module);
	for (size_t i = 0; i < sizeof(accounts) / sizeof(*accounts); i++) {
		char account[PATH_MAX + 32];

		snprintf(account, sizeof(account), "%s %s", module, accounts[i]);
		snprintf(name, sizeof(name), "t-%s", accounts[i]);
		write_service(name, line, account);
	}
	return 0;
}

static int clean_up(void **state)
{
	char command[64];

	X509_free(cert);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permit_and_deny),
		cmocka_unit_test(a_conversation),
		cmocka_unit_test(modules_that_misbehave),
		cmocka_unit_test(dies_before_it_asks),
		cmocka_unit_test(blocks),
		cmocka_unit_test(others_go_on_beside_a_blocked_one),
		cmocka_unit_test(hanging_up_saves_no_guess),
		cmocka_unit_test(hanging_up_piles_nothing_up),
		cmocka_unit_test(asks_for_ever),
		cmocka_unit_test(names_and_groups),
		cmocka_unit_test(the_account_counts_too),
		cmocka_unit_test(what_is_wrong_with_an_account),
		cmocka_unit_test(the_systems_groups),
		cmocka_unit_test(more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
