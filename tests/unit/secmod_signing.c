// The real penstock-secmod and its keys: those of virtual hosts, encrypted ones, and signatures that no password hash holds up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <crypt.h>
#include <errno.h>

#include "secmod/tbs.h"
#include "secmod_rig_worker.h"

static char dir[] = "/tmp/secmod_signing.XXXXXX";
static struct rig rig;
static struct rig_worker worker;

// ----------------------------------------------------------------------------------------------------------------- files

enum { MAIN_P256, MAIN_RSA, HOST_P384, LOCKED_RSA, CERTS };
static X509 *certs[CERTS];

static const char *in_dir(const char *name)
{
	static char path[16][64];
	static unsigned turn;

	turn = (turn + 1) % 16;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void write_text(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void write_user(const char *name, const char *user, const char *kind, unsigned long rounds)
{
	struct crypt_data data = { 0 };
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], text[512];

	assert_non_null(crypt_gensalt_rn(kind, rounds, NULL, 0, setting, sizeof(setting)));
	snprintf(text, sizeof(text), "%s:*:%s\n", user, crypt_r("right", setting, &data));
	write_text(name, text);
}

static void write_pair(int n, const char *kind, const char *key, const char *cert, const char *passphrase)
{
	EVP_PKEY *pkey = pki_key(kind);

	certs[n] = pki_cert(pkey);
	pki_write_key(in_dir(key), pkey, passphrase);
	pki_write_cert(in_dir(cert), certs[n]);
	EVP_PKEY_free(pkey);
}

static int make_files(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	write_pair(MAIN_P256, "p256", "main.key", "main.crt", NULL);
	write_pair(MAIN_RSA, "rsa", "rsa.key", "rsa.crt", NULL);
	write_pair(HOST_P384, "p384", "host.key", "host.crt", NULL);
	write_pair(LOCKED_RSA, "rsa", "locked.key", "locked.crt", "open sesame");
	write_user("main.passwd", "joe", "$5$", 1000);
	write_user("host.passwd", "eve", "$5$", 1000);
	write_user("slow.passwd", "slow", "$5$", 400000);
	write_text("pin", "open sesame\n");
	write_text("empty", "\n");
	return 0;
}

static int remove_files(void **state)
{
	char command[64];

	for (int i = 0; i < CERTS; i++)
		X509_free(certs[i]);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

// ----------------------------------------------------------------------------------------------------------------- sec-mod

static char auth[3][96]; // main, host, slow

// The default virtual host with two keys, and what else is said.
static const char *const *pairs_with(const char *const *more)
{
	static const char *pairs[64];
	int n = 0;

	snprintf(auth[0], sizeof(auth[0]), "plain[passwd=%s]", in_dir("main.passwd"));
	snprintf(auth[1], sizeof(auth[1]), "plain[passwd=%s]", in_dir("host.passwd"));
	snprintf(auth[2], sizeof(auth[2]), "plain[passwd=%s]", in_dir("slow.passwd"));
	pairs[n++] = "@log-level", pairs[n++] = "3";
	pairs[n++] = "server-key", pairs[n++] = in_dir("main.key");
	pairs[n++] = "server-key", pairs[n++] = in_dir("rsa.key");
	pairs[n++] = "server-cert", pairs[n++] = in_dir("main.crt");
	pairs[n++] = "server-cert", pairs[n++] = in_dir("rsa.crt");
	pairs[n++] = "auth", pairs[n++] = auth[0];
	for (; more != NULL && more[0] != NULL; n++)
		pairs[n] = *more++;
	pairs[n] = NULL;
	return pairs;
}

#define PAIRS(...) pairs_with((const char *const[]){ __VA_ARGS__, NULL })
#define HOST "@vhost", "a.example", "server-key", in_dir("host.key"), "server-cert", in_dir("host.crt"), "auth", auth[1]

static void start(const char *const *pairs)
{
	rig_start(&rig, pairs);
	assert_true(rig.in.last[MSG_SECMOD_READY].secmod_ready.ok);
}

static void refuses_to_start(const char *const *pairs, const char *why)
{
	const struct msg_secmod_ready *ready = &rig.in.last[MSG_SECMOD_READY].secmod_ready;

	rig_start(&rig, pairs);
	if (ready->ok || !strstr(ready->text, why))
		fail_msg("'%s' does not say '%s'", ready->text, why);
	rig_stop(&rig);
}

static void stop(void)
{
	rig_disconnect(&worker);
	assert_int_equal(rig_stop(&rig), 0);
}

// It signs, and this certificate's owner is who has.
static void signs(struct rig_worker *w, uint8_t vhost, uint8_t key, uint16_t scheme, int cert)
{
	const struct msg_sign_rep *rep = &w->in.last[MSG_SIGN_REP].sign_rep;
	uint8_t tbs[LIMIT_TBS];
	size_t len = pki_tls13(tbs, 48);

	assert_int_equal(rig_sign_for(w, vhost, key, scheme, tbs, len), 0);
	assert_true(rep->ok);
	assert_true(pki_verify(certs[cert], scheme_digest(scheme), scheme_is_pss(scheme), tbs, len, rep->signature,
	                       rep->signature_len));
}

// -------------------------------------------------------------------------------------------------------- virtual hosts

static void a_vhost_has_its_own_keys(void **state)
{
	start(PAIRS(HOST));
	assert_non_null(strstr(rig.in.last[MSG_SECMOD_READY].secmod_ready.text, "virtual hosts: 1"));
	rig_connect(&rig, &worker);
	signs(&worker, 0, 1, 0x0804, MAIN_RSA);
	rig_disconnect(&worker);
	rig_connect(&rig, &worker);
	signs(&worker, 1, 0, 0x0503, HOST_P384);
	stop();
}

static void anothers_key_is_refused(void **state)
{
	static const struct {
		uint8_t vhost, key;
		uint16_t scheme;
	} rows[] = {
		{ 1, 1, 0x0804 }, // the second key is the default one's
		{ 1, 0, 0x0403 }, // the first is of another kind there
		{ 2, 0, 0x0403 }, // there is no such virtual host
		{ 63, 0, 0x0403 },
	};
	uint8_t tbs[LIMIT_TBS];
	size_t len = pki_tls13(tbs, 32);

	start(PAIRS(HOST));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		rig_connect(&rig, &worker);
		assert_int_equal(rig_sign_for(&worker, rows[i].vhost, rows[i].key, rows[i].scheme, tbs, len), 0);
		assert_false(worker.in.last[MSG_SIGN_REP].sign_rep.ok);
		assert_true(rig_is_dropped(&worker));
		rig_disconnect(&worker);
	}
	stop();
}

static const struct msg_session_reply *open_session(const uint8_t *cookie)
{
	struct msg_session_open m = { .conn = 1, .client = { 4, 32, 1, { 192, 0, 2, 9 } }, .cookie_len = COOKIE_SIZE };

	memcpy(m.cookie, cookie, COOKIE_SIZE);
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_OPEN, &m), 0);
	assert_int_equal(rig_await(&rig, MSG_SESSION_REPLY), 0);
	return &rig.in.last[MSG_SESSION_REPLY].session_reply;
}

