// The running penstock-secmod against hostile workers. For every state that a worker can bring its channel into, it then sends what
// the table does not allow there. Each time: the offender's channel closes, no descriptor stays behind, and the same process
// signs and logs in for an honest worker.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door.h"
#include "handshake.h"
#include "login.h"
#include "measure.h"
#include "proto/log.h"
#include "victim.h"

static struct victim secmod;
static char dir[] = "/tmp/penstock-hostile-XXXXXX";
static uint64_t next_conn = 1;
static long attacks;

// -------------------------------------------------------------------------------------------------- main's side: take it all

static bool ready;
static int events, cookies_shown;

static int on_ready(void *who, const void *m, const int *fds)
{
	ready = ((const struct msg_secmod_ready *)m)->ok;
	if (!ready)
		print_error("%s\n", ((const struct msg_secmod_ready *)m)->text);
	return 0;
}

static int on_event(void *who, const void *m, const int *fds)
{
	events++;
	return 0;
}

static int on_shown(void *who, const void *m, const int *fds)
{
	assert_string_equal(((const struct msg_cookie_shown *)m)->user, "alice");
	cookies_shown++;
	return 0;
}

static const chan_handler from_secmod[MSG_NUMBERS] = {
	[MSG_SECMOD_READY] = on_ready, [MSG_AUTH_EVENT] = on_event,   [MSG_SESSION_GONE] = on_event,
	[MSG_KDC_USED] = on_event,     [MSG_COOKIE_SHOWN] = on_shown,
};

static void drain_main(void)
{
	int ret;

	while ((ret = chan_serve(&secmod.chan, from_secmod, NULL, 100)) > 0)
		;
	assert_int_equal(ret, -EAGAIN);
}

// ------------------------------------------------------------------------------------------------------- an honest worker

static void worker_open_from(struct login *w, uint8_t host)
{
	struct msg_worker_open m = { .client = { 4, 32, 1, { 192, 0, 2, host } }, .local = { 4, 32, 443, { 192, 0, 2, 2 } } };
	int fds[2];

	m.conn = next_conn++;
	assert_int_equal(chan_pair(fds), 0);
	assert_int_equal(chan_send(&secmod.chan, MSG_WORKER_OPEN, &m, &fds[1]), 0);
	close(fds[1]);
	login_init(w, fds[0]);
}

static void worker_open(struct login *w)
{
	worker_open_from(w, 1);
}

static void honest_login_works(void)
{
	uint64_t began = now_us();
	struct login w;

	worker_open(&w);
	assert_true(login_all(&w, "alice"));
	measure_login(began);
	chan_fini(&w.chan);
	// its record would stay, and memory with it
	assert_int_equal(CHAN_SEND(&secmod.chan, SESSION_REVOKE, &(struct msg_session_revoke){ .user = "alice" }), 0);
	drain_main();
}

// ----------------------------------------------------------------------------------------------------------------- states

static void reach_hello(struct login *w)
{
	worker_open(w);
}

static void reach_signed(struct login *w)
{
	worker_open(w);
	assert_true(login_sign(w));
}

static void reach_asked(struct login *w)
{
	reach_signed(w);
	assert_true(login_begin(w, "alice"));
}

static void reach_busy(struct login *w)
{
	reach_signed(w);
	assert_true(login_begin(w, "slow"));
	assert_true(login_answer(w, LOGIN_PASSWORD));
}

static void reach_done(struct login *w)
{
	reach_asked(w);
	assert_true(login_answer(w, LOGIN_PASSWORD));
	assert_true(login_finish(w));
}

// A TLS session of an earlier connection goes on.
static const uint8_t session_id[LIMIT_RESUME_ID] = "a session that may be resumed";

static bool store(struct login *w, const uint8_t id[LIMIT_RESUME_ID])
{
	struct msg_resume_store m = { .id_len = LIMIT_RESUME_ID, .state_len = 4, .state = "abcd" };

	memcpy(m.id, id, LIMIT_RESUME_ID);
	return CHAN_SEND(&w->chan, RESUME_STORE, &m) == 0;
}

