// The real penstock-secmod, with the test as main and as its workers: signatures, logins, sessions, reload, and who breaks a rule.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <crypt.h>
#include <errno.h>
#include <limits.h>
#include <openssl/sha.h>
#include <time.h>

#include "secmod_rig_worker.h"

static char dir[] = "/tmp/secmod_login.XXXXXX";
static struct rig rig;
static struct rig_worker worker, other;

static const char *const kinds[] = { "p256", "rsa", "rsa-pss", "p384", "ed25519" };
#define KINDS (sizeof(kinds) / sizeof(*kinds))
static X509 *certs[KINDS];
static char key_path[KINDS][64], cert_path[KINDS][64], passwd_path[64], auth_plain[96];

static const char *hash_of(const char *password, const char *kind, unsigned long count)
{
	static struct crypt_data data;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	assert_non_null(crypt_gensalt_rn(kind, count, NULL, 0, setting, sizeof(setting)));
	return crypt_r(password, setting, &data);
}

static void write_users(const char *path)
{
	FILE *f = fopen(path, "w");

	fprintf(f, "joe:staff,vpn:%s\n", hash_of("right", "$5$", 0));
	fprintf(f, "ann:*:!%s\n", hash_of("right", "$5$", 0));
	fprintf(f, "des:*:%s\n", hash_of("right", "", 0));
	fprintf(f, "slow:*:%s\n", hash_of("right", "$2b$", 11));
	fclose(f);
}

// The rows that every start has; more pairs may follow.
static void start(const char *const *more)
{
	const char *pairs[64] = { "@log-level", "4", "cookie-timeout", "300", "auth-timeout", "30", "max-clients", "1000" };
	int n = 8;

	for (size_t i = 0; i < KINDS; i++) {
		pairs[n++] = "server-key";
		pairs[n++] = key_path[i];
		pairs[n++] = "server-cert";
		pairs[n++] = cert_path[i];
	}
	for (; more != NULL && more[0] != NULL; more += 2) {
		for (int i = 0; i < 8; i += 2) // a default that is overridden
			if (strcmp(pairs[i], more[0]) == 0)
				pairs[i] = "-";
		pairs[n++] = more[0];
		pairs[n++] = more[1];
	}
	rig_start(&rig, pairs);
}

static void start_plain(const char *key, const char *value)
{
	const char *const more[] = { "auth", auth_plain, key, value, NULL };

	start(more);
	assert_int_equal(rig.in.last[MSG_SECMOD_READY].secmod_ready.ok, 1);
}

static void stop(void)
{
	rig_disconnect(&worker);
	rig_disconnect(&other);
	assert_int_equal(rig_stop(&rig), 0); // exit status 0
}

static unsigned count_fds(pid_t pid)
{
	char path[64];
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return n;
}

// ----------------------------------------------------------------------------------------------------------- signatures

static void signs_with_every_key(void **state)
{
	static const struct {
		uint8_t key;
		uint16_t scheme;
		const char *digest;
		bool tls13, pss;
	} rows[] = {
		{ 0, 0x0403, "SHA256", true, false },  { 0, 0x0403, "SHA256", false, false }, { 0, 0x0503, "SHA384", false, false },
		{ 1, 0x0401, "SHA256", false, false }, { 1, 0x0601, "SHA512", false, false }, { 1, 0x0804, "SHA256", true, true },
		{ 1, 0x0806, "SHA512", false, true },  { 2, 0x0809, "SHA256", true, true },   { 2, 0x080b, "SHA512", false, true },
		{ 3, 0x0503, "SHA384", true, false },  { 3, 0x0403, "SHA256", false, false }, { 4, 0x0807, NULL, true, false },
		{ 4, 0x0807, NULL, false, false },
	};
	const struct msg_sign_rep *rep = &worker.in.last[MSG_SIGN_REP].sign_rep;
	uint8_t tbs[LIMIT_TBS];
	size_t len;

	start_plain(NULL, NULL);
	assert_string_equal(rig.in.last[MSG_SECMOD_READY].secmod_ready.text,
	                    "keys: P-256, RSA, RSA-PSS, P-384, Ed25519; auth: plain");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		rig_connect(&rig, &worker);
		len = rows[i].tls13 ? pki_tls13(tbs, 48) : pki_tls12(tbs, 29, 32, 1);
		assert_int_equal(rig_sign(&worker, rows[i].key, rows[i].scheme, tbs, len), 0);
		assert_int_equal(rep->ok, 1);
		assert_true(
		        pki_verify(certs[rows[i].key], rows[i].digest, rows[i].pss, tbs, len, rep->signature, rep->signature_len));
		rig_disconnect(&worker);
	}
	stop();
}

