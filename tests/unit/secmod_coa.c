// Orders at a real socket, with this test as the server that sends them and as main: who may, what is done, what is done once only.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "secmod/account.h"
#include "secmod/coa_inside.h"
#include "secmod/coa_request.h"
#include "secmod/radius_client.h"
#include "secmod/secmod.h"

#define SECRET "of-the-server"

static struct secmod sm;
static struct chan main_end;
static struct coa_config config;
static struct vhost vhost;
static struct settings settings = { .refs = 1000, .n_vhosts = 1, .vhosts = &vhost };
static int server; // that sends orders
static struct msg_session_change change;
static unsigned changes;

static int64_t ahead_ms, set_by; // the clock that only runs; what somebody has set the wall clock by, in seconds

// sec-mod's clock, for which a test need not wait.
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	const int ret = (int)syscall(SYS_clock_gettime, clock, ts);
	const int64_t ns = ts->tv_nsec + ahead_ms % 1000 * 1000000;

	if (ret == 0 && clock == CLOCK_MONOTONIC) {
		ts->tv_sec += ahead_ms / 1000 + ns / 1000000000;
		ts->tv_nsec = ns % 1000000000;
	} else if (ret == 0 && clock == CLOCK_REALTIME) {
		ts->tv_sec += set_by;
	}
	return ret;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

// ------------------------------------------------------------------------------------------------------------------- main

static int keep(void *who, const void *m, const int *fds)
{
	change = *(const struct msg_session_change *)m;
	changes++;
	return 0;
}

static const chan_handler handlers[MSG_NUMBERS] = { [MSG_SESSION_CHANGE] = keep };

// What main has been asked meanwhile.
static unsigned asked(void)
{
	changes = 0;
	event_base_loop(sm.base, EVLOOP_NONBLOCK);
	while (chan_serve(&main_end, handlers, NULL, 64) > 0)
		;
	return changes;
}

static void main_says(enum change_result result)
{
	coa_changed(sm.coa, &(struct msg_session_changed){ .token = change.token, .result = (uint8_t)result });
}

static void session(uint8_t n, const char *user, const char *id, const char *ipv4, const char *client)
{
	struct record r = { .sid = { n } };
	struct msg_session_up m = { .sid_len = SID_SIZE, .sid = { n }, .id = n };

	strcpy(r.user, user);
	strcpy(r.acct_id, id);
	assert_int_equal(addr_parse(ipv4, &m.ipv4), 0);
	assert_int_equal(addr_parse(client, &m.client), 0);
	assert_int_equal(addr_parse("192.0.2.1", &m.local), 0);
	account_up(sm.accounts, &r, &settings, &m);
}

// ----------------------------------------------------------------------------------------------------------------- server

struct request {
	uint8_t bytes[RADIUS_MAX];
	size_t len;
};

static struct request request;

static void begin(uint8_t code)
{
	static uint8_t id;

	memset(&request, 0, sizeof(request));
	request.bytes[0] = code;
	request.bytes[1] = id++;
	request.len = RADIUS_HEADER;
}

static void add(uint8_t type, const void *value, size_t len)
{
	request.bytes[request.len] = type;
	request.bytes[request.len + 1] = (uint8_t)(len + 2);
	memcpy(request.bytes + request.len + 2, value, len);
	request.len += len + 2;
}

static void add_text(uint8_t type, const char *text)
{
	add(type, text, strlen(text));
}

static void add_number(uint8_t type, uint32_t n)
{
	n = htonl(n);
	add(type, &n, sizeof(n));
}

static void add_speed(uint8_t type, uint32_t kilobits)
{
	uint8_t v[10] = { 0, 0, 10055 >> 8, 10055 & 0xff, type, 6 };

	kilobits = htonl(kilobits);
	memcpy(v + 6, &kilobits, 4);
	add(RADIUS_VENDOR_SPECIFIC, v, sizeof(v));
}

static void add_now(int past)
{
	add_number(RADIUS_EVENT_TIMESTAMP, (uint32_t)(time(NULL) - past));
}

