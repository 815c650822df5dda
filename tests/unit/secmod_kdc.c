// kkdcp's KDCs, played by this test, and a resolver that it plays too: an address is there at once, a name's is found later, and
// nobody ever waits for it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "resolver_rig.h"
#include "secmod/kdc.h"
#include "secmod/kdchost.h"
#include "secmod/lookup.h"
#include "secmod/secmod.h"
#include "secmod_rig.h"

#define AGAIN_MS 30
#define PATIENCE_MS 10000
#define QUESTION "\x6a\x01\x00"
#define ANSWER "\x6b\x02\x01\x02"

static int kdc;       // at 127.0.0.1
static uint16_t port; // its port
static struct secmod sm;
static struct vhost vhost;
static struct settings settings = { .refs = 1, .n_vhosts = 1, .vhosts = &vhost };
static struct conn conn;
static struct chan main_end, worker;
static struct rig_inbox in;

// -------------------------------------------------------------------------------------------------------------------- rig

static void pair(struct chan *ours, struct chan *theirs, enum role peer, uint32_t our_state, uint32_t their_state)
{
	int fds[2];

	assert_int_equal(chan_pair(fds), 0);
	chan_init(ours, fds[0], ROLE_SECMOD, peer, our_state, "ours");
	chan_init(theirs, fds[1], peer, ROLE_SECMOD, their_state, "theirs");
}

static int set_up(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	kdc = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	PKI_NEED(bind(kdc, (struct sockaddr *)&sa, len) == 0 && getsockname(kdc, (struct sockaddr *)&sa, &len) == 0);
	port = ntohs(sa.sin_port);
	sm.base = event_base_new();
	STAILQ_INIT(&sm.out);
	pair(&sm.main, &main_end, ROLE_MAIN, CHAN_PLAIN, CHAN_PLAIN);
	pair(&conn.chan, &worker, ROLE_WORKER, SW_SIGNED, WS_KDC);
	conn.sm = &sm;
	conn.id = 1;
	conn.client = (struct addr){ 4, 32, 1234, { 192, 0, 2, 9 } };
	conn.settings = &settings;
	memset(&in, 0, sizeof(in));
	resolver.asked = 0;
	resolver_set(NULL, false);
	return 0;
}

static void start_lookups(void)
{
	lookup_start(sm.base);
	assert_int_equal(kdchosts_start(sm.base, AGAIN_MS), 0);
}

static int set_up_started(void **state)
{
	set_up(state);
	start_lookups();
	return 0;
}

// As sec-mod does: the resolver first, then the settings.
static int tear_down(void **state)
{
	kdc_drop(&conn);
	resolver_set(NULL, false);
	kdchosts_stop();
	assert_int_equal(lookup_stop(), 0);
	kdcs_unload(&vhost.kdcs);
	chan_fini(&conn.chan);
	chan_fini(&worker);
	chan_fini(&sm.main);
	chan_fini(&main_end);
	event_base_free(sm.base);
	close(kdc);
	return 0;
}

static void load(struct kdcs *k, const char *host)
{
	char value[300], text[LIMIT_TEXT + 1];
	const char *pairs[] = { "kkdcp", value, NULL };
	struct snapshot *snap;
	int fd;

	snprintf(value, sizeof(value), "/KdcProxy A.ORG udp@%s:%u", host, port);
	fd = rig_snapshot(pairs);
	assert_int_equal(snapshot_open(fd, &snap), 0);
	memset(k, 0, sizeof(*k));
	assert_int_equal(kdcs_load(k, snap, 0, text), 0);
	assert_int_equal(k->n, 1);
	snapshot_free(snap);
	close(fd);
}

static void run(int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(sm.base, &tv);
	event_base_dispatch(sm.base);
}

static void serve_kdc(void)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char question[64];

	if (recvfrom(kdc, question, sizeof(question), 0, (struct sockaddr *)&from, &len) == sizeof(QUESTION) - 1)
		sendto(kdc, ANSWER, sizeof(ANSWER) - 1, 0, (struct sockaddr *)&from, len);
}

// How long the answer to one question is; 0: that of a KDC that cannot be reached.
static unsigned ask(void)
{
	struct msg_kdc_req m = { .path = "/KdcProxy", .realm = "A.ORG", .message = QUESTION, .message_len = sizeof(QUESTION) - 1 };
	const unsigned before = in.count[MSG_KDC_REP];

	// of how often each may be sent the channel's own test knows
	memset(conn.chan.used, 0, sizeof(conn.chan.used));
	memset(worker.used, 0, sizeof(worker.used));
	assert_int_equal(kdc_ask(&conn, &m), 0);
	for (int ms = 0; ms < PATIENCE_MS && in.count[MSG_KDC_REP] == before; ms += 5) {
		run(5);
		serve_kdc();
		chan_serve(&worker, rig_to_worker, &in, 1);
	}
	assert_int_equal(in.count[MSG_KDC_REP], before + 1);
	assert_null(conn.kdc);
	return in.last[MSG_KDC_REP].kdc_rep.message_len;
}