static void refuses_and_drops(void **state)
{
	static const struct {
		uint8_t key;
		uint16_t scheme;
		bool tls13;
	} rows[] = {
		{ 1, 0x0401, true }, // PKCS#1 in TLS 1.3
		{ 1, 0x0403, true }, // not that kind of key
		{ 2, 0x0804, true }, { 0, 0x0503, true }, { 5, 0x0403, true }, { 7, 0x0401, false }, { 1, 0x0201, false },
	};
	const struct msg_sign_rep *rep = &worker.in.last[MSG_SIGN_REP].sign_rep;
	uint8_t tbs[LIMIT_TBS];
	size_t len;

	start_plain(NULL, NULL);
	rig_connect_signed(&rig, &other);
	for (size_t i = 0; i <= sizeof(rows) / sizeof(*rows); i++) {
		rig_connect(&rig, &worker);
		if (i < sizeof(rows) / sizeof(*rows)) {
			len = rows[i].tls13 ? pki_tls13(tbs, 32) : pki_tls12(tbs, 23, 65, 4);
			assert_int_equal(rig_sign(&worker, rows[i].key, rows[i].scheme, tbs, len), 0);
		} else {
			memset(tbs, 'x', 32); // a bare hash: this is no oracle
			assert_int_equal(rig_sign(&worker, 1, 0x0401, tbs, 32), 0);
		}
		assert_int_equal(rep->ok, 0);
		assert_int_equal(rep->signature_len, 0);
		assert_true(rig_is_dropped(&worker));
		rig_disconnect(&worker);
	}
	assert_int_equal(rig_login(&other, "joe", "", "right"), MSG_AUTH_DONE); // nobody else notices
	stop();
}

static void one_signature_a_connection(void **state)
{
	uint8_t tbs[LIMIT_TBS];
	size_t len = pki_tls13(tbs, 32);

	start_plain(NULL, NULL);
	rig_connect_signed(&rig, &worker);
	assert_int_equal(rig_sign(&worker, 0, 0x0403, tbs, len), -EPIPE);
	stop();
}

// A way that is not there is a refusal (a reload may have taken it away); a token that nobody asked for is not.
static void only_ways_that_there_are(void **state)
{
	static const uint8_t kinds_without[] = { AUTH_CERTIFICATE, AUTH_NEGOTIATE, AUTH_BEARER };
	struct msg_auth_token token = { .token_len = 3, .token = "abc" };
	struct msg_auth_init m = { 0 };

	start_plain(NULL, NULL);
	for (size_t i = 0; i < sizeof(kinds_without); i++) {
		m.kind = kinds_without[i];
		rig_connect_signed(&rig, &worker);
		CHAN_SEND(&worker.chan, AUTH_INIT, &m);
		assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
		assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
		rig_disconnect(&worker);
	}
	m.kind = AUTH_PASSWORD; // whose user has a name
	rig_connect_signed(&rig, &worker);
	CHAN_SEND(&worker.chan, AUTH_INIT, &m);
	assert_true(rig_is_dropped(&worker));
	rig_disconnect(&worker);

	rig_connect_signed(&rig, &worker);
	rig_auth_init(&worker, "joe", "");
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	CHAN_SEND(&worker.chan, AUTH_TOKEN, &token);
	assert_true(rig_is_dropped(&worker));
	rig_disconnect(&worker);
	stop();
}

