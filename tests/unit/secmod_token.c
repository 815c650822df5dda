// The real penstock-secmod with keys in tokens: SoftHSM's by PKCS#11, and a TPM that swtpm plays. They sign as others do, a wrong
// word about them is named, and one that hangs or dies is nobody else's trouble.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include <p11-kit/pkcs11.h>

#include "secmod/tbs.h"
#include "secmod/token_driver.h"
#include "secmod_rig_worker.h"

#define PIN "4711"
#define ROOT "0815"

static char dir[] = "/tmp/secmod_token.XXXXXX";
static struct rig rig;
static struct rig_worker worker;
static bool softhsm;
static pid_t swtpm;

enum { TOKEN_RSA, TOKEN_P256, TOKEN_P384, TOKEN_ED25519, FILE_RSA, CERTS };
static const char *const kinds[CERTS] = { "rsa", "p256", "p384", "ed25519", "rsa" };
static X509 *certs[CERTS];

static const char *in_dir(const char *fmt, ...)
{
	static char path[16][128];
	static unsigned turn;
	va_list ap;
	int n;

	turn = (turn + 1) % 16;
	n = snprintf(path[turn], sizeof(path[turn]), "%s/", dir);
	va_start(ap, fmt);
	vsnprintf(path[turn] + n, sizeof(path[turn]) - n, fmt, ap);
	va_end(ap);
	return path[turn];
}

static int run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	snprintf(command + n, sizeof(command) - n, " > %s/log 2>&1", dir);
	return system(command);
}

// ----------------------------------------------------------------------------------------------------------------- sec-mod

static const char *const *pairs_with(const char *const *more)
{
	static const char *pairs[64];
	static char auth[128];
	int n = 0;

	snprintf(auth, sizeof(auth), "plain[passwd=%s]", in_dir("passwd"));
	pairs[n++] = "@log-level", pairs[n++] = "3";
	pairs[n++] = "auth", pairs[n++] = auth;
	for (; more[0] != NULL; n++)
		pairs[n] = *more++;
	pairs[n] = NULL;
	return pairs;
}

#define PAIRS(...) pairs_with((const char *const[]){ __VA_ARGS__, NULL })
#define KEY(url, cert) "server-key", url, "server-cert", in_dir("%d.crt", cert)
#define FILE_KEY KEY(in_dir("%d.key", FILE_RSA), FILE_RSA)
#define URL "pkcs11:token=penstock;object="

static void start(const char *const *pairs)
{
	rig_start(&rig, pairs);
	if (!rig.in.last[MSG_SECMOD_READY].secmod_ready.ok)
		fail_msg("%s", rig.in.last[MSG_SECMOD_READY].secmod_ready.text);
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

static void reload(const char *const *pairs)
{
	struct msg_secmod_reload m = { .token = 7 };
	int conf = rig_snapshot(pairs);

	assert_int_equal(chan_send(&rig.main, MSG_SECMOD_RELOAD, &m, &conf), 0);
	close(conf);
	assert_int_equal(rig_await(&rig, MSG_SECMOD_RELOADED), 0);
	if (!rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded.ok)
		fail_msg("%s", rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded.text);
	assert_int_equal(CHAN_SEND(&rig.main, SECMOD_SWITCH, &(struct msg_secmod_switch){ .token = 7, .commit = 1 }), 0);
}

static bool signs_with(uint8_t key, uint16_t scheme, int cert, bool tls13)
{
	const struct msg_sign_rep *rep = &worker.in.last[MSG_SIGN_REP].sign_rep;
	uint8_t tbs[LIMIT_TBS];
	size_t len = tls13 ? pki_tls13(tbs, 48) : pki_tls12(tbs, 29, 32, 7);
	bool good;

	rig_connect(&rig, &worker);
	assert_int_equal(rig_sign(&worker, key, scheme, tbs, len), 0);
	good = rep->ok &&
	       pki_verify(certs[cert], scheme_digest(scheme), scheme_is_pss(scheme), tbs, len, rep->signature, rep->signature_len);
	rig_disconnect(&worker);
	return good;
}

// The helper of the key in a token: the only one.
static pid_t helper(void)
{
	pid_t pid;

	rig_helpers(&rig, &pid);
	return pid;
}

// ------------------------------------------------------------------------------------------------------------- PKCS#11

static void need_softhsm(void)
{
	if (!softhsm)
		skip();
}

static void signs_with_every_scheme(void **state)
{
	static const struct {
		uint8_t key;
		uint16_t scheme;
		bool tls13;
	} rows[] = {
		{ TOKEN_RSA, 0x0401, false },  { TOKEN_RSA, 0x0501, false },    { TOKEN_RSA, 0x0601, false },
		{ TOKEN_RSA, 0x0804, true },   { TOKEN_RSA, 0x0805, true },     { TOKEN_RSA, 0x0806, false },
		{ TOKEN_P256, 0x0403, true },  { TOKEN_P256, 0x0403, false },   { TOKEN_P256, 0x0503, false },
		{ TOKEN_P256, 0x0603, false }, { TOKEN_P384, 0x0503, true },    { TOKEN_P384, 0x0403, false },
		{ TOKEN_P384, 0x0603, false }, { TOKEN_ED25519, 0x0807, true },
	};

	need_softhsm();
	start(PAIRS(KEY(URL "0", 0), KEY(URL "1;type=private", 1), KEY("pkcs11:token=penstock;id=%02", 2), KEY(URL "3", 3),
	            "key-pin", PIN));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!signs_with(rows[i].key, rows[i].scheme, rows[i].key, rows[i].tls13))
			fail_msg("scheme %04x", rows[i].scheme);
	stop();
}