static void sign(const char *secret)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	request.bytes[2] = (uint8_t)(request.len >> 8);
	request.bytes[3] = (uint8_t)request.len;
	memset(request.bytes + 4, 0, RADIUS_AUTHENTICATOR);
	assert_true(EVP_DigestInit(md, EVP_md5()) && EVP_DigestUpdate(md, request.bytes, request.len) &&
	            EVP_DigestUpdate(md, secret, strlen(secret)) && EVP_DigestFinal(md, request.bytes + 4, NULL));
	EVP_MD_CTX_free(md);
}

static void post(void)
{
	assert_int_equal(send(server, request.bytes, request.len, 0), (ssize_t)request.len);
	assert_true(poll(&(struct pollfd){ .fd = server, .events = POLLOUT }, 1, 100) >= 0);
	// it has crossed loopback when send() returns
	event_base_loop(sm.base, EVLOOP_NONBLOCK);
}

static uint8_t answer_code;
static uint32_t answer_cause;
static uint8_t answer[RADIUS_MAX];
static size_t answer_len;

// Is there an answer, signed and for this request?
static bool answered(void)
{
	struct radius_attribute a;
	struct radius_walk w;
	ssize_t n = recv(server, answer, sizeof(answer), MSG_DONTWAIT);

	if (n < 0)
		return false;
	answer_len = (size_t)n;
	assert_null(radius_check(answer, &answer_len));
	assert_null(radius_check_answer(answer, answer_len, request.bytes, SECRET, true));
	answer_code = answer[0];
	answer_cause = 0;
	radius_walk_begin(&w, answer, answer_len);
	while (radius_walk_next(&w, &a))
		if (a.type == RADIUS_ERROR_CAUSE)
			answer_cause = radius_number(&a);
	return true;
}

static void refused(uint32_t cause)
{
	post();
	assert_int_equal(asked(), 0);
	assert_true(answered());
	assert_int_equal(answer_code, request.bytes[0] == RADIUS_COA_REQUEST ? RADIUS_COA_NAK : RADIUS_DISCONNECT_NAK);
	assert_int_equal(answer_cause, cause);
}

static void not_answered(void)
{
	post();
	assert_int_equal(asked(), 0);
	assert_false(answered());
}

// ------------------------------------------------------------------------------------------------------------------ facts

static void disconnects(void **unused)
{
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_ACCT_SESSION_ID, "1111111111111111");
	add_now(0);
	add_text(RADIUS_PROXY_STATE, "of a proxy");
	sign(SECRET);
	post();
	assert_int_equal(asked(), 1);
	assert_int_equal(change.end, 1);
	assert_int_equal(change.sid[0], 1);
	assert_false(answered()); // main has not done it yet
	main_says(CHANGE_DONE);
	assert_true(answered());
	assert_int_equal(answer_code, RADIUS_DISCONNECT_ACK);
	assert_non_null(memmem(answer, answer_len, "of a proxy", 10));
	main_says(CHANGE_DONE); // nobody asked for that
	assert_false(answered());
}

static void changes_what_is_named(void **unused)
{
	begin(RADIUS_COA_REQUEST);
	add_text(RADIUS_USER_NAME, "bert");
	add(RADIUS_FRAMED_IP_ADDRESS, (uint8_t[]){ 10, 0, 0, 3 }, 4);
	add_speed(1, 8);
	add_speed(2, 0);
	add_number(RADIUS_SESSION_TIMEOUT, 60);
	add_number(RADIUS_IDLE_TIMEOUT, 0);
	add_text(RADIUS_FILTER_ID, "narrow");
	add_now(0);
	sign(SECRET);
	post();
	assert_int_equal(asked(), 1);
	assert_int_equal(change.sid[0], 3);
	assert_int_equal(change.end, 0);
	assert_int_equal(change.what, CHANGE_ALL);
	assert_int_equal(change.rx_rate, 1000); // kilobits to bytes
	assert_int_equal(change.tx_rate, 0);    // any
	assert_int_equal(change.session_timeout, 60);
	assert_int_equal(change.idle_timeout, 0);
	assert_string_equal(change.filter, "narrow");
	main_says(CHANGE_NO_FILTER);
	assert_true(answered());
	assert_int_equal(answer_code, RADIUS_COA_NAK);
	assert_int_equal(answer_cause, COA_INVALID_VALUE);
}