static void nothing_out_of_turn(void **state)
{
	start_plain(NULL, NULL);
	rig_connect(&rig, &worker);
	rig_auth_init(&worker, "joe", ""); // before the handshake
	assert_true(rig_is_dropped(&worker));
	rig_disconnect(&worker);

	rig_connect_signed(&rig, &worker);
	rig_auth_cont(&worker, "right"); // without being asked
	assert_true(rig_is_dropped(&worker));
	rig_disconnect(&worker);

	rig_connect_signed(&rig, &worker);
	assert_int_equal(rig_login(&worker, "joe", "", "right"), MSG_AUTH_DONE);
	rig_auth_init(&worker, "joe", ""); // after a login
	assert_true(rig_is_dropped(&worker));
	rig_disconnect(&worker);

	rig_connect_signed(&rig, &worker);
	rig_auth_init(&worker, "joe", "");
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	rig_auth_init(&worker, "joe", ""); // in the middle of one
	assert_true(rig_is_dropped(&worker));
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ABANDONED);

	rig_disconnect(&worker);
	rig_connect_signed(&rig, &worker);
	rig_auth_init(&worker, "slow", "");
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	rig_auth_cont(&worker, "right");
	rig_auth_cont(&worker, "right"); // while it is being computed
	assert_true(rig_is_dropped(&worker));
	assert_int_equal(worker.in.count[MSG_AUTH_DONE], 0);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ABANDONED);
	stop();
}

// --------------------------------------------------------------------------------------------------------------- logins

static void plain_logins(void **state)
{
	static const struct {
		const char *user, *group, *password, *got; // got NULL: AUTH_FAILED
	} rows[] = {
		{ "joe", "", "right", "staff" }, { "joe", "vpn", "right", "vpn" },  { "des", "", "right", "" },
		{ "slow", "", "right", "" },     { "joe", "wheel", "right", NULL }, { "joe", "", "wrong", NULL },
		{ "joe", "", "", NULL },         { "ann", "", "right", NULL },      { "eve", "", "right", NULL },
		{ "j\xc3\xb6", "", "x", NULL },
	};
	struct msg_auth_failed failed = { .tries_left = LIMIT_LOGIN_TRIES - 1 };
	unsigned fds;

	start_plain(NULL, NULL);
	fds = count_fds(rig.pid);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int ret;

		rig_connect_signed(&rig, &worker);
		ret = rig_login(&worker, rows[i].user, rows[i].group, rows[i].password);
		assert_string_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.prompt, "Password:");
		assert_int_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.echo, 0);
		assert_int_equal(ret, rows[i].got != NULL ? MSG_AUTH_DONE : MSG_AUTH_FAILED);
		if (rows[i].got != NULL) {
			assert_string_equal(worker.in.last[ret].auth_done.user, rows[i].user);
			assert_string_equal(worker.in.last[ret].auth_done.group, rows[i].got);
		} else {
			assert_memory_equal(&worker.in.last[ret].auth_failed, &failed, sizeof(failed));
		}
		assert_int_equal(rig_outcome(&rig, worker.conn), rows[i].got != NULL ? AUTH_OK : AUTH_BAD);
		assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.user, rows[i].user);
		assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.method, "plain");
		rig_disconnect(&worker);
	}
	rig_connect_signed(&rig, &worker); // by now the others are closed
	rig_disconnect(&worker);
	assert_in_range(count_fds(rig.pid), fds, fds + 1);
	stop();
}