static void what_is_wrong_is_named(void **state)
{
	char beside[512];

	need_softhsm();
	refuses_to_start(PAIRS(KEY(URL "0", 0)),
	                 "server-key " URL "0: the token asks for a PIN, and there is neither key-pin nor pin-file");
	refuses_to_start(PAIRS(KEY(URL "0", 0), "key-pin", "1"), "the token refuses the PIN (key-pin, pin-file)");
	refuses_to_start(PAIRS(KEY(URL "none", 0), "key-pin", PIN), "no private key in the token is as the URL says");
	refuses_to_start(PAIRS(KEY("pkcs11:token=none;object=0", 0), "key-pin", PIN), "no token is as the URL says");
	refuses_to_start(PAIRS(KEY("pkcs11:nonsense", 0), "key-pin", PIN), "no PKCS#11 URL");
	refuses_to_start(PAIRS(KEY(URL "0?module-path=/nowhere.so", 0), "key-pin", PIN), "/nowhere.so cannot be used");
	// beside the password file sec-mod itself may have written it
	snprintf(beside, sizeof(beside), URL "0?module-path=%s", in_dir("passwd"));
	refuses_to_start(PAIRS(KEY(beside, 0), "key-pin", PIN), "lies where sec-mod may write");
	refuses_to_start(PAIRS(KEY(URL "0", FILE_RSA), "key-pin", PIN), "does not belong to server-cert");
	refuses_to_start(PAIRS(KEY(URL "1", 0), "key-pin", PIN), "its token does not sign");
}

// While it hangs its own handshakes fail, and the others go on. Then a new helper takes over.
static void a_token_that_hangs(void **state)
{
	static struct rig_worker waits;
	struct msg_sign_req req = { .key = 0, .scheme = 0x0403 };
	pid_t first;

	need_softhsm();
	req.tbs_len = (uint16_t)pki_tls13(req.tbs, 32);
	start(PAIRS(KEY(URL "1", 1), FILE_KEY, "key-pin", PIN));
	first = helper();
	kill(first, SIGSTOP);
	rig_connect(&rig, &waits);
	assert_int_equal(CHAN_SEND(&waits.chan, SIGN_REQ, &req), 0);
	for (int i = 0; i < 20; i++)
		assert_true(signs_with(1, 0x0804, FILE_RSA, true));
	assert_int_equal(waits.in.count[MSG_SIGN_REP], 0);
	assert_int_equal(rig_worker_await(&waits, MSG_SIGN_REP), 0);
	assert_false(waits.in.last[MSG_SIGN_REP].sign_rep.ok);
	rig_disconnect(&waits);
	assert_true(signs_with(0, 0x0403, 1, true));
	stop();
}

static void a_helper_that_dies(void **state)
{
	need_softhsm();
	start(PAIRS(KEY(URL "1", 1), "key-pin", PIN));
	kill(helper(), SIGKILL);
	assert_false(signs_with(0, 0x0403, 1, true)); // who comes just then
	assert_true(signs_with(0, 0x0403, 1, true));
	stop();
}