// Once more the same answer, but nothing is done again; whoever sends it, and whatever has become of the session.
static void repeats_are_answered_only(void **unused)
{
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "anna");
	add_now(200);
	sign(SECRET);
	post();
	assert_int_equal(asked(), 1);
	post(); // impatient
	assert_int_equal(asked(), 0);
	assert_false(answered());
	main_says(CHANGE_DONE);
	assert_true(answered());
	for (int i = 0; i < 3; i++) {
		post();
		assert_int_equal(asked(), 0);
		assert_true(answered());
		assert_int_equal(answer_code, RADIUS_DISCONNECT_ACK);
	}
}

static void old_ones_are_dropped(void **unused)
{
	static const struct {
		int past;
		bool served;
	} facts[] = { { 299, true }, { -298, true }, { 302, false }, { -302, false }, { 86400, false } };

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		begin(RADIUS_DISCONNECT_REQUEST);
		add_text(RADIUS_USER_NAME, "nobody");
		add_now(facts[i].past);
		sign(SECRET);
		if (facts[i].served)
			refused(COA_NO_SESSION);
		else
			not_answered();
	}
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "anna");
	sign(SECRET);
	refused(COA_MISSING_ATTRIBUTE); // it could be of any time
	config.window = 0;
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "nobody");
	sign(SECRET);
	refused(COA_NO_SESSION);
	config.window = 300;
}

// Who has done it remembers it for as long as its Event-Timestamp is good, and sec-mod's predecessor's memory is gone.
static void what_a_predecessor_may_have_done_is_dropped(void **unused)
{
	const int64_t now = time(NULL);
	static const struct {
		int past;
		bool served;
	} facts[] = { { 100, true }, { 99, true }, { 101, false }, { 250, false } };

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		sm.started_ms = monotonic_ms() - 100000;
		begin(RADIUS_DISCONNECT_REQUEST);
		add_text(RADIUS_USER_NAME, "nobody");
		add_number(RADIUS_EVENT_TIMESTAMP, (uint32_t)(now - facts[i].past));
		sign(SECRET);
		if (facts[i].served)
			refused(COA_NO_SESSION);
		else
			not_answered();
	}
}

// The clock was an hour ahead when sec-mod started, and is put right: what comes now is after that start all the same.
static void the_start_moves_with_the_clock(void **unused)
{
	set_by = 3600;
	sm.started_ms = monotonic_ms() - 100000;
	set_by = 0;
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "nobody");
	add_now(0);
	sign(SECRET);
	refused(COA_NO_SESSION);
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "nobody");
	add_now(101);
	sign(SECRET);
	not_answered();
}

// What was done and is forgotten is timely again once the clock goes back. It is not done again.
static void a_clock_that_goes_back_repeats_nothing(void **unused)
{
	sm.started_ms = monotonic_ms() - 7200000;
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "anna");
	add_now(0);
	sign(SECRET);
	post();
	assert_int_equal(asked(), 1);
	main_says(CHANGE_DONE);
	assert_true(answered());
	ahead_ms += 3600000;
	set_by = 3600;
	not_answered(); // by now it is old
	set_by = 0;
	not_answered();
	begin(RADIUS_DISCONNECT_REQUEST); // and what comes later is served
	add_text(RADIUS_USER_NAME, "nobody");
	add_now(-2);
	sign(SECRET);
	refused(COA_NO_SESSION);
}

// Of the furthest future: until the clock is past its last second it would be done again.
static void what_is_done_is_remembered_to_the_end(void **unused)
{
	config.window = 30; // twice it is the shortest memory
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "anna");
	add_now(-30);
	sign(SECRET);
	post();
	assert_int_equal(asked(), 1);
	main_says(CHANGE_DONE);
	assert_true(answered());
	ahead_ms = 60500;
	post();
	assert_int_equal(asked(), 0);
	assert_true(answered());
}

static void strangers_are_dropped(void **unused)
{
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "anna");
	add_now(0);
	sign("of-somebody");
	not_answered();
	sign(SECRET);
	request.bytes[RADIUS_HEADER + 2] ^= 1; // changed on its way
	not_answered();
	request.bytes[RADIUS_HEADER + 2] ^= 1;
	addr_parse("192.0.2.9", &config.client[0].network); // right, but from elsewhere
	not_answered();
	addr_parse("127.0.0.0/8", &config.client[0].network);
	begin(RADIUS_ACCESS_REQUEST);
	add_text(RADIUS_USER_NAME, "anna");
	sign(SECRET);
	not_answered();
	request.len = 3; // no packet at all
	not_answered();
}