// One handshake, one virtual host: whoever it is that is known there.
static void a_login_is_judged_under_the_vhost_of_its_handshake(void **state)
{
	static const struct {
		uint8_t vhost;
		uint16_t scheme;
		const char *user, *name;
		int cert, outcome;
	} rows[] = {
		{ 0, 0x0403, "joe", "", MAIN_P256, MSG_AUTH_DONE },
		{ 0, 0x0403, "eve", "", MAIN_P256, MSG_AUTH_FAILED },
		{ 1, 0x0503, "joe", "a.example", HOST_P384, MSG_AUTH_FAILED },
		{ 1, 0x0503, "eve", "a.example", HOST_P384, MSG_AUTH_DONE },
	};

	start(PAIRS(HOST));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		rig_connect(&rig, &worker);
		signs(&worker, rows[i].vhost, 0, rows[i].scheme, rows[i].cert);
		assert_int_equal(rig_login(&worker, rows[i].user, "", "right"), rows[i].outcome);
		if (rows[i].outcome == MSG_AUTH_DONE)
			assert_string_equal(open_session(worker.in.last[MSG_AUTH_DONE].auth_done.cookie)->vhost, rows[i].name);
		rig_disconnect(&worker);
	}
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_LIST, &(struct msg_session_list){ .token = 1 }), 0);
	assert_int_equal(rig_await(&rig, MSG_SESSION_ROWS_END), 0);
	assert_string_equal(rig.in.last[MSG_SESSION_ROW].session_row.vhost, "a.example");
	stop();
}