static void three_tries(void **state)
{
	start_plain(NULL, NULL);
	rig_connect_signed(&rig, &worker);
	for (int left = LIMIT_LOGIN_TRIES - 1; left >= 0; left--) {
		assert_int_equal(rig_login(&worker, "joe", "", "wrong"), MSG_AUTH_FAILED);
		assert_int_equal(worker.in.last[MSG_AUTH_FAILED].auth_failed.tries_left, left);
		assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	}
	rig_auth_init(&worker, "joe", "");
	assert_true(rig_is_dropped(&worker));
	rig_disconnect(&worker);

	rig_connect_signed(&rig, &worker);
	rig_login(&worker, "joe", "", "wrong");
	rig_login(&worker, "eve", "", "wrong");
	assert_int_equal(rig_login(&worker, "joe", "", "right"), MSG_AUTH_DONE);
	stop();
}

static void a_login_left_alone(void **state)
{
	start_plain("auth-timeout", "1");
	rig_connect_signed(&rig, &worker);
	rig_auth_init(&worker, "joe", "");
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	usleep(1300000); // its time runs out; the answer comes late, and a right password does not help
	rig_auth_cont(&worker, "right");
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ABANDONED);
	rig_auth_init(&worker, "joe", "");
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	rig_disconnect(&worker); // the client goes away
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ABANDONED);
	stop();
}

// Eight slow hashes on few threads: a handshake does not wait for them.
static void hashes_do_not_delay_signatures(void **state)
{
	static struct rig_worker slow[8];

	start_plain(NULL, NULL);
	for (int i = 0; i < 8; i++) {
		rig_connect_signed(&rig, &slow[i]);
		rig_auth_init(&slow[i], "slow", "");
		assert_int_equal(rig_next(&slow[i]), MSG_AUTH_ASK);
	}
	for (int i = 0; i < 8; i++)
		rig_auth_cont(&slow[i], "right");
	rig_connect_signed(&rig, &worker);
	assert_int_equal(poll(&(struct pollfd){ .fd = slow[7].chan.fd, .events = POLLIN }, 1, 0), 0); // the last one still waits
	for (int i = 0; i < 8; i++)
		assert_int_equal(rig_next(&slow[i]), MSG_AUTH_DONE);
	for (int i = 0; i < 8; i++)
		rig_disconnect(&slow[i]);
	stop();
}

static void an_unreadable_file_lets_nobody_in(void **state)
{
	char moved[80];

	snprintf(moved, sizeof(moved), "%s.away", passwd_path);
	start_plain(NULL, NULL);
	assert_int_equal(rename(passwd_path, moved), 0);
	rig_connect_signed(&rig, &worker);
	assert_int_equal(rig_login(&worker, "joe", "", "right"), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	assert_int_equal(rename(moved, passwd_path), 0);
	assert_int_equal(rig_login(&worker, "joe", "", "right"), MSG_AUTH_DONE);
	stop();
}

// ------------------------------------------------------------------------------------------------------------- sessions

static void log_in(const char *user, uint8_t cookie[COOKIE_SIZE])
{
	rig_connect_signed(&rig, &worker);
	assert_int_equal(rig_login(&worker, user, "", "right"), MSG_AUTH_DONE);
	memcpy(cookie, worker.in.last[MSG_AUTH_DONE].auth_done.cookie, COOKIE_SIZE);
	rig_disconnect(&worker);
}

static const struct msg_session_reply *session_open(const uint8_t cookie[COOKIE_SIZE])
{
	static uint64_t conn = 1000;
	struct msg_session_open m = { .conn = ++conn, .client = { 6, 128, 0, { 0x20, 1 } }, .cookie_len = COOKIE_SIZE };
	const struct msg_session_reply *reply = &rig.in.last[MSG_SESSION_REPLY].session_reply;

	memcpy(m.cookie, cookie, COOKIE_SIZE);
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_OPEN, &m), 0);
	assert_int_equal(rig_await(&rig, MSG_SESSION_REPLY), 0);
	assert_int_equal(reply->conn, conn);
	return reply;
}

