// Logins by RADIUS of the real penstock-secmod, against a server that this test plays: what it is asked, what its answers are
// worth, and that nothing it says or leaves unsaid lets anybody in who should not be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <openssl/sha.h>

#include "radius_rig.h"
#include "secmod/radius_packet.h"
#include "secmod_rig_worker.h"

static char dir[] = "/tmp/secmod_radius.XXXXXX";
static char key_path[64], cert_path[64], conf_path[64];
static struct radius_rig server;
static struct rig rig;
static struct rig_worker worker;

static const char *realm = ""; // default_realm

// A second to wait, one more try.
static void write_conf(void)
{
	FILE *f = fopen(conf_path, "w");

	fprintf(f,
	        "authserver 127.0.0.1:%u:%s\nacctserver 127.0.0.1::x\ndictionary /etc/radcli/dictionary\n"
	        "radius_timeout 1\nradius_retries 1\n%s%s\n",
	        server.port, RADIUS_RIG_SECRET, realm[0] != '\0' ? "default_realm " : "", realm);
	fclose(f);
}

static char auth[256];

static int make_snapshot(const char *options, int (*use)(const char *const *pairs))
{
	const char *pairs[] = { "@log-level",   "3",  "server-key",     key_path, "server-cert", cert_path, "auth", auth,
		                "auth-timeout", "30", "cookie-timeout", "300",    NULL };

	snprintf(auth, sizeof(auth), "radius[config=%s%s]", conf_path, options);
	return use(pairs);
}

static int begin(const char *const *pairs)
{
	rig_start(&rig, pairs);
	return rig.in.last[MSG_SECMOD_READY].secmod_ready.ok;
}

static void start(const char *options)
{
	assert_int_equal(make_snapshot(options, begin), 1);
	rig_connect_signed(&rig, &worker);
}

static void stop(void)
{
	rig_disconnect(&worker);
	assert_int_equal(rig_stop(&rig), 0);
}

static void ask(const char *user, const char *group, const char *password)
{
	assert_int_equal(rig_auth_init(&worker, user, group), 0);
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	assert_string_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.prompt, "Password:");
	assert_int_equal(rig_auth_cont(&worker, password), 0);
	assert_true(radius_rig_receive(&server, RIG_PATIENCE));
}

#define SAY(number, ...)                                                                                        \
	radius_rig_answer(&server, &(struct radius_rig_answer){ .code = (number),                               \
	                                                        .attributes = (const uint8_t[]){ __VA_ARGS__ }, \
	                                                        .len = sizeof((const uint8_t[]){ __VA_ARGS__ }) })

static bool request_has(uint8_t type, const void *value, size_t len)
{
	const uint8_t *a = radius_rig_find(server.request, server.len, type);

	return a != NULL && a[1] == 2 + len && memcmp(a + 2, value, len) == 0;
}

static void let_in_with_what_was_granted(void **state)
{
	struct msg_session_open open = { .conn = 4711, .client = { 4, 32, 99, { 192, 0, 2, 9 } }, .cookie_len = COOKIE_SIZE };
	const uint8_t *id;

	start(",groupconfig=true,nas-identifier=gateway");
	ask("joe", "", "right");
	assert_true(request_has(RADIUS_USER_NAME, "joe", 3));
	assert_true(request_has(RADIUS_NAS_IP_ADDRESS, "\xc0\0\x02\x01", 4)); // where the client came to
	assert_true(request_has(RADIUS_NAS_IDENTIFIER, "gateway", 7));
	assert_true(request_has(RADIUS_CALLING_STATION_ID, "192.0.2.9", 9));
	assert_true(request_has(RADIUS_CONNECT_INFO, "rig", 3));
	assert_true(request_has(RADIUS_SERVICE_TYPE, "\0\0\0\x08", 4));
	assert_true(request_has(RADIUS_NAS_PORT_TYPE, "\0\0\0\0", 4));
	id = radius_rig_find(server.request, server.len, RADIUS_ACCT_SESSION_ID);
	assert_non_null(id);
	assert_int_equal(id[1], 2 + LIMIT_ACCT_ID);
	assert_int_equal(server.request[RADIUS_HEADER], RADIUS_MESSAGE_AUTHENTICATOR);
	assert_null(radius_rig_find(server.request, server.len, RADIUS_STATE));

	SAY(RADIUS_ACCESS_ACCEPT, 25, 10, 'O', 'U', '=', 'a', ';', 'b', ' ', ' ', 8, 6, 10, 99, 0, 77, 27, 6, 0, 0, 14, 16);
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	assert_string_equal(worker.in.last[MSG_AUTH_DONE].auth_done.group, "a");
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_OK);
	assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.method, "radius");

	memcpy(open.cookie, worker.in.last[MSG_AUTH_DONE].auth_done.cookie, COOKIE_SIZE);
	assert_int_equal(CHAN_SEND(&rig.main, SESSION_OPEN, &open), 0);
	assert_int_equal(rig_await(&rig, MSG_SESSION_REPLY), 0);
	assert_int_equal(rig.in.last[MSG_SESSION_REPLY].session_reply.grants, 2);
	assert_int_equal(rig.in.count[MSG_SESSION_GRANT], 2);
	assert_string_equal(rig.in.last[MSG_SESSION_GRANT].session_grant.key, "explicit-ipv4");
	assert_string_equal(rig.in.last[MSG_SESSION_GRANT].session_grant.value, "10.99.0.77");
	stop();
}