static bool fetch(struct login *w, const uint8_t id[LIMIT_RESUME_ID])
{
	struct msg_resume_fetch m = { .id_len = LIMIT_RESUME_ID };

	memcpy(m.id, id, LIMIT_RESUME_ID);
	w->resumed = false;
	chan_enter(&w->chan, WS_RESUMING);
	return CHAN_SEND(&w->chan, RESUME_FETCH, &m) == 0 && login_await(w, MSG_RESUME_REP) == 0 && w->resumed;
}

static void reach_resumed(struct login *w)
{
	static bool stored;
	struct login first;

	if (!stored) {
		reach_signed(&first);
		assert_true(store(&first, session_id));
		assert_true(login_begin(&first, "alice")); // after which it has been stored
		chan_fini(&first.chan);
		stored = true;
	}
	worker_open(w);
	assert_true(fetch(w, session_id));
}

static const struct place {
	const char *name;
	uint32_t state;
	void (*reach)(struct login *);
} places[] = {
	{ "SW_HELLO", SW_HELLO, reach_hello }, { "SW_SIGNED", SW_SIGNED, reach_signed },
	{ "SW_ASKED", SW_ASKED, reach_asked }, { "SW_BUSY", SW_BUSY, reach_busy },
	{ "SW_DONE", SW_DONE, reach_done },    { "SW_RESUMED", SW_RESUMED, reach_resumed },
};

#define PLACES (sizeof(places) / sizeof(places[0]))
static const uint32_t states[PLACES] = { SW_HELLO, SW_SIGNED, SW_ASKED, SW_BUSY, SW_DONE, SW_RESUMED };

// ---------------------------------------------------------------------------------------------------------------- attacks

static void attack_from(void *arg, const struct attack *a)
{
	const struct place *p = &places[(const uint32_t *)arg - states];
	struct login w;

	p->reach(&w);
	measure_attack();
	assert_int_equal(probe_send(w.chan.fd, a->packet.buf, a->packet.len, a->fds), 0);
	if (!victim_drops(w.chan.fd))
		fail_msg("%s in %s: the offender keeps its channel", a->name, p->name);
	measure_ended();
	chan_fini(&w.chan);
	drain_main();
	if (!victim_lives(&secmod))
		fail_msg("%s in %s: sec-mod died", a->name, p->name);
	if (!victim_fds_settle(&secmod))
		fail_msg("%s in %s: %d descriptors, not %d", a->name, p->name, probe_count_fds(secmod.pid), secmod.fds);
	honest_login_works();
	attacks++;
}

static void out_of_place_in_every_state(void **state)
{
	char name[64];

	for (size_t i = 0; i < PLACES; i++) {
		snprintf(name, sizeof(name), "to sec-mod: what is not allowed in %s", places[i].name);
		measure_begin(name);
		attacks_out_of_place(ROLE_WORKER, ROLE_SECMOD, places[i].state, attack_from, (void *)&states[i]);
		measure_end();
	}
}

static void without_head(void **state)
{
	measure_begin("to sec-mod: what is no message");
	attacks_without_head(attack_from, (void *)&states[0]);
	measure_end();
}

static void malformed(void **state)
{
	door_malformed(&(struct door){ "to sec-mod", ROLE_SECMOD, states, PLACES, attack_from });
}

// ------------------------------------------------------------------------------------------- what the table cannot forbid

#define CERTIFICATE_VERIFY "TLS 1.3, server CertificateVerify"

// Who is refused is dropped.
static bool signs(const struct msg_sign_req *m)
{
	struct login w;

	worker_open(&w);
	chan_enter(&w.chan, WS_SIGNING);
	measure_attack();
	assert_int_equal(CHAN_SEND(&w.chan, SIGN_REQ, m), 0);
	chan_await(&w.chan, login_handlers, &w, MSG_SIGN_REP, 1000);
	if (!w.signature)
		assert_true(victim_drops(w.chan.fd));
	measure_ended();
	chan_fini(&w.chan);
	return w.signature;
}