static void reload(const char *const *pairs)
{
	static uint32_t token;
	struct msg_secmod_reload m = { .token = ++token };
	int fd = rig_snapshot(pairs);

	assert_int_equal(chan_send(&rig.main, MSG_SECMOD_RELOAD, &m, &fd), 0);
	close(fd);
	assert_int_equal(rig_await(&rig, MSG_SECMOD_RELOADED), 0);
	assert_true(rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded.ok);
	assert_int_equal(CHAN_SEND(&rig.main, SECMOD_SWITCH, &(struct msg_secmod_switch){ .token = token, .commit = 1 }), 0);
}

// A connection that came before a reload has the certificates of before, and so the keys; its login has the rules of after.
static void a_reload_takes_no_key_from_under_a_handshake(void **state)
{
	static struct rig_worker before, late, after;

	start(PAIRS(HOST));
	rig_connect(&rig, &before);
	rig_connect(&rig, &late);
	reload(PAIRS("@vhost", "b.example", "server-key", in_dir("rsa.key"), "server-cert", in_dir("rsa.crt")));
	rig_connect(&rig, &after);
	signs(&before, 1, 0, 0x0503, HOST_P384);
	signs(&after, 1, 0, 0x0804, MAIN_RSA);
	assert_int_equal(rig_login(&before, "eve", "", "right"), MSG_AUTH_FAILED); // a.example is no more
	assert_int_equal(rig_outcome(&rig, before.conn), AUTH_ERROR);
	assert_int_equal(rig_login(&after, "joe", "", "right"), MSG_AUTH_DONE);
	signs(&late, 0, 0, 0x0403, MAIN_P256);
	assert_int_equal(rig_login(&late, "joe", "", "right"), MSG_AUTH_DONE); // the default one is there always
	rig_disconnect(&before);
	rig_disconnect(&late);
	worker = after;
	stop();
}

// ------------------------------------------------------------------------------------------------------- encrypted keys

#define LOCKED "@vhost", "locked", "server-key", in_dir("locked.key"), "server-cert", in_dir("locked.crt")

static void keys_under_a_pin(void **state)
{
	start(PAIRS(LOCKED, "key-pin", "open sesame"));
	rig_connect(&rig, &worker);
	signs(&worker, 1, 0, 0x0804, LOCKED_RSA);
	stop();
	start(PAIRS("pin-file", in_dir("pin"), LOCKED)); // inherited
	rig_connect(&rig, &worker);
	signs(&worker, 1, 0, 0x0804, LOCKED_RSA);
	stop();
}

static void what_is_wrong_with_a_pin_is_named(void **state)
{
	refuses_to_start(PAIRS(LOCKED), "locked.key: the key is encrypted, and there is neither key-pin nor pin-file");
	refuses_to_start(PAIRS(LOCKED, "key-pin", "wrong"), "locked.key: the key is encrypted, and the PIN (key-pin, pin-file)");
	refuses_to_start(PAIRS(LOCKED, "pin-file", in_dir("none")), "pin-file ");
	refuses_to_start(PAIRS(LOCKED, "pin-file", in_dir("none")), "none: No such file");
	refuses_to_start(PAIRS(LOCKED, "pin-file", in_dir("empty")), "its first line is to be a PIN");
	refuses_to_start(PAIRS(LOCKED, "srk-pin-file", in_dir("empty")), "srk-pin-file ");
}