static bool knows(const struct kdcs *k)
{
	return kdchost_addr(k->kdc[0].host).family != 0;
}

static void await_address(const struct kdcs *k)
{
	for (int ms = 0; ms < PATIENCE_MS && !knows(k); ms += 5)
		run(5);
	assert_true(knows(k));
}

static void await_asked(unsigned n)
{
	for (int ms = 0; ms < PATIENCE_MS && resolver_asked() < n; ms += 5)
		run(5);
	assert_true(resolver_asked() >= n);
}

// What is logged meanwhile goes to a file, where it can be counted.
static int hear_begin(int *kept)
{
	int heard = memfd_create("log", MFD_CLOEXEC);

	*kept = dup(2);
	PKI_NEED(heard >= 0 && *kept >= 0 && dup2(heard, 2) == 2);
	return heard;
}

static unsigned hear_end(int heard, int kept, const char *line)
{
	char text[8192] = "";
	unsigned n = 0;

	dup2(kept, 2);
	close(kept);
	PKI_NEED(pread(heard, text, sizeof(text) - 1, 0) >= 0);
	close(heard);
	for (const char *p = text; (p = strstr(p, line)) != NULL; p++)
		n++;
	return n;
}

// ------------------------------------------------------------------------------------------------------------------ facts

static void addresses(void **state)
{
	static const struct {
		const char *host;
		bool numeric;
	} rows[] = { { "127.0.0.1", true },    { "[::1]", true },      { "127.1", true }, { "[fe80::1%lo]", true },
		     { "kdc.example", false }, { "300.0.2.1", false }, { "a..b", false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		load(&vhost.kdcs, rows[i].host);
		assert_int_equal(vhost.kdcs.kdc[0].host == NULL, rows[i].numeric);
		kdcs_unload(&vhost.kdcs);
	}
	load(&vhost.kdcs, "127.0.0.1");
	assert_int_equal(ask(), sizeof(ANSWER) - 1);
	assert_memory_equal(in.last[MSG_KDC_REP].kdc_rep.message, ANSWER, sizeof(ANSWER) - 1);
}

static void a_resolver_that_thinks(void **state)
{
	resolver_set(NULL, true);
	load(&vhost.kdcs, "kdc.example");
	await_asked(1);
	assert_int_equal(ask(), 0);
	resolver_set("127.0.0.1", false);
	await_address(&vhost.kdcs);
	assert_int_equal(ask(), sizeof(ANSWER) - 1);
}

// At sec-mod's start the settings come first. In a trial nothing follows them.
static void before_lookups_begin(void **state)
{
	resolver_set("127.0.0.1", false);
	load(&vhost.kdcs, "kdc.example");
	run(2 * AGAIN_MS);
	assert_int_equal(resolver_asked(), 0);
	assert_int_equal(ask(), 0);
	start_lookups();
	await_address(&vhost.kdcs);
	assert_int_equal(ask(), sizeof(ANSWER) - 1);
}

static void a_name_that_nobody_knows(void **state)
{
	int kept, heard = hear_begin(&kept);

	load(&vhost.kdcs, "kdc.example");
	await_asked(4);
	assert_int_equal(hear_end(heard, kept, "KDC kdc.example: its address cannot be found"), 1);
	assert_false(knows(&vhost.kdcs));
	resolver_set("127.0.0.1", false);
	await_address(&vhost.kdcs);
	assert_int_equal(ask(), sizeof(ANSWER) - 1);
}

// Nobody listens where it was. What is known stays where the resolver knows nothing; who answers is not looked up again.
static void a_name_that_moves(void **state)
{
	unsigned asked;

	resolver_set("127.0.0.9", false);
	load(&vhost.kdcs, "kdc.example");
	await_address(&vhost.kdcs);
	asked = resolver_asked();
	resolver_set(NULL, false);
	assert_int_equal(ask(), 0);
	await_asked(asked + 1);
	assert_true(knows(&vhost.kdcs));
	resolver_set("127.0.0.1", false);
	assert_int_equal(ask(), 0);
	await_asked(asked + 2);
	for (int ms = 0; ms < PATIENCE_MS && kdchost_addr(vhost.kdcs.kdc[0].host).ip[3] != 1; ms += 5)
		run(5);
	assert_int_equal(ask(), sizeof(ANSWER) - 1);
	asked = resolver_asked();
	run(3 * AGAIN_MS);
	assert_int_equal(resolver_asked(), asked);
}

static void questions_that_fail_ask_no_resolver(void **state)
{
	unsigned asked;

	resolver_set("127.0.0.9", false);
	load(&vhost.kdcs, "kdc.example");
	await_address(&vhost.kdcs);
	kdchosts_stop();
	asked = resolver_asked();
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(), 0);
	assert_int_equal(resolver_asked(), asked);
}