static void it_signs_nothing_but_handshakes(void **state)
{
	static const struct {
		uint8_t vhost, key;
		uint16_t scheme, len;
		const char *start;
	} rows[] = {
		{ 0, 0, 0x0403, 130, "TLS 1.3, client CertificateVerify" },
		{ 0, 0, 0x0403, 32, "" }, // a bare digest
		{ 0, 0, 0x0403, 512, "tbsCertificate" },
		{ 0, 1, 0x0403, 130, CERTIFICATE_VERIFY }, // no such key
		{ 0, 7, 0x0403, 130, CERTIFICATE_VERIFY },
		{ 0, 0, 0x0401, 130, CERTIFICATE_VERIFY }, // not with this kind of key
		{ 0, 0, 0xffff, 130, CERTIFICATE_VERIFY },
		{ 1, 1, 0x0403, 130, CERTIFICATE_VERIFY }, // what another virtual host has, or nobody
		{ 2, 0, 0x0403, 130, CERTIFICATE_VERIFY },
		{ LIMIT_VHOSTS - 1, 0, 0x0403, 130, CERTIFICATE_VERIFY },
	};

	measure_begin("to sec-mod: signatures over what is no handshake, by keys of others");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct msg_sign_req m = { rows[i].vhost, rows[i].key, rows[i].scheme, .tbs_len = rows[i].len };
		memset(m.tbs, ' ', 64);
		memcpy(m.tbs + (m.tbs_len == 130 ? 64 : 0), rows[i].start, strlen(rows[i].start));
		m.tbs[m.tbs_len == 130 ? 97 : 0] = 0;
		assert_false(signs(&m));
	}
	honest_login_works();
	measure_end();
}

// TLS 1.2: both randoms, and the server's share of the exchange (a named curve, its number, the length of a point, the point).
static void it_signs_nothing_but_shares(void **state)
{
	static const struct {
		uint8_t share[5];
		uint16_t len, scheme;
		bool signs;
	} rows[] = {
		{ { 3, 0, 23, 65, 4 }, 65, 0x0403, true },  { { 3, 0, 29, 32, 9 }, 32, 0x0403, true },
		{ { 1, 0, 23, 65, 4 }, 65, 0x0403, false }, // a curve that is described, not named
		{ { 3, 0, 23, 65, 2 }, 65, 0x0403, false }, // a compressed point
		{ { 3, 0, 23, 65, 4 }, 64, 0x0403, false }, // cut off
		{ { 3, 0, 23, 65, 4 }, 66, 0x0403, false }, // and more behind it
		{ { 3, 1, 0, 65, 4 }, 65, 0x0403, false },  // a group of finite fields
		{ { 3, 0, 23, 65, 4 }, 65, 0x0804, false }, // RSA, which this key is none of
	};

	measure_begin("to sec-mod: signatures over what is no key exchange");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct msg_sign_req m = { .scheme = rows[i].scheme, .tbs_len = (uint16_t)(64 + 4 + rows[i].len) };

		memcpy(m.tbs + 64, rows[i].share, sizeof(rows[i].share));
		assert_int_equal(signs(&m), rows[i].signs);
	}
	honest_login_works();
	measure_end();
}

static void one_signature_a_connection(void **state)
{
	struct login w;

	worker_open(&w);
	assert_true(login_sign(&w));
	assert_int_equal(login_ask_signature(&w), 0);
	assert_true(victim_drops(w.chan.fd));
	chan_fini(&w.chan);
	honest_login_works();
}

// ------------------------------------------------------------------------------------- certificates that are not the client's

#define SERIAL 4711

static struct handshake tls; // of an honest client, with the certificate of somebody whom sec-mod knows

static EVP_PKEY *authority; // of login.h's certificate, which is one here, too

// Revokes the certificate with this number; 0: none.
static void write_crl(long serial)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/crl.pem", dir);
	pki_write_crl(path, tls.server_cert, authority, serial, 86400);
}