// Tried for each handshake it would lock the token, which counts: it is tried once, though it were right again by now.
static void a_pin_that_is_changed_meanwhile(void **state)
{
	need_softhsm();
	start(PAIRS(KEY(URL "1", 1), "key-pin", PIN));
	assert_int_equal(run("cp -a %s/tokens %s/kept && softhsm2-util --init-token --token penstock --label penstock --pin 1234 "
	                     "--so-pin 47114711",
	                     dir, dir),
	                 0);
	kill(helper(), SIGKILL);
	assert_false(signs_with(0, 0x0403, 1, true)); // who comes just then
	assert_false(signs_with(0, 0x0403, 1, true)); // by the wrong PIN
	assert_int_equal(run("rm -r %s/tokens && mv %s/kept %s/tokens", dir, dir, dir), 0);
	assert_false(signs_with(0, 0x0403, 1, true));
	reload(PAIRS(KEY(URL "1", 1), "key-pin", PIN));
	assert_true(signs_with(0, 0x0403, 1, true));
	stop();
}

static void no_pin_is_tried_for_the_last_time(void **state)
{
	static const struct {
		unsigned long flags;
		const char *why;
	} rows[] = {
		{ CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED, NULL },
		{ CKF_LOGIN_REQUIRED | CKF_USER_PIN_COUNT_LOW, NULL },
		{ CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY, "would lock its PIN at one more wrong try" },
		{ CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED, "has locked its PIN" },
		{ CKF_SO_PIN_FINAL_TRY | CKF_SO_PIN_LOCKED, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *why = token_pin_spent(rows[i].flags);

		assert_int_equal(why != NULL, rows[i].why != NULL);
		assert_true(why == NULL || strstr(why, rows[i].why));
	}
}

// ------------------------------------------------------------------------------------------------------------------- TPM

static void a_key_of_a_tpm(void **state)
{
	if (!swtpm)
		skip();
	start(PAIRS(KEY(in_dir("tpm.key"), 0), "key-pin", PIN));
	assert_true(signs_with(0, 0x0403, 0, true));
	assert_true(signs_with(0, 0x0403, 0, false));
	stop();
	refuses_to_start(PAIRS(KEY(in_dir("tpm.key"), 0)), "the key asks for a PIN");
	refuses_to_start(PAIRS(KEY(in_dir("tpm.key"), 0), "key-pin", "wrong"), "tpm.key: ");
	refuses_to_start(PAIRS(KEY("tpmkey:uuid=1", 0)), "TPM 1.2");
	refuses_to_start(PAIRS(KEY("tpmkey:file=/nowhere", 0)), "the TPM does not load the key");
}

static X509 *read_certificate(const char *path)
{
	FILE *f = fopen(path, "r");
	X509 *cert;

	assert_non_null(f);
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	return cert;
}

// A key, and a certificate for it. 0, or not.
static int make_tpm_key(const char *more)
{
	setenv("TPM2OPENSSL_PARENT_AUTH", more[0] ? ROOT : "", 1);
	if (run("openssl genpkey -provider tpm2 -provider default -algorithm EC -pkeyopt group:P-256 -pkeyopt user-auth:%s %s -out "
	        "%s",
	        PIN, more, in_dir("tpm.key")) != 0 ||
	    run("openssl req -provider tpm2 -provider default -propquery '?provider=tpm2' -x509 -new -key %s -passin pass:%s -subj "
	        "/CN=tpm "
	        "-out %s",
	        in_dir("tpm.key"), PIN, in_dir("0.crt")) != 0)
		return -1;
	unsetenv("TPM2OPENSSL_PARENT_AUTH");
	X509_free(certs[0]);
	certs[0] = read_certificate(in_dir("0.crt"));
	return 0;
}

// A storage root key that stays in the TPM, with a PIN.
static void a_tpm_whose_root_has_a_pin(void **state)
{
	if (!swtpm)
		skip();
	setenv("TPM2TOOLS_TCTI", getenv("TPM2OPENSSL_TCTI"), 1);
	assert_int_equal(run("(tpm2_createprimary -Q -C o -p %s -G ecc -c %s/srk && tpm2_flushcontext -t && "
	                     "tpm2_evictcontrol -Q -C o -c %s/srk 0x81000001 && tpm2_flushcontext -t)",
	                     ROOT, dir, dir),
	                 0);
	assert_int_equal(make_tpm_key("-pkeyopt parent:0x81000001 -pkeyopt parent-auth:" ROOT), 0);
	start(PAIRS(KEY(in_dir("tpm.key"), 0), "key-pin", PIN, "srk-pin", ROOT));
	assert_true(signs_with(0, 0x0403, 0, true));
	stop();
	refuses_to_start(PAIRS(KEY(in_dir("tpm.key"), 0), "key-pin", PIN), "tpm.key: the TPM does not load the key");
	refuses_to_start(PAIRS(KEY(in_dir("tpm.key"), 0), "key-pin", PIN, "srk-pin", "wrong"), "the TPM does not load the key");
}

// ---------------------------------------------------------------------------------------------------------------- set-up

static void write_text(const char *name, const char *fmt, ...)
{
	FILE *f = fopen(in_dir("%s", name), "w");
	va_list ap;

	assert_non_null(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

static int make_keys(void **state)
{
	if (!mkdtemp(dir) || mkdir(in_dir("tokens"), 0700) < 0 || mkdir(in_dir("tpm"), 0700) < 0)
		return -1;
	write_text("passwd", "");
	write_text("softhsm2.conf", "directories.tokendir = %s/tokens\nlog.level = ERROR\n", dir);
	setenv("SOFTHSM2_CONF", in_dir("softhsm2.conf"), 1);
	softhsm = run("softhsm2-util --init-token --free --label penstock --pin %s --so-pin 47114711", PIN) == 0;
	for (int i = 0; i < CERTS; i++) {
		EVP_PKEY *key = pki_key(kinds[i]);

		certs[i] = pki_cert(key);
		pki_write_key(in_dir("%d.key", i), key, NULL);
		pki_write_cert(in_dir("%d.crt", i), certs[i]);
		EVP_PKEY_free(key);
		if (softhsm && i < FILE_RSA)
			assert_int_equal(run("softhsm2-util --import %s --token penstock --label %d --id %02d --pin %s",
			                     in_dir("%d.key", i), i, i, PIN),
			                 0);
	}
	return 0;
}

static int remove_keys(void **state)
{
	char command[64];

	for (int i = 0; i < CERTS; i++)
		X509_free(certs[i]);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void wait_for(const char *path)
{
	for (int i = 0; i < 500 && access(path, F_OK) < 0; i++)
		usleep(10000);
}

// It serves one at a time, so nobody else holds it when sec-mod comes.
static int make_tpm(void **state)
{
	char socket[128], tcti[160];

	snprintf(socket, sizeof(socket), "%s/tpm/socket", dir);
	snprintf(tcti, sizeof(tcti), "swtpm:path=%s", socket);
	setenv("TPM2OPENSSL_TCTI", tcti, 1);
	swtpm = fork();
	if (swtpm == 0) {
		char state_dir[128], server[160], control[168];

		snprintf(state_dir, sizeof(state_dir), "dir=%s/tpm", dir);
		snprintf(server, sizeof(server), "type=unixio,path=%s", socket);
		snprintf(control, sizeof(control), "type=unixio,path=%s.ctrl", socket);
		dup2(open("/dev/null", O_WRONLY), 2);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state_dir, "--server", server, "--ctrl", control,
		       "--flags", "not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
	wait_for(socket);
	if (make_tpm_key("") == 0)
		return 0;
	kill(swtpm, SIGKILL);
	waitpid(swtpm, NULL, 0);
	swtpm = 0;
	return 0;
}

static int drop_tpm(void **state)
{
	if (!swtpm)
		return 0;
	kill(swtpm, SIGTERM);
	waitpid(swtpm, NULL, 0);
	return unlink(in_dir("tpm/socket")) < 0 && errno != ENOENT;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_with_every_scheme),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_token_that_hangs),
		cmocka_unit_test(a_helper_that_dies),
		cmocka_unit_test(a_pin_that_is_changed_meanwhile),
		cmocka_unit_test(no_pin_is_tried_for_the_last_time),
		cmocka_unit_test_setup_teardown(a_key_of_a_tpm, make_tpm, drop_tpm),
		cmocka_unit_test_setup_teardown(a_tpm_whose_root_has_a_pin, make_tpm, drop_tpm),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