static void is_called(const char *typed, const char *asked, const char *name)
{
	rig_connect_signed(&rig, &worker);
	ask(typed, "", "right");
	assert_true(request_has(RADIUS_USER_NAME, asked, strlen(asked)));
	SAY(RADIUS_ACCESS_ACCEPT, 18, 2);
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	assert_string_equal(worker.in.last[MSG_AUTH_DONE].auth_done.user, name);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_OK);
	assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.user, name);
	rig_disconnect(&worker);
}

// RFC 2865 5.1: the server's word, or else one name for what the server cannot tell apart.
static void a_user_has_one_name(void **state)
{
	realm = "example.org";
	write_conf();
	start("");
	ask("joe", "", "right");
	SAY(RADIUS_ACCESS_ACCEPT, 1, 6, 'j', 'o', 'h', 'n');
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	assert_string_equal(worker.in.last[MSG_AUTH_DONE].auth_done.user, "john");
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_OK);
	assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.user, "john");
	rig_disconnect(&worker);
	is_called("bob", "bob@example.org", "bob");
	is_called("bob@example.org", "bob@example.org", "bob");
	is_called("bob@EXAMPLE.org", "bob@EXAMPLE.org", "bob");
	is_called("bob@other.org", "bob@other.org", "bob@other.org");
	is_called("@example.org", "@example.org", "@example.org");
	assert_int_equal(rig_stop(&rig), 0);
	realm = "";
	write_conf();
}

static void refused(void **state)
{
	start("");
	for (int left = LIMIT_LOGIN_TRIES - 1; left >= 0; left--) {
		ask("joe", "", "wrong");
		SAY(RADIUS_ACCESS_REJECT, 18, 5, 'n', 'o', '!');
		assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
		assert_int_equal(worker.in.last[MSG_AUTH_FAILED].auth_failed.tries_left, left);
		assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	}
	stop();
}

static void the_group_has_to_be_ones_own(void **state)
{
	start("");
	ask("joe", "staff", "right");
	SAY(RADIUS_ACCESS_ACCEPT, 25, 8, 'g', 'u', 'e', 's', 't', 's');
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	ask("joe", "staff", "right");
	SAY(RADIUS_ACCESS_ACCEPT, 25, 8, 'g', 'u', 'e', 's', 't', 's', 25, 7, 's', 't', 'a', 'f', 'f');
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	assert_string_equal(worker.in.last[MSG_AUTH_DONE].auth_done.group, "staff");
	stop();
}