static int sign_there(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t len, uint8_t *signature,
                      size_t room)
{
	struct login *w = who;
	struct msg_sign_req m = { .vhost = vhost, .key = key, .scheme = scheme, .tbs_len = (uint16_t)len };

	memcpy(m.tbs, tbs, len);
	chan_enter(&w->chan, WS_SIGNING);
	if (CHAN_SEND(&w->chan, SIGN_REQ, &m) < 0 || login_await(w, MSG_SIGN_REP) < 0 || !w->signature)
		return -EIO;
	memcpy(signature, w->signed_by.signature, w->signed_by.signature_len);
	return w->signed_by.signature_len;
}

static void hand_over(struct login *w, const uint8_t *messages, size_t len, size_t said)
{
	struct msg_cert_part part;

	for (size_t at = 0; at < len; at += part.messages_len) {
		part.messages_len = (uint16_t)(len - at < LIMIT_CERT_PART ? len - at : LIMIT_CERT_PART);
		memcpy(part.messages, messages + at, part.messages_len);
		CHAN_SEND(&w->chan, CERT_PART, &part);
	}
	chan_enter(&w->chan, WS_PROVING);
	CHAN_SEND(&w->chan, CERT_PROVE, &(struct msg_cert_prove){ .len = (uint32_t)said });
}

static bool logs_in_by_certificate(struct login *w)
{
	struct pollfd p = { .fd = w->chan.fd, .events = POLLIN };

	chan_enter(&w->chan, WS_LOGIN);
	assert_int_equal(CHAN_SEND(&w->chan, AUTH_INIT, &(struct msg_auth_init){ .kind = AUTH_CERTIFICATE }), 0);
	while (!w->done && !w->failed && poll(&p, 1, 20000) == 1 && chan_serve(&w->chan, login_handlers, w, 1) > 0)
		;
	return w->done;
}

static void shake(struct login *w, int version)
{
	worker_open(w);
	tls.who = w;
	tls.version = version;
	assert_true(handshake_run(&tls));
}

static void a_client_is_who_signed(void **state)
{
	struct login w;

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		shake(&w, version);
		hand_over(&w, tls.messages, tls.len, tls.len);
		assert_int_equal(login_await(&w, MSG_CERT_RESULT), 0);
		assert_true(w.certified);
		assert_true(logs_in_by_certificate(&w));
		assert_string_equal(w.cookie.user, "alice");
		chan_fini(&w.chan);
	}
	drain_main();
}

static void nobody_without_a_proof(void **state)
{
	struct login w;

	reach_signed(&w);
	assert_false(logs_in_by_certificate(&w));
	assert_true(w.failed);
	chan_fini(&w.chan);
	reach_resumed(&w); // a session that began without
	assert_false(logs_in_by_certificate(&w));
	assert_true(w.failed);
	chan_fini(&w.chan);
	drain_main();
}

// Proven, and then revoked before the client logs in.
static void a_certificate_is_looked_at_again(void **state)
{
	struct login w;

	shake(&w, TLS1_3_VERSION);
	hand_over(&w, tls.messages, tls.len, tls.len);
	assert_int_equal(login_await(&w, MSG_CERT_RESULT), 0);
	assert_true(w.certified);
	write_crl(SERIAL);
	assert_false(logs_in_by_certificate(&w));
	assert_true(w.failed);
	write_crl(0);
	chan_fini(&w.chan);
	drain_main();
}

enum lie { NOTHING, NOISE, HALF, TOO_SHORT, TOO_LONG, FORGED, ANOTHERS, ANOTHERS_RESIGNED, TWICE, LIES };