#define SHARE 32

static void connect_from(struct conn *c, struct chan *peer, const char *from)
{
	pair(&c->chan, peer, ROLE_WORKER, SW_SIGNED, WS_KDC);
	c->sm = &sm;
	c->settings = &settings;
	assert_int_equal(addr_parse(from, &c->client), 0);
}

static bool may_ask(struct conn *c)
{
	struct msg_kdc_req m = { .path = "/KdcProxy", .realm = "A.ORG", .message = QUESTION, .message_len = sizeof(QUESTION) - 1 };

	assert_int_equal(kdc_ask(c, &m), 0);
	return c->kdc != NULL;
}

// A KDC that says nothing, and clients at one address who take no places but their own.
static void one_address_has_its_share(void **state)
{
	static const char *const others[] = { "192.0.2.7", "2001:db8::1" };
	static struct conn many[SHARE + 1];
	static struct chan peers[SHARE + 1];
	struct conn other = { 0 };
	struct chan peer;

	load(&vhost.kdcs, "127.0.0.1");
	for (int round = 0; round < 2; round++) {
		memset(many, 0, sizeof(many));
		for (int i = 0; i <= SHARE; i++) {
			char from[32];

			snprintf(from, sizeof(from), round == 0 ? "192.0.2.8" : "2001:db8:1::%x", i + 1);
			connect_from(&many[i], &peers[i], from);
			assert_int_equal(may_ask(&many[i]), i < SHARE);
		}
		memset(&other, 0, sizeof(other));
		connect_from(&other, &peer, others[round]);
		assert_true(may_ask(&other));
		kdc_drop(&many[0]);
		assert_true(may_ask(&many[SHARE]));
		kdc_drop(&other);
		chan_fini(&other.chan);
		chan_fini(&peer);
		for (int i = 0; i <= SHARE; i++) {
			kdc_drop(&many[i]);
			chan_fini(&many[i].chan);
			chan_fini(&peers[i]);
		}
	}
}

static void failures_do_not_fill_the_log(void **state)
{
	int kept, heard = hear_begin(&kept);

	load(&vhost.kdcs, "127.0.0.9"); // where nobody listens
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(), 0);
	assert_in_range(hear_end(heard, kept, "kkdcp: "), 0, 1);
}

// What has been found holds for new settings, whatever the resolver does now; and the reload asks it again.
static void a_reload(void **state)
{
	struct kdcs before;

	resolver_set("127.0.0.1", false);
	load(&before, "kdc.example");
	await_address(&before);
	resolver_set(NULL, true);
	load(&vhost.kdcs, "KDC.example");
	assert_ptr_equal(vhost.kdcs.kdc[0].host, before.kdc[0].host);
	kdcs_unload(&before);
	await_asked(2);
	assert_int_equal(ask(), sizeof(ANSWER) - 1);
}

static void settings_that_go(void **state)
{
	resolver_set("127.0.0.1", true);
	load(&vhost.kdcs, "kdc.example");
	await_asked(1);
	kdcs_unload(&vhost.kdcs);
	load(&vhost.kdcs, "another.example"); // waits behind it
	kdcs_unload(&vhost.kdcs);
	resolver_set("127.0.0.1", false);
	await_asked(2);
	run(2 * AGAIN_MS);
	assert_int_equal(resolver_asked(), 2);
}

// Lookups that wait, and one whose answer nobody has fetched.
static void the_end_meanwhile(void **state)
{
	resolver_set("127.0.0.1", true);
	load(&vhost.kdcs, "kdc.example");
	await_asked(1);
	resolver_set("127.0.0.1", false);
	kdchosts_stop();
	assert_int_equal(lookup_stop(), 0);
	assert_true(knows(&vhost.kdcs));
	assert_int_equal(ask(), sizeof(ANSWER) - 1);
}

#define STARTED(test) cmocka_unit_test_setup_teardown(test, set_up_started, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STARTED(addresses),
		STARTED(a_resolver_that_thinks),
		cmocka_unit_test_setup_teardown(before_lookups_begin, set_up, tear_down),
		STARTED(a_name_that_nobody_knows),
		STARTED(a_name_that_moves),
		STARTED(questions_that_fail_ask_no_resolver),
		STARTED(one_address_has_its_share),
		STARTED(failures_do_not_fill_the_log),
		STARTED(a_reload),
		STARTED(settings_that_go),
		STARTED(the_end_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