static void session_close(const uint8_t sid[SID_SIZE], bool revoke, uint8_t reason)
{
	struct msg_session_close m = { .sid_len = SID_SIZE, .revoke = revoke, .reason = reason };

	memcpy(m.sid, sid, SID_SIZE);
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_CLOSE, &m), 0);
}

static void expect_gone(const uint8_t sid[SID_SIZE], uint8_t reason)
{
	const struct msg_session_gone *gone = &rig.in.last[MSG_SESSION_GONE].session_gone;

	assert_int_equal(rig_await(&rig, MSG_SESSION_GONE), 0);
	assert_memory_equal(gone->sid, sid, SID_SIZE);
	assert_int_equal(gone->reason, reason);
}

static void a_cookie_opens_its_session(void **state)
{
	uint8_t cookie[COOKIE_SIZE], sid[SID_SIZE];
	const struct msg_session_reply *reply;

	start_plain(NULL, NULL);
	log_in("joe", cookie);
	SHA256(cookie, COOKIE_SIZE, sid);
	reply = session_open(cookie);
	assert_int_equal(reply->ok, 1);
	assert_memory_equal(reply->sid, sid, SID_SIZE);
	assert_string_equal(reply->user, "joe");
	assert_string_equal(reply->group, "staff");
	assert_in_range(reply->created, time(NULL) - 60, time(NULL));
	assert_int_equal(reply->login.family, 4);      // where the login came from, whatever comes later
	assert_int_equal(session_open(cookie)->ok, 1); // a newer connection replaces the old one
	assert_int_equal(reply->login.family, 4);
	session_close(sid, false, END_TEMPORARY);
	assert_int_equal(session_open(cookie)->ok, 1);
	cookie[5] ^= 1;
	assert_int_equal(session_open(cookie)->ok, 0);
	assert_int_equal(reply->sid_len, 0);
	cookie[5] ^= 1;
	session_close(sid, true, END_BY_USER);
	expect_gone(sid, END_BY_USER);
	assert_int_equal(session_open(cookie)->ok, 0);
	stop();
}

static void cookies_expire(void **state)
{
	uint8_t unused[COOKIE_SIZE], used[COOKIE_SIZE], sid[SID_SIZE], used_sid[SID_SIZE];

	start_plain("cookie-timeout", "1");
	log_in("joe", used);
	SHA256(used, COOKIE_SIZE, used_sid);
	assert_int_equal(session_open(used)->ok, 1);
	log_in("des", unused);
	SHA256(unused, COOKIE_SIZE, sid);
	expect_gone(sid, END_NONE);
	assert_int_equal(session_open(unused)->ok, 0);
	usleep(1200000);
	session_close(used_sid, false, END_DEAD_PEER); // it was open all the time
	expect_gone(used_sid, END_DEAD_PEER);
	assert_int_equal(session_open(used)->ok, 0);
	stop();
}

static void revoking_and_listing(void **state)
{
	const struct msg_session_row *row = &rig.in.last[MSG_SESSION_ROW].session_row;
	struct msg_session_revoke revoke = { .user = "des" };
	struct msg_session_list list = { .token = 7 };
	uint8_t joe[COOKIE_SIZE], des[COOKIE_SIZE], sid[SID_SIZE];

	start_plain(NULL, NULL);
	log_in("des", des);
	log_in("joe", joe);
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_REVOKE, &revoke), 0);
	SHA256(des, COOKIE_SIZE, sid);
	expect_gone(sid, END_TERMINATED);
	assert_int_equal(session_open(des)->ok, 0);
	assert_int_equal(session_open(joe)->ok, 1);
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_LIST, &list), 0);
	assert_int_equal(rig_await(&rig, MSG_SESSION_ROWS_END), 0);
	assert_int_equal(rig.in.last[MSG_SESSION_ROWS_END].session_rows_end.token, 7);
	assert_int_equal(rig.in.last[MSG_SESSION_ROWS_END].session_rows_end.count, 1);
	assert_int_equal(rig.in.count[MSG_SESSION_ROW], 1);
	assert_string_equal(row->user, "joe");
	assert_string_equal(row->user_agent, "rig");
	assert_int_equal(row->in_use, 1);
	assert_int_equal(row->client.family, 6); // of its last connection
	revoke = (struct msg_session_revoke){ .sid_len = SID_SIZE };
	memcpy(revoke.sid, row->sid, SID_SIZE);
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_REVOKE, &revoke), 0);
	expect_gone(row->sid, END_TERMINATED);
	stop();
}