static void tell(struct login *w, enum lie lie, int version)
{
	static uint8_t noise[LIMIT_TRANSCRIPT];
	struct login victim;

	memset(noise, 11, sizeof(noise));
	if (lie <= NOISE)
		reach_signed(w);
	else
		shake(w, version);
	switch (lie) {
	case NOTHING:
		hand_over(w, noise, 0, 1);
		break;
	case NOISE:
		hand_over(w, noise, sizeof(noise), sizeof(noise));
		break;
	case HALF:
		hand_over(w, tls.messages, tls.len / 2, tls.len / 2);
		break;
	case TOO_SHORT:
	case TOO_LONG:
		hand_over(w, tls.messages, tls.len, tls.len + (lie == TOO_SHORT ? 1 : -1));
		break;
	case FORGED: // his certificate, but not his signature
		tls.messages[tls.len - 1] ^= 1;
		hand_over(w, tls.messages, tls.len, tls.len);
		break;
	case ANOTHERS: // whose worker was taken over, or who was overheard
		chan_fini(&w->chan);
		reach_signed(w);
		hand_over(w, tls.messages, tls.len, tls.len);
		break;
	case ANOTHERS_RESIGNED:
		victim = *w;
		worker_open(w);
		assert_true(sign_there(w, 0, 0, tls.scheme, tls.tbs, tls.tbs_len, noise, sizeof(noise)) > 0);
		hand_over(w, tls.messages, tls.len, tls.len);
		chan_fini(&victim.chan);
		break;
	default: // TWICE
		hand_over(w, tls.messages, tls.len, tls.len);
		CHAN_SEND(&w->chan, CERT_PROVE, &(struct msg_cert_prove){ .len = (uint32_t)tls.len });
		break;
	}
}

static void no_lie_is_a_proof(void **state)
{
	struct login w;

	measure_begin("to sec-mod: proofs of certificates that are none");
	for (int lie = NOTHING; lie < LIES; lie++)
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			tell(&w, lie, version);
			measure_attack();
			if (!victim_drops(w.chan.fd))
				fail_msg("lie %d (%x): the offender keeps its channel", lie, version);
			chan_fini(&w.chan);
			drain_main();
			honest_login_works();
		}
	measure_end();
}

// What another connection has stored is only for its client; nobody writes over it; and it is not what certificates come from.
static void sessions_are_their_clients(void **state)
{
	static const uint8_t unknown[LIMIT_RESUME_ID] = "nobody's";
	struct login w;

	reach_resumed(&w);
	chan_fini(&w.chan);
	worker_open_from(&w, 77);
	assert_false(fetch(&w, session_id));
	assert_false(fetch(&w, unknown));
	assert_false(fetch(&w, session_id));
	assert_true(login_all(&w, "alice")); // a whole handshake goes on as ever
	chan_fini(&w.chan);
	reach_signed(&w);
	assert_true(store(&w, session_id));
	assert_true(victim_drops(w.chan.fd));
	chan_fini(&w.chan);
	worker_open(&w);
	for (int i = 0; i < LIMIT_RESUME_FETCHES; i++)
		assert_false(fetch(&w, unknown));
	assert_false(fetch(&w, session_id));
	assert_true(victim_drops(w.chan.fd));
	chan_fini(&w.chan);
	honest_login_works();
}

// ---------------------------------------------------------------------------------------------------------------- tries

// The handshake says whose it is, and the login that follows has nothing to say about it.
static void another_vhost_signs_too(void **state)
{
	struct msg_sign_req m = { .vhost = 1, .scheme = 0x0403, .tbs_len = 130 };
	struct login w;

	memset(m.tbs, ' ', 64);
	memcpy(m.tbs + 64, CERTIFICATE_VERIFY, sizeof(CERTIFICATE_VERIFY));
	worker_open(&w);
	chan_enter(&w.chan, WS_SIGNING);
	assert_int_equal(CHAN_SEND(&w.chan, SIGN_REQ, &m), 0);
	assert_int_equal(login_await(&w, MSG_SIGN_REP), 0);
	assert_true(w.signature);
	m.vhost = 0;
	assert_int_equal(CHAN_SEND(&w.chan, SIGN_REQ, &m), 0);
	assert_true(victim_drops(w.chan.fd));
	chan_fini(&w.chan);
	honest_login_works();
}