static void challenges(void **state)
{
	uint8_t id[2 + LIMIT_ACCT_ID];

	start("");
	ask("joe", "", "right");
	memcpy(id, radius_rig_find(server.request, server.len, RADIUS_ACCT_SESSION_ID), sizeof(id));
	for (uint8_t round = 1; round < LIMIT_AUTH_ROUNDS; round++) {
		SAY(RADIUS_ACCESS_CHALLENGE, 18, 7, 'C', 'o', 'd', 'e', ':', 24, 3, round);
		assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
		assert_string_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.prompt, "Code:");
		assert_int_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.round, round);
		assert_int_equal(rig_auth_cont(&worker, "123456"), 0);
		assert_true(radius_rig_receive(&server, RIG_PATIENCE));
		assert_true(request_has(RADIUS_STATE, &round, 1));
		assert_true(request_has(RADIUS_ACCT_SESSION_ID, id + 2, LIMIT_ACCT_ID)); // one session, one id
	}
	SAY(RADIUS_ACCESS_CHALLENGE, 24, 3, 99); // one too many
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	rig_disconnect(&worker);

	rig_connect_signed(&rig, &worker);
	ask("joe", "", "right");
	SAY(RADIUS_ACCESS_CHALLENGE, 24, 3, 1); // without a word
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	assert_string_equal(worker.in.last[MSG_AUTH_ASK].auth_ask.prompt, "Response:");
	assert_int_equal(rig_auth_cont(&worker, "123456"), 0);
	assert_true(radius_rig_receive(&server, RIG_PATIENCE));
	SAY(RADIUS_ACCESS_ACCEPT, 18, 4, 'h', 'i');
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	stop();
}

// Nobody gets in with half of what his server wanted for him.
static void answers_that_lie(void **state)
{
	static const struct {
		const char *attributes;
		size_t len;
	} rows[] = {
#define LIE(text) { text, sizeof(text) - 1 }
		LIE("\x16\x0f"
		    "10.0.0.0/8;id"),
		LIE("\x16\x0d"
		    "10.0.0.0/8\n"),
		LIE("\x16\x0d"
		    "10.0.0.0/8\0"),
		LIE("\x16\x07$(id)"),
		LIE("\x01\x06../x"),
		LIE("\x01\x05x\ny"),
		LIE("\x01\x03"
		    "a\x01\x03"
		    "b"),
		LIE("\x19\x0cOU=a\nroute"),
		LIE("\x19\x09OU=../x"),
		LIE("\x08\x05\x0a\x63\x00"),
		LIE("\x06\x06\0\0\0\x06"),
		LIE("\x1a\x0b\0\0\x27\x47\x01\x06\0\0\x01"),
	};

	start(",groupconfig=true");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ask("joe", "", "right");
		radius_rig_answer(&server, &(struct radius_rig_answer){ .code = RADIUS_ACCESS_ACCEPT,
		                                                        .attributes = (const uint8_t *)rows[i].attributes,
		                                                        .len = rows[i].len });
		assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
		assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
		rig_disconnect(&worker);
		rig_connect_signed(&rig, &worker);
	}
	stop();
}

// More routes than a session can keep.
static void a_flood_of_attributes(void **state)
{
	static uint8_t many[4000];
	size_t len = 0;

	start(",groupconfig=true");
	for (; len + 7 <= sizeof(many); len += 7)
		memcpy(many + len,
		       "\x63\x07"
		       "a::/8",
		       7);
	ask("joe", "", "right");
	radius_rig_answer(&server, &(struct radius_rig_answer){ .code = RADIUS_ACCESS_ACCEPT, .attributes = many, .len = len });
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	stop();
}

static void silence(void **state)
{
	struct rig_worker other;

	start("");
	ask("joe", "", "right");
	rig_connect_signed(&rig, &other); // meanwhile others have their handshakes
	rig_disconnect(&other);
	assert_true(radius_rig_receive(&server, RIG_PATIENCE));
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	assert_true(rig.in.last[MSG_AUTH_EVENT].auth_event.milliseconds >= 1900);
	assert_string_equal(rig.in.last[MSG_AUTH_EVENT].auth_event.user, "joe");
	stop();
}