// Main asks for lists and does not read: nothing is lost, and workers are served meanwhile.
static void a_main_that_reads_late(void **state)
{
	struct msg_session_list list = { 0 };
	uint8_t cookie[COOKIE_SIZE];

	start_plain(NULL, NULL);
	for (int i = 0; i < 100; i++)
		log_in("des", cookie);
	rig_drain(&rig);
	for (list.token = 1; list.token <= 8; list.token++)
		assert_int_equal(CHAN_SEND(&rig.main, SESSION_LIST, &list), 0);
	for (int i = 0; i < 100; i++)
		log_in("des", cookie);
	for (unsigned i = 1; i <= 8; i++) {
		assert_int_equal(rig_await(&rig, MSG_SESSION_ROWS_END), 0);
		assert_int_equal(rig.in.last[MSG_SESSION_ROWS_END].session_rows_end.token, i);
		assert_in_range(rig.in.last[MSG_SESSION_ROWS_END].session_rows_end.count, 100, 200);
	}
	while (rig.in.count[MSG_AUTH_EVENT] < 200)
		assert_int_equal(rig_await(&rig, MSG_AUTH_EVENT), 0);
	stop();
}

// -------------------------------------------------------------------------------------------------------------- settings

static void reload_with(const char *const *pairs, uint32_t token)
{
	struct msg_secmod_reload m = { .token = token };
	int fd = rig_snapshot(pairs);

	assert_int_equal(chan_send(&rig.main, MSG_SECMOD_RELOAD, &m, &fd), 0);
	close(fd);
	assert_int_equal(rig_await(&rig, MSG_SECMOD_RELOADED), 0);
	assert_int_equal(rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded.token, token);
}

static void switch_to(uint32_t token, bool commit)
{
	struct msg_secmod_switch m = { .token = token, .commit = commit };

	assert_int_equal(CHAN_SEND(&rig.main, SECMOD_SWITCH, &m), 0);
}

static int key_in_force(void)
{
	uint8_t tbs[LIMIT_TBS];
	size_t len = pki_tls13(tbs, 32);

	rig_connect(&rig, &worker);
	assert_int_equal(rig_sign(&worker, 0, 0x0403, tbs, len), 0);
	rig_disconnect(&worker);
	return worker.in.last[MSG_SIGN_REP].sign_rep.ok ? 0 : 1; // p256, or any other
}