// --------------------------------------------------------------------------------------------------------- key workers

#define LOGINS 60
#define SIGNATURES 30

// RSA in key workers, ECDSA in the loop: neither waits for any hash.
static void signatures_go_on_while_the_hashes_are_full(void **state)
{
	static struct rig_worker logins[LOGINS];
	unsigned over;

	start(PAIRS("sec-mod-scale", "1", "@vhost", "slow", "auth", auth[2]));
	for (int i = 0; i < LOGINS; i++) {
		rig_connect(&rig, &logins[i]);
		signs(&logins[i], 1, 0, 0x0403, MAIN_P256);
		assert_int_equal(rig_auth_init(&logins[i], "slow", ""), 0);
		assert_int_equal(rig_next(&logins[i]), MSG_AUTH_ASK);
	}
	for (int i = 0; i < LOGINS; i++)
		assert_int_equal(rig_auth_cont(&logins[i], "right"), 0);
	for (int i = 0; i < SIGNATURES; i++) {
		rig_connect(&rig, &worker);
		signs(&worker, 0, i % 2, i % 2 ? 0x0804 : 0x0403, i % 2 ? MAIN_RSA : MAIN_P256);
		rig_disconnect(&worker);
	}
	rig_drain(&rig);
	over = rig.in.count[MSG_AUTH_EVENT];
	if (over >= LOGINS / 2)
		fail_msg("%u of %d logins were over before %d signatures", over, LOGINS, SIGNATURES);
	for (int i = 0; i < LOGINS; i++)
		rig_disconnect(&logins[i]);
	stop();
}

// Far more than there are threads, and each gets its own.
static void many_at_once(void **state)
{
	static struct rig_worker many[200];
	struct msg_sign_req req = { .key = 1, .scheme = 0x0804 };

	req.tbs_len = (uint16_t)pki_tls13(req.tbs, 32);
	start(PAIRS("sec-mod-scale", "4"));
	for (int i = 0; i < 200; i++) {
		rig_connect(&rig, &many[i]);
		req.tbs[req.tbs_len - 1] = (uint8_t)i;
		assert_int_equal(CHAN_SEND(&many[i].chan, SIGN_REQ, &req), 0);
		if (i % 7 == 0)
			rig_disconnect(&many[i]); // it does not wait for its answer
	}
	for (int i = 0; i < 200; i++) {
		const struct msg_sign_rep *rep = &many[i].in.last[MSG_SIGN_REP].sign_rep;

		if (i % 7 == 0)
			continue;
		assert_int_equal(rig_worker_await(&many[i], MSG_SIGN_REP), 0);
		req.tbs[req.tbs_len - 1] = (uint8_t)i;
		assert_true(pki_verify(certs[MAIN_RSA], "SHA256", true, req.tbs, req.tbs_len, rep->signature, rep->signature_len));
		rig_disconnect(&many[i]);
	}
	rig_connect(&rig, &worker);
	stop();
}

// While its signature is being made a worker says nothing; this one does.
static void nothing_else_while_it_signs(void **state)
{
	struct msg_sign_req req = { .key = 1, .scheme = 0x0804 };

	req.tbs_len = (uint16_t)pki_tls13(req.tbs, 32);
	start(PAIRS("sec-mod-scale", "1"));
	rig_connect(&rig, &worker);
	assert_int_equal(CHAN_SEND(&worker.chan, SIGN_REQ, &req), 0);
	assert_int_equal(CHAN_SEND(&worker.chan, SIGN_REQ, &req), 0);
	assert_true(rig_is_dropped(&worker));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vhost_has_its_own_keys),
		cmocka_unit_test(anothers_key_is_refused),
		cmocka_unit_test(a_login_is_judged_under_the_vhost_of_its_handshake),
		cmocka_unit_test(a_reload_takes_no_key_from_under_a_handshake),
		cmocka_unit_test(keys_under_a_pin),
		cmocka_unit_test(what_is_wrong_with_a_pin_is_named),
		cmocka_unit_test(signatures_go_on_while_the_hashes_are_full),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(nothing_else_while_it_signs),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
