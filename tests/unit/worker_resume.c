// TLS sessions that go on in another connection's worker, by sec-mod's word.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "worker_world.h"

static SSL_SESSION *offered; // by the client of the next world

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION_free(offered);
	offered = session;
	return 1;
}

#define ASK_FORM "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"

// Whether it was a resumption.
static bool comes(struct world *w, int version, const char *groups)
{
	bool resumed;

	world_init(w, false);
	w->tls = SSL_new(shared.client);
	SSL_set_fd(w->tls, w->socket);
	SSL_set_min_proto_version(w->tls, version);
	SSL_set_max_proto_version(w->tls, version);
	SSL_set1_groups_list(w->tls, groups);
	if (offered)
		SSL_set_session(w->tls, offered);
	assert_int_equal(SSL_connect(w->tls), 1);
	resumed = SSL_session_reused(w->tls);
	answers(w, ASK_FORM, "HTTP/1.1 200"); // by which its ticket has come, too
	if (version == TLS1_2_VERSION)
		on_ticket(w->tls, SSL_get1_session(w->tls));
	put(w, "GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n");
	SSL_shutdown(w->tls);
	world_fini(w);
	return resumed;
}

// What one connection has stored lets another go on, by sec-mod's word, and nobody signs for that. A second ClientHello asks
// sec-mod no second time.
static void test_resumption(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct world w;

	SSL_CTX_set_session_cache_mode(shared.client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(shared.client, on_ticket);
	for (int i = 0; i < 2; i++) {
		SSL_SESSION_free(offered);
		offered = NULL;
		assert_false(comes(&w, versions[i], "X25519:P-256"));
		assert_int_equal(w.signatures, 1);
		assert_int_equal(w.stored, 1);
		assert_int_equal(w.fetched, 0);
		assert_int_equal(stored.once, versions[i] == TLS1_3_VERSION);
		for (int n = 0; n < 3; n++) {
			// the client's first share is of a group that we do not know
			assert_true(comes(&w, versions[i], n == 2 ? "X448:P-256" : "X25519:P-256"));
			assert_int_equal(w.signatures, 0);
			assert_int_equal(w.fetched, 1);
			assert_int_equal(w.stored, versions[i] == TLS1_3_VERSION);
		}
		// what sec-mod does not know (any more) is a whole handshake
		memset(stored.id, 0, sizeof(stored.id));
		assert_false(comes(&w, versions[i], "X25519:P-256"));
		assert_int_equal(w.signatures, 1);
		// nor is what does not fit: another state than the ticket's
		stored.state[stored.state_len / 2] ^= 1;
		stored.state_len -= 7;
		assert_false(comes(&w, versions[i], "X25519:P-256"));
		assert_int_equal(w.signatures, 1);
	}
	SSL_SESSION_free(offered);
	offered = NULL;
	SSL_CTX_set_session_cache_mode(shared.client, SSL_SESS_CACHE_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_resumption) };

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
