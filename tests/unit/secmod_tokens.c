// Logins by tokens at the real penstock-secmod, without a KDC and without an issuer: whatever a client shows opens nothing, ends
// one login and no more, and leaves no process behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#include "secmod_rig_worker.h"

// Its issuer is a port that nobody listens at.
#define OIDC_FILE "{\"openid_configuration_url\":\"https://127.0.0.1:1/x\",\"client_id\":\"vpn\"}"

#define KKDCP "/KdcProxy A.ORG udp@a..b:88"
#define HELPERS 128 // at one time, by method_gssapi.c

// HTTP/gw@R, with a key of zeros (MIT's file format, version 2).
static const char keytab[] = "\5\2\0\0\0\x3c\0\2\0\1R\0\4HTTP\0\2gw\0\0\0\1\0\0\0\0\1\0\x12\0\x20"
                             "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

static char dir[] = "/tmp/secmod_tokens.XXXXXX";
static struct rig rig;
static struct rig_worker worker;

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void start_with(const char *file)
{
	char gssapi[200], oidc[200];
	const char *pairs[] = { "@log-level", "3",           "server-key", in_dir("key"),  "server-cert", in_dir("crt"),    "auth",
		                gssapi,       "enable-auth", oidc,         "auth-timeout", "30",          "cookie-timeout", "300",
		                "kkdcp",      KKDCP,         NULL };

	snprintf(gssapi, sizeof(gssapi), "gssapi[keytab=%s]", in_dir(file));
	snprintf(oidc, sizeof(oidc), "oidc[config=%s]", in_dir("oidc.json"));
	rig_start(&rig, pairs);
	assert_int_equal(rig.in.last[MSG_SECMOD_READY].secmod_ready.ok, 1);
	rig_connect_signed(&rig, &worker);
}

static void start(void)
{
	start_with("no-keytab");
}

static void stop(void)
{
	rig_disconnect(&worker);
	assert_int_equal(rig_stop(&rig), 0);
}

static void expect_no_helpers(void)
{
	for (int i = 0; rig_helpers(&rig, NULL) > 0; i++) {
		assert_in_range(i, 0, 1000);
		usleep(10000);
	}
}

static void begin(enum auth_kind kind)
{
	struct msg_auth_init m = { .kind = (uint8_t)kind };

	assert_int_equal(CHAN_SEND(&worker.chan, AUTH_INIT, &m), 0);
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	assert_int_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.wants_token, 1);
}

static void show(const char *token, size_t len)
{
	struct msg_auth_token m = { .token_len = (uint16_t)len };

	memcpy(m.token, token, len);
	assert_int_equal(CHAN_SEND(&worker.chan, AUTH_TOKEN, &m), 0);
}

static void what_is_no_token(void **state)
{
	static const char none[] = "eyJhbGciOiJub25lIn0.e30.";
	static char longest[LIMIT_TOKEN];

	start();
	begin(AUTH_BEARER);
	show(none, sizeof(none) - 1);
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	begin(AUTH_BEARER);
	show("\0\0", 2);
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	memset(longest, '.', sizeof(longest));
	begin(AUTH_BEARER);
	show(longest, sizeof(longest));
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(worker.in.last[MSG_AUTH_FAILED].auth_failed.tries_left, 0);
	stop();
}

// A good form, and nobody to ask for keys: the method's failure, and none of the user's.
static void without_an_issuer(void **state)
{
	static const char token[] = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.e30.AAAA";

	start();
	begin(AUTH_BEARER);
	show(token, sizeof(token) - 1);
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	stop();
}

static void without_a_keytab(void **state)
{
	start();
	begin(AUTH_NEGOTIATE);
	show("`\1\2", 3);
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.method, "gssapi");
	expect_no_helpers();
	stop();
}