// A RADIUS server that is configured by name may send from where that is by now.
static void who_has_a_name(void **unused)
{
	const struct radius_config c = { .n_servers = 1,
		                         .server[0] = { "radius.example", "x", { 4, 32, 1812, { 127, 0, 0, 1 } } } };
	struct radius_servers *servers;

	config.client[0].network = (struct addr){ 0 };
	strcpy(config.client[0].name, "radius.example");
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "nobody");
	add_now(0);
	sign(SECRET);
	not_answered();
	servers = radius_servers_get(&c, true);
	assert_non_null(servers);
	refused(COA_NO_SESSION);
	radius_servers_put(servers);
	config.client[0].name[0] = '\0';
	addr_parse("127.0.0.0/8", &config.client[0].network);
}

static void says_what_is_wrong(void **unused)
{
#define WRONG(code, cause, ...)                 \
	do {                                    \
		begin(RADIUS_##code##_REQUEST); \
		add_now(0);                     \
		__VA_ARGS__;                    \
		sign(SECRET);                   \
		refused(COA_##cause);           \
	} while (0)
	WRONG(DISCONNECT, MISSING_ATTRIBUTE);
	WRONG(COA, MISSING_ATTRIBUTE, add_text(RADIUS_USER_NAME, "anna"));
	WRONG(DISCONNECT, NO_SESSION, add_text(RADIUS_USER_NAME, "anna"), add(RADIUS_FRAMED_IP_ADDRESS, "\x0a\0\0\x03", 4));
	WRONG(DISCONNECT, NO_SESSION, add_text(RADIUS_CALLING_STATION_ID, "198.51.100.1"));
	WRONG(DISCONNECT, NO_SESSION, add_number(RADIUS_NAS_PORT, 77));
	WRONG(DISCONNECT, NAS_MISMATCH, add_text(RADIUS_USER_NAME, "anna"), add(RADIUS_NAS_IP_ADDRESS, "\x0a\0\0\x63", 4));
	WRONG(DISCONNECT, NAS_MISMATCH, add_text(RADIUS_USER_NAME, "anna"), add_text(RADIUS_NAS_IDENTIFIER, "another"));
	WRONG(DISCONNECT, INVALID_REQUEST, add_text(RADIUS_USER_NAME, "anna"), add_text(RADIUS_USER_NAME, "bert"));
	WRONG(DISCONNECT, INVALID_VALUE, add_text(RADIUS_USER_NAME, "an\nna"));
	WRONG(DISCONNECT, INVALID_VALUE, add(RADIUS_FRAMED_IP_ADDRESS, "\x0a", 1));
	WRONG(DISCONNECT, UNSUPPORTED_ATTRIBUTE, add_text(RADIUS_USER_NAME, "anna"), add_number(RADIUS_SESSION_TIMEOUT, 1));
	WRONG(DISCONNECT, UNSUPPORTED_ATTRIBUTE, add_text(RADIUS_USER_NAME, "anna"), add_number(12, 1400));
	WRONG(COA, UNSUPPORTED_SERVICE, add_text(RADIUS_USER_NAME, "anna"), add_number(RADIUS_SERVICE_TYPE, 17));
	WRONG(COA, INVALID_VALUE, add_text(RADIUS_USER_NAME, "anna"), add_number(RADIUS_SESSION_TIMEOUT, UINT32_MAX));
	WRONG(COA, INVALID_VALUE, add_text(RADIUS_USER_NAME, "anna"), add_speed(1, UINT32_MAX));
	WRONG(COA, UNSUPPORTED_ATTRIBUTE, add_text(RADIUS_USER_NAME, "anna"), add_speed(9, 1));
	WRONG(COA, MANY_SESSIONS, add_text(RADIUS_USER_NAME, "bert"), add_speed(1, 1)); // half of it could not be taken back
}

static void several_are_disconnected_at_once(void **unused)
{
	begin(RADIUS_DISCONNECT_REQUEST);
	add_text(RADIUS_USER_NAME, "bert");
	add(RADIUS_NAS_IP_ADDRESS, (uint8_t[]){ 192, 0, 2, 1 }, 4); // where their clients came to
	add_text(RADIUS_NAS_IDENTIFIER, "smoke");
	add_now(0);
	sign(SECRET);
	post();
	assert_int_equal(asked(), 2);
	main_says(CHANGE_DONE);
	assert_false(answered());
	main_says(CHANGE_NO_SESSION); // it has ended meanwhile
	assert_true(answered());
	assert_int_equal(answer_code, RADIUS_DISCONNECT_ACK);
}

static void addresses_are_read(void **unused)
{
	static const struct {
		const char *text, *expect;
	} facts[] = {
		{ "192.0.2.1", "192.0.2.1:3799" },
		{ "192.0.2.1:1700", "192.0.2.1:1700" },
		{ "2001:db8::1", "[2001:db8::1]:3799" },
		{ "[2001:db8::1]", "[2001:db8::1]:3799" },
		{ "[2001:db8::1]:1700", "[2001:db8::1]:1700" },
		{ "", "" },
		{ "192.0.2.1:", "" },
		{ "192.0.2.1:0", "" },
		{ "192.0.2.1:65536", "" },
		{ "192.0.2.1:1x", "" },
		{ "192.0.2.0/24", "" },
		{ "[2001:db8::1", "" },
		{ "[2001:db8::1]1700", "" },
		{ "gateway:3799", "" },
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		struct addr a = { 0 };
		char text[ADDR_TEXT] = "";

		if (coa_address_parse(facts[i].text, &a) == 0)
			addr_text_port(&a, text);
		assert_string_equal(text, facts[i].expect);
	}
}

// ------------------------------------------------------------------------------------------------------------------- life

static int up(void **unused)
{
	int fds[2];

	ahead_ms = 0;
	sm = (struct secmod){ .base = event_base_new() };
	STAILQ_INIT(&sm.out);
	if (chan_pair(fds) < 0)
		return -1;
	chan_init(&sm.main, fds[0], ROLE_SECMOD, ROLE_MAIN, CHAN_PLAIN, "main");
	chan_init(&main_end, fds[1], ROLE_MAIN, ROLE_SECMOD, CHAN_PLAIN, "secmod");
	sm.accounts = accounts_new(NULL, NULL);
	sm.coa = coa_new(&sm);
	session(1, "anna", "1111111111111111", "10.0.0.1", "192.0.2.7");
	session(2, "bert", "2222222222222222", "10.0.0.2", "192.0.2.8");
	session(3, "bert", "3333333333333333", "10.0.0.3", "192.0.2.8");
	return 0;
}

static int down(void **unused)
{
	accounts_free(sm.accounts);
	coa_free(sm.coa);
	event_base_free(sm.base);
	chan_fini(&sm.main);
	chan_fini(&main_end);
	close(server);
	return 0;
}

static int listening(void **state)
{
	char text[LIMIT_TEXT + 1];
	struct sockaddr_storage sa;
	socklen_t len;

	if (up(state) < 0)
		return -1;
	config = (struct coa_config){
		.window = 300, .n_clients = 1, .n_nas = 1, .client[0].secret = SECRET, .nas[0].identifier = "smoke"
	};
	addr_parse("127.0.0.0/8", &config.client[0].network);
	addr_parse("127.0.0.1", &config.listen);
	for (config.listen.port = 20000 + getpid() % 20000; coa_listen(sm.coa, &config, text) < 0; config.listen.port++)
		;
	server = socket(AF_INET, SOCK_DGRAM, 0);
	len = addr_to_sockaddr(&config.listen, &sa);
	return connect(server, (struct sockaddr *)&sa, len);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, listening, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(disconnects),
		TEST(changes_what_is_named),
		TEST(repeats_are_answered_only),
		TEST(old_ones_are_dropped),
		TEST(what_a_predecessor_may_have_done_is_dropped),
		TEST(the_start_moves_with_the_clock),
		TEST(a_clock_that_goes_back_repeats_nothing),
		TEST(what_is_done_is_remembered_to_the_end),
		TEST(strangers_are_dropped),
		TEST(who_has_a_name),
		TEST(says_what_is_wrong),
		TEST(several_are_disconnected_at_once),
		cmocka_unit_test(addresses_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