static void unsigned_answers(void **state)
{
	static const struct radius_rig_answer yes = { .code = RADIUS_ACCESS_ACCEPT, .unsigned_ = true };

	start(""); // no answer, and in the end no login
	ask("joe", "", "right");
	radius_rig_answer(&server, &yes);
	assert_true(radius_rig_receive(&server, RIG_PATIENCE));
	radius_rig_answer(&server, &yes);
	assert_int_equal(rig_next(&worker), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	stop();

	start(",require-message-authenticator=false");
	ask("joe", "", "right");
	radius_rig_answer(&server, &yes);
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	stop();
}

// Who hangs up has guessed all the same; a yes opens nothing then.
static void hanging_up(void **state)
{
	start("");
	ask("joe", "", "wrong");
	rig_disconnect(&worker);
	SAY(RADIUS_ACCESS_REJECT, 18, 2);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_BAD);
	rig_connect_signed(&rig, &worker);
	ask("joe", "", "right");
	rig_disconnect(&worker);
	SAY(RADIUS_ACCESS_ACCEPT, 18, 2);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ABANDONED);
	rig_connect_signed(&rig, &worker);
	ask("joe", "", "right");
	SAY(RADIUS_ACCESS_CHALLENGE, 24, 3, 1);
	assert_int_equal(rig_next(&worker), MSG_AUTH_ASK);
	rig_disconnect(&worker);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_HUNG_UP);
	rig_connect_signed(&rig, &worker);
	ask("joe", "", "right");
	rig_disconnect(&worker);
	SAY(RADIUS_ACCESS_CHALLENGE, 24, 3, 1); // nobody is there to be asked
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_HUNG_UP);
	rig_connect_signed(&rig, &worker);
	stop();
}

static int reload(const char *const *pairs)
{
	struct msg_secmod_reload prepare = { .token = 7 };
	struct msg_secmod_switch commit = { .token = 7, .commit = 1 };
	int conf = rig_snapshot(pairs);

	assert_int_equal(chan_send(&rig.main, MSG_SECMOD_RELOAD, &prepare, &conf), 0);
	close(conf);
	assert_int_equal(rig_await(&rig, MSG_SECMOD_RELOADED), 0);
	if (!rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded.ok)
		return 0;
	assert_int_equal(CHAN_SEND(&rig.main, SECMOD_SWITCH, &commit), 0);
	return 1;
}

static void reloads(void **state)
{
	start("");
	ask("joe", "", "right");
	assert_int_equal(make_snapshot(",groupconfig=true", reload), 1);
	SAY(RADIUS_ACCESS_ACCEPT, 18, 4, 'h', 'i');
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	assert_int_equal(make_snapshot(",group-separator=dot", reload), 0);
	assert_non_null(strstr(rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded.text, "group-separator=dot is not supported"));
	assert_int_equal(make_snapshot(",colour=red", reload), 0);
	strcat(conf_path, ".gone");
	assert_int_equal(make_snapshot("", reload), 0);
	assert_non_null(strstr(rig.in.last[MSG_SECMOD_RELOADED].secmod_reloaded.text, "radius.conf.gone"));
	conf_path[strlen(conf_path) - strlen(".gone")] = '\0';
	stop();
}

// RFC 2865 5.2 has room for 128 bytes.
static void a_long_password(void **state)
{
	char password[LIMIT_PASSWORD + 1] = "";

	start("");
	memset(password, 'x', 129);
	assert_int_equal(rig_login(&worker, "joe", "", password), MSG_AUTH_FAILED);
	assert_int_equal(rig_outcome(&rig, worker.conn), AUTH_ERROR);
	password[128] = '\0';
	ask("joe", "", password);
	SAY(RADIUS_ACCESS_ACCEPT, 18, 4, 'h', 'i');
	assert_int_equal(rig_next(&worker), MSG_AUTH_DONE);
	stop();
}

static int set_up(void **state)
{
	EVP_PKEY *key = pki_key("p256");
	X509 *cert = pki_cert(key);

	assert_non_null(mkdtemp(dir));
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	snprintf(conf_path, sizeof(conf_path), "%s/radius.conf", dir);
	pki_write_key(key_path, key, NULL);
	pki_write_cert(cert_path, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	assert_int_equal(radius_rig_open(&server, "127.0.0.1", 0), 0);
	write_conf();
	return 0;
}

static int clean_up(void **state)
{
	char command[128];

	close(server.fd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(let_in_with_what_was_granted),
		cmocka_unit_test(refused),
		cmocka_unit_test(a_user_has_one_name),
		cmocka_unit_test(the_group_has_to_be_ones_own),
		cmocka_unit_test(challenges),
		cmocka_unit_test(answers_that_lie),
		cmocka_unit_test(a_flood_of_attributes),
		cmocka_unit_test(silence),
		cmocka_unit_test(unsigned_answers),
		cmocka_unit_test(hanging_up),
		cmocka_unit_test(reloads),
		cmocka_unit_test(a_long_password),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