static void reload_in_two_steps(void **state)
{
	const char *const good[] = { "server-key", key_path[1], "server-cert", cert_path[1], "auth", "pam", NULL };
	const char *const bad[] = { "server-key", key_path[1], "server-cert", cert_path[0], "auth", "pam", NULL };
	const struct msg_secmod_reloaded *reply = &rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded;
	uint8_t cookie[COOKIE_SIZE];

	start_plain(NULL, NULL);
	log_in("joe", cookie);
	rig_connect_signed(&rig, &other);
	rig_auth_init(&other, "joe", "");
	assert_int_equal(rig_next(&other), MSG_AUTH_ASK);
	reload_with(bad, 1);
	assert_int_equal(reply->ok, 0);
	assert_non_null(strstr(reply->text, "does not belong to"));
	switch_to(1, true);
	assert_int_equal(key_in_force(), 0);
	reload_with(good, 2);
	assert_int_equal(reply->ok, 1);
	assert_int_equal(key_in_force(), 0);
	switch_to(2, false);
	assert_int_equal(key_in_force(), 0);
	reload_with(good, 3);
	switch_to(2, true); // not the one that was offered
	assert_int_equal(key_in_force(), 0);
	switch_to(3, true);
	assert_int_equal(key_in_force(), 1);
	rig_auth_cont(&other, "right"); // began under the old settings, ends under them
	assert_int_equal(rig_next(&other), MSG_AUTH_DONE);
	assert_int_equal(session_open(cookie)->ok, 1);
	stop();
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *auth, *second, *why;
	} rows[] = {
		{ NULL, NULL, "auth: no method" },
		{ "certificate", NULL, "cert-user-oid: needed with auth = certificate" },
		{ "radius[config=/etc/r]", NULL, "auth radius[config=/etc/r]: can't open /etc/r" },
		{ "ldap[config=/etc/l]", NULL, "auth ldap[config=/etc/l]: this method is not supported" },
		{ "plain", NULL, "names no file" },
		{ "plain[passwd=/nonexistent]", NULL, "auth plain[passwd=/nonexistent]: /nonexistent: No such file" },
		{ "plain[passwd=/etc/passwd,otp=/x]", NULL, "otp=/x: No such file" },
		{ "plain[passwd", NULL, "not of the form" },
		{ "pam[service=../x]", NULL, "option service=../x is not supported" },
		{ "pam[gid-min=x]", NULL, "gid-min=x" },
		{ "pam", "plain[passwd=/etc/passwd]", "one password method at a time" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *const more[] = { rows[i].auth != NULL ? "auth" : "-", rows[i].auth != NULL ? rows[i].auth : "",
			                     rows[i].second != NULL ? "auth" : NULL, rows[i].second, NULL };
		const struct msg_secmod_ready *ready = &rig.in.last[MSG_SECMOD_READY].secmod_ready;

		start(more);
		assert_int_equal(ready->ok, 0);
		if (strstr(ready->text, rows[i].why) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", ready->text, rows[i].why);
		assert_int_equal(WEXITSTATUS(rig_stop(&rig)), 1);
	}
}

// ----------------------------------------------------------------------------------------------------------------- main

static int set_up(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	for (size_t i = 0; i < KINDS; i++) {
		EVP_PKEY *key = pki_key(kinds[i]);

		certs[i] = pki_cert(key);
		snprintf(key_path[i], sizeof(key_path[i]), "%s/%s.key", dir, kinds[i]);
		snprintf(cert_path[i], sizeof(cert_path[i]), "%s/%s.crt", dir, kinds[i]);
		pki_write_key(key_path[i], key, NULL);
		pki_write_cert(cert_path[i], certs[i]);
		EVP_PKEY_free(key);
	}
	snprintf(passwd_path, sizeof(passwd_path), "%s/passwd", dir);
	snprintf(auth_plain, sizeof(auth_plain), "plain[passwd=%s]", passwd_path);
	write_users(passwd_path);
	worker.chan.fd = other.chan.fd = -1;
	return 0;
}

static int clean_up(void **state)
{
	char command[64];

	for (size_t i = 0; i < KINDS; i++)
		X509_free(certs[i]);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_with_every_key),
		cmocka_unit_test(refuses_and_drops),
		cmocka_unit_test(one_signature_a_connection),
		cmocka_unit_test(only_ways_that_there_are),
		cmocka_unit_test(nothing_out_of_turn),
		cmocka_unit_test(plain_logins),
		cmocka_unit_test(three_tries),
		cmocka_unit_test(a_login_left_alone),
		cmocka_unit_test(hashes_do_not_delay_signatures),
		cmocka_unit_test(an_unreadable_file_lets_nobody_in),
		cmocka_unit_test(a_cookie_opens_its_session),
		cmocka_unit_test(cookies_expire),
		cmocka_unit_test(revoking_and_listing),
		cmocka_unit_test(a_main_that_reads_late),
		cmocka_unit_test(reload_in_two_steps),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