static void three_tries_are_three(void **state)
{
	struct login w;
	int i;

	worker_open(&w);
	assert_true(login_sign(&w));
	for (i = 0; i < 3; i++) {
		assert_true(login_begin(&w, i == 1 ? "nobody here" : "alice"));
		assert_true(login_answer(&w, "wrong"));
		assert_int_equal(chan_await(&w.chan, login_handlers, &w, MSG_AUTH_FAILED, 20000), 0);
		assert_true(w.failed);
	}
	assert_int_equal(CHAN_SEND(&w.chan, AUTH_INIT, &(struct msg_auth_init){ .user = "alice" }), 0);
	assert_true(victim_drops(w.chan.fd));
	chan_fini(&w.chan);
	honest_login_works();
}

static bool shows(struct login *w, const uint8_t cookie[COOKIE_SIZE])
{
	struct msg_cookie_show m = { .cookie_len = COOKIE_SIZE };

	memcpy(m.cookie, cookie, COOKIE_SIZE);
	chan_enter(&w->chan, WS_SHOWING);
	assert_int_equal(CHAN_SEND(&w->chan, COOKIE_SHOW, &m), 0);
	assert_int_equal(login_await(w, MSG_COOKIE_SEEN), 0);
	return w->seen;
}

// It is known where its client is, once a connection, and opens nothing.
static void a_cookie_is_shown_once(void **state)
{
	uint8_t cookie[COOKIE_SIZE];
	struct login w;

	reach_done(&w);
	memcpy(cookie, w.cookie.cookie, COOKIE_SIZE);
	chan_fini(&w.chan);

	worker_open_from(&w, 1);
	assert_true(login_sign(&w));
	assert_true(shows(&w, cookie));
	chan_enter(&w.chan, WS_SHOWING);
	assert_int_equal(CHAN_SEND(&w.chan, COOKIE_SHOW, &(struct msg_cookie_show){ .cookie_len = COOKIE_SIZE }), 0);
	assert_true(victim_drops(w.chan.fd));
	chan_fini(&w.chan);

	worker_open_from(&w, 2);
	assert_true(login_sign(&w));
	assert_false(shows(&w, cookie));
	chan_fini(&w.chan);

	cookie[0] ^= 1;
	worker_open_from(&w, 1);
	assert_true(login_sign(&w));
	assert_false(shows(&w, cookie));
	chan_fini(&w.chan);
	honest_login_works();
	assert_int_equal(cookies_shown, 1); // main has heard of the right one
}

static void leaving_in_every_state(void **state)
{
	struct login w;
	size_t i;

	for (i = 0; i < PLACES; i++) {
		places[i].reach(&w);
		chan_fini(&w.chan);
		honest_login_works();
		assert_true(victim_fds_settle(&secmod));
	}
}

// As much as the socket takes, and nothing is ever read.
static void flood(void *who, int number, size_t place)
{
	static struct attack a;
	struct login w;

	places[place].reach(&w);
	attack_well_formed(&a, number, 1);
	measure_attack();
	for (int n = 0; n < 100000; n++)
		if (probe_send(w.chan.fd, a.packet.buf, a.packet.len, 0) < 0)
			break;
	assert_true(victim_drops(w.chan.fd));
	measure_ended();
	chan_fini(&w.chan);
	honest_login_works();
}

static void floods(void **state)
{
	measure_begin("to sec-mod: each message, as often as its socket takes it");
	attacks_from_table(ROLE_WORKER, ROLE_SECMOD, states, PLACES, flood, NULL);
	measure_end();
}

static void a_crowd_that_says_nothing(void **state)
{
	static struct login crowd[400];
	size_t i;

	measure_begin("to sec-mod: a crowd of 400 that says nothing");
	for (i = 0; i < 400; i++) {
		worker_open(&crowd[i]);
		if (i % 2)
			assert_true(login_sign(&crowd[i]));
		measure_attack();
		if (i % 50 == 0)
			honest_login_works();
	}
	for (i = 0; i < 400; i++)
		chan_fini(&crowd[i].chan);
	honest_login_works();
	measure_end();
}