// In the middle of a check, and before there was anything to check.
static void leaving(void **state)
{
	start();
	begin(AUTH_NEGOTIATE);
	rig_disconnect(&worker);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ABANDONED);
	rig_connect_signed(&rig, &worker);
	begin(AUTH_NEGOTIATE);
	show("`\1\2", 3);
	rig_disconnect(&worker);
	assert_in_range(rig_outcome(&rig, worker.conn), AUTH_BAD, AUTH_HUNG_UP);
	expect_no_helpers();
	rig_connect_signed(&rig, &worker);
	begin(AUTH_BEARER);
	rig_disconnect(&worker);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ABANDONED);
	rig_connect_signed(&rig, &worker);
	stop();
}

// Kerberos is what the client can do, and that is all it says: it is asked for more, and does not come again.
static void who_does_not_go_on_takes_nobodys_place(void **state)
{
	static const char offer[] =
	        "\x60\x1b\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x11\x30\x0f\xa0\x0d\x30\x0b\x06\x09\x2a\x86\x48\x86"
	        "\xf7\x12\x01\x02\x02";
	static struct chan waits[HELPERS];

	start_with("keytab");
	for (size_t i = 0; i < HELPERS; i++) {
		begin(AUTH_NEGOTIATE);
		show(offer, sizeof(offer) - 1);
		assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
		waits[i] = worker.chan;
		rig_connect_signed(&rig, &worker);
	}
	begin(AUTH_NEGOTIATE);
	show(offer, sizeof(offer) - 1);
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	rig_disconnect(&worker);
	worker.chan = waits[0]; // the oldest: its place was given away
	show(offer, sizeof(offer) - 1);
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	for (size_t i = 1; i < HELPERS; i++)
		chan_fini(&waits[i]);
	expect_no_helpers();
	stop();
}

// One in the place of the other costs the worker its life.
static void passwords_and_tokens(void **state)
{
	start();
	begin(AUTH_NEGOTIATE);
	rig_auth_cont(&worker, "secret");
	assert_true(rig_is_dropped(&worker));
	rig_disconnect(&worker);
	rig_connect_signed(&rig, &worker);
	begin(AUTH_BEARER); // sec-mod is as it was
	stop();
}

// The name of the KDC is one that no resolver is asked for, and nobody's: sec-mod has started all the same.
static void without_the_kdcs_address(void **state)
{
	struct msg_kdc_req m = { .path = "/KdcProxy", .realm = "A.ORG", .message = "\x6a\1\0", .message_len = 3 };

	start();
	assert_int_equal(CHAN_SEND(&worker.chan, KDC_REQ, &m), 0);
	chan_enter(&worker.chan, WS_KDC);
	assert_int_equal(rig_worker_await(&worker, MSG_KDC_REP), 0);
	assert_int_equal(worker.in.last[MSG_KDC_REP].kdc_rep.message_len, 0);
	assert_int_equal(rig_await(&rig, MSG_KDC_USED), 0);
	stop();
}

static int set_up(void **state)
{
	EVP_PKEY *key = pki_key("p256");
	X509 *cert = pki_cert(key);
	FILE *file;

	PKI_NEED(mkdtemp(dir) != NULL);
	pki_write_key(in_dir("key"), key, NULL);
	pki_write_cert(in_dir("crt"), cert);
	file = fopen(in_dir("oidc.json"), "w");
	PKI_NEED(file != NULL && fputs(OIDC_FILE, file) >= 0 && fclose(file) == 0);
	file = fopen(in_dir("keytab"), "w");
	PKI_NEED(file != NULL && fwrite(keytab, sizeof(keytab), 1, file) == 1 && fclose(file) == 0);
	EVP_PKEY_free(key);
	X509_free(cert);
	return 0;
}

static int clean_up(void **state)
{
	static const char *const files[] = { "key", "crt", "oidc.json", "keytab" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(in_dir(files[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_token),     cmocka_unit_test(without_an_issuer),
		cmocka_unit_test(without_a_keytab),     cmocka_unit_test(leaving),
		cmocka_unit_test(passwords_and_tokens), cmocka_unit_test(without_the_kdcs_address),
		cmocka_unit_test(passwords_and_tokens), cmocka_unit_test(who_does_not_go_on_takes_nobodys_place),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