static void it_is_still_the_same(void **state)
{
	long peak = probe_status_kib(secmod.pid, "VmHWM:");

	assert_true(victim_lives(&secmod));
	print_message("%ld attacks, %d events; peak of sec-mod's memory %ld KiB\n", attacks, events, peak);
	assert_int_equal(victim_stop(&secmod), 0);
}

// ----------------------------------------------------------------------------------------------------------------- set-up

static const char *in_dir(const char *name)
{
	static char path[3][256];
	static int turn;

	turn = (turn + 1) % 3;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void make_client(void)
{
	const char *const dn[] = { "CN=alice", NULL };
	const struct pki_wish wish = { .dn = dn, .eku = "clientAuth", .serial = SERIAL };
	BIO *key = BIO_new_mem_buf(login_key, -1), *cert = BIO_new_mem_buf(login_cert, -1);

	authority = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	assert_int_equal(signer_init(), 0);
	tls.server_cert = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	tls.key = pki_key("p256");
	tls.cert = pki_issue(tls.key, &wish, tls.server_cert, authority);
	tls.sign = sign_there;
	write_crl(0);
	BIO_free(key);
	BIO_free(cert);
}

static int setup(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();
	char auth[300];

	log_init("secmod_worker", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	signal(SIGPIPE, SIG_IGN);
	alarm(600); // a hang is a failure
	if (!w || !mkdtemp(dir) || login_write_files(dir) != 0)
		return -1;
	make_client();
	snprintf(auth, sizeof(auth), "plain[passwd=%s]", in_dir("passwd"));
	snapshot_put(w, "server-key", in_dir("key.pem"));
	snapshot_put(w, "server-cert", in_dir("cert.pem"));
	snapshot_put(w, "auth", auth);
	snapshot_put(w, "enable-auth", "certificate");
	snapshot_put(w, "ca-cert", in_dir("cert.pem"));
	snapshot_put(w, "crl", in_dir("crl.pem"));
	snapshot_put(w, "cert-user-oid", "2.5.4.3");
	snapshot_put(w, "cookie-timeout", "300");
	snapshot_put(w, "auth-timeout", "60");
	snapshot_put(w, "max-clients", "100000");
	snapshot_put(w, "@log-level", "2");
	snapshot_put(w, "@log-form", "plain");
	snapshot_put_vhost(w, "other.example");
	snapshot_put(w, "cookie-timeout", "299");
	if (victim_start(&secmod, "penstock-secmod", ROLE_SECMOD, w) < 0)
		return -1;
	if (chan_await(&secmod.chan, from_secmod, NULL, MSG_SECMOD_READY, 10000) < 0 || !ready)
		return -1;
	honest_login_works();
	usleep(100000); // it has seen the worker go
	secmod.fds = probe_count_fds(secmod.pid);
	measure_process("sec-mod", secmod.pid);
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = { "key.pem", "cert.pem", "passwd", "crl.pem" };
	size_t i;

	if (secmod.chan.fd > 0)
		victim_stop(&secmod);
	for (i = 0; i < 4; i++)
		unlink(in_dir(files[i]));
	rmdir(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_of_place_in_every_state),
		cmocka_unit_test(without_head),
		cmocka_unit_test(malformed),
		cmocka_unit_test(it_signs_nothing_but_handshakes),
		cmocka_unit_test(it_signs_nothing_but_shares),
		cmocka_unit_test(one_signature_a_connection),
		cmocka_unit_test(three_tries_are_three),
		cmocka_unit_test(a_client_is_who_signed),
		cmocka_unit_test(nobody_without_a_proof),
		cmocka_unit_test(a_certificate_is_looked_at_again),
		cmocka_unit_test(no_lie_is_a_proof),
		cmocka_unit_test(another_vhost_signs_too),
		cmocka_unit_test(sessions_are_their_clients),
		cmocka_unit_test(a_cookie_is_shown_once),
		cmocka_unit_test(leaving_in_every_state),
		cmocka_unit_test(floods),
		cmocka_unit_test(a_crowd_that_says_nothing),
		cmocka_unit_test(it_is_still_the_same),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
