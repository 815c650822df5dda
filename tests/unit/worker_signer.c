// TLS handshakes in memory whose server key is signer.c's, with a thread that plays sec-mod at the other end of a channel.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "control/worker/ask.h"
#include "control/worker/signer.h"
#include "pki.h"
#include "proto/chan.h"

// ------------------------------------------------------------------------------------------------------------ sec-mod

struct secmod {
	struct chan chan;
	pthread_t thread;
	EVP_PKEY *keys[LIMIT_SERVER_KEYS];
	int asked;
	uint8_t key;
	uint16_t scheme;
	struct msg_sign_req last;
	bool refuse, garble;
};

#define HANDLERS from_worker
#define ON_WORKER_SECMOD(...) __VA_ARGS__
#include "proto/handlers.h"

static const char *digest_of(uint16_t scheme)
{
	switch (scheme) {
	case 0x0401:
	case 0x0403:
	case 0x0804:
	case 0x0809:
		return "SHA256";
	case 0x0501:
	case 0x0503:
	case 0x0805:
	case 0x080a:
		return "SHA384";
	case 0x0601:
	case 0x0603:
	case 0x0806:
	case 0x080b:
		return "SHA512";
	default:
		return NULL;
	}
}

static int on_sign_req(void *who, const struct msg_sign_req *m, const int *fds)
{
	struct secmod *s = who;
	struct msg_sign_rep rep = { .ok = !s->refuse };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(rep.signature);
	EVP_PKEY_CTX *pctx;

	s->asked++;
	s->last = *m;
	if (!s->refuse) {
		assert_non_null(s->keys[m->key]);
		assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, digest_of(m->scheme), NULL, NULL, s->keys[m->key], NULL), 1);
		if (m->scheme >> 8 == 8 && m->scheme != 0x0807) {
			EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
			EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
		}
		assert_int_equal(EVP_DigestSign(ctx, rep.signature, &len, m->tbs, m->tbs_len), 1);
		rep.signature_len = (uint16_t)len;
		if (s->garble)
			rep.signature[len / 2] ^= 1;
	}
	EVP_MD_CTX_free(ctx);
	return CHAN_SEND(&s->chan, SIGN_REP, &rep);
}

static int on_auth_init(void *who, const struct msg_auth_init *m, const int *fds)
{
	return -EPROTO;
}
static int on_cert_part(void *who, const struct msg_cert_part *m, const int *fds)
{
	return -EPROTO;
}
static int on_cert_prove(void *who, const struct msg_cert_prove *m, const int *fds)
{
	return -EPROTO;
}
static int on_resume_fetch(void *who, const struct msg_resume_fetch *m, const int *fds)
{
	return -EPROTO;
}
static int on_resume_store(void *who, const struct msg_resume_store *m, const int *fds)
{
	return -EPROTO;
}
static int on_resume_delete(void *who, const struct msg_resume_delete *m, const int *fds)
{
	return -EPROTO;
}
static int on_auth_token(void *who, const struct msg_auth_token *m, const int *fds)
{
	return -EPROTO;
}

static int on_groups_ask(void *who, const struct msg_groups_ask *m, const int *fds)
{
	return -EPROTO;
}
static int on_cookie_show(void *who, const struct msg_cookie_show *m, const int *fds)
{
	return -EPROTO;
}

static int on_kdc_req(void *who, const struct msg_kdc_req *m, const int *fds)
{
	return -EPROTO;
}

static int on_auth_cont(void *who, const struct msg_auth_cont *m, const int *fds)
{
	return -EPROTO;
}

static void *secmod_run(void *arg)
{
	struct secmod *s = arg;
	struct pollfd p = { .fd = s->chan.fd, .events = POLLIN };
	int ret;

	do {
		poll(&p, 1, -1);
		ret = chan_serve(&s->chan, from_worker, s, 1);
	} while (ret > 0 || ret == -EAGAIN);
	chan_fini(&s->chan);
	return NULL;
}

// ---------------------------------------------------------------------------------------------------------------- keys

struct kind {
	EVP_PKEY *key;
	X509 *cert;
};

enum { KIND_RSA, KIND_PSS, KIND_P256, KIND_P384, KIND_ED, KIND_PSS_SHA384, KINDS };
static struct kind kinds[KINDS];

static int make_keys(void **state)
{
	static const char *const names[] = { "rsa", "rsa-pss", "p256", "p384", "ed25519" };
	int i;

	assert_int_equal(signer_init(), 0);
	for (i = 0; i < KINDS; i++) {
		kinds[i].key = i == KIND_PSS_SHA384 ? pki_bound_key("SHA384", "SHA384", 48) : pki_key(names[i]);
		kinds[i].cert = pki_cert(kinds[i].key);
	}
	return 0;
}

// ----------------------------------------------------------------------------------------------------------- handshake

struct trial {
	SSL_CTX *server, *client;
	struct secmod secmod;
	struct ask ask;
};

static void trial_init(struct trial *t)
{
	int fds[2];

	memset(t, 0, sizeof(*t));
	t->server = SSL_CTX_new(TLS_server_method());
	t->client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(t->client, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_options(t->server, SSL_OP_NO_TICKET);
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&t->secmod.chan, fds[0], ROLE_SECMOD, ROLE_WORKER, SW_HELLO, "worker");
	ask_init(&t->ask, fds[1], NULL, NULL);
	signer_set(ask_sign, &t->ask);
}

static void trial_serve(struct trial *t, uint8_t number, const struct kind *kind)
{
	EVP_PKEY *pair = signer_key_new(X509_get0_pubkey(kind->cert), 0, number);

	assert_non_null(pair);
	t->secmod.keys[number] = kind->key;
	assert_int_equal(SSL_CTX_use_certificate(t->server, kind->cert), 1);
	if (SSL_CTX_use_PrivateKey(t->server, pair) != 1) {
		ERR_print_errors_fp(stderr);
		fail();
	}
	EVP_PKEY_free(pair);
}

static int shake(struct trial *t, SSL **server_out)
{
	SSL *server = SSL_new(t->server), *client = SSL_new(t->client);
	BIO *a, *b;
	int i, s = 0, c = 0;

	pthread_create(&t->secmod.thread, NULL, secmod_run, &t->secmod);
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	for (i = 0; i < 20 && (s != 1 || c != 1); i++) {
		c = SSL_connect(client);
		s = SSL_accept(server);
	}
	ask_fini(&t->ask);
	pthread_join(t->secmod.thread, NULL);
	if (s == 1 && c == 1)
		*server_out = server;
	else
		SSL_free(server);
	SSL_free(client);
	return s == 1 && c == 1 ? 0 : -1;
}

static void trial_fini(struct trial *t)
{
	SSL_CTX_free(t->server);
	SSL_CTX_free(t->client);
	ERR_clear_error();
}

static void signs(int kind, int version, const char *sigalgs, uint16_t scheme)
{
	struct trial t;
	SSL *ssl;

	trial_init(&t);
	trial_serve(&t, 3, &kinds[kind]);
	SSL_CTX_set_min_proto_version(t.client, version);
	SSL_CTX_set_max_proto_version(t.client, version);
	assert_int_equal(SSL_CTX_set1_sigalgs_list(t.client, sigalgs), 1);
	assert_int_equal(shake(&t, &ssl), 0);
	assert_int_equal(SSL_version(ssl), version);
	assert_int_equal(t.secmod.asked, 1);
	assert_int_equal(t.secmod.last.key, 3);
	assert_int_equal(t.secmod.last.scheme, scheme);
	// All that is signed is shown, not its hash.
	if (version == TLS1_3_VERSION)
		assert_memory_equal(t.secmod.last.tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	else
		assert_true(t.secmod.last.tbs_len > 64 && t.secmod.last.tbs[64] == 3); // named curve
	SSL_free(ssl);
	trial_fini(&t);
}

static void test_every_key_signs(void **state)
{
	signs(KIND_RSA, TLS1_2_VERSION, "RSA+SHA256", 0x0401);
	signs(KIND_RSA, TLS1_2_VERSION, "RSA+SHA384", 0x0501);
	signs(KIND_RSA, TLS1_2_VERSION, "RSA+SHA512", 0x0601);
	signs(KIND_RSA, TLS1_2_VERSION, "rsa_pss_rsae_sha256", 0x0804);
	signs(KIND_RSA, TLS1_3_VERSION, "rsa_pss_rsae_sha256", 0x0804);
	signs(KIND_RSA, TLS1_3_VERSION, "rsa_pss_rsae_sha384", 0x0805);
	signs(KIND_RSA, TLS1_3_VERSION, "rsa_pss_rsae_sha512", 0x0806);
	signs(KIND_PSS, TLS1_2_VERSION, "rsa_pss_pss_sha256", 0x0809);
	signs(KIND_PSS, TLS1_3_VERSION, "rsa_pss_pss_sha384", 0x080a);
	signs(KIND_PSS_SHA384, TLS1_2_VERSION, "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512", 0x080a);
	signs(KIND_PSS_SHA384, TLS1_3_VERSION, "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512", 0x080a);
	signs(KIND_P256, TLS1_2_VERSION, "ECDSA+SHA256", 0x0403);
	signs(KIND_P256, TLS1_2_VERSION, "ECDSA+SHA384", 0x0503);
	signs(KIND_P256, TLS1_3_VERSION, "ECDSA+SHA256", 0x0403);
	signs(KIND_P384, TLS1_2_VERSION, "ECDSA+SHA384", 0x0503);
	signs(KIND_P384, TLS1_3_VERSION, "ECDSA+SHA384", 0x0503);
	signs(KIND_ED, TLS1_2_VERSION, "ed25519", 0x0807);
	signs(KIND_ED, TLS1_3_VERSION, "ed25519", 0x0807);
}

static void chooses(const char *sigalgs, uint8_t key)
{
	struct trial t;
	SSL *ssl;

	trial_init(&t);
	trial_serve(&t, 0, &kinds[KIND_RSA]);
	trial_serve(&t, 1, &kinds[KIND_P256]);
	trial_serve(&t, 2, &kinds[KIND_ED]);
	assert_int_equal(SSL_CTX_set1_sigalgs_list(t.client, sigalgs), 1);
	assert_int_equal(shake(&t, &ssl), 0);
	assert_int_equal(t.secmod.last.key, key);
	SSL_free(ssl);
	trial_fini(&t);
}

static void test_the_offer_chooses_the_key(void **state)
{
	chooses("rsa_pss_rsae_sha256", 0);
	chooses("ECDSA+SHA256", 1);
	chooses("ed25519", 2);
	chooses("ECDSA+SHA256:rsa_pss_rsae_sha256", 1);
}

static void test_refusals_end_the_handshake(void **state)
{
	struct trial t;
	SSL *ssl;

	trial_init(&t);
	trial_serve(&t, 0, &kinds[KIND_P256]);
	t.secmod.refuse = true;
	assert_int_equal(shake(&t, &ssl), -1);
	trial_fini(&t);

	trial_init(&t);
	trial_serve(&t, 0, &kinds[KIND_RSA]);
	t.secmod.garble = true;
	assert_int_equal(shake(&t, &ssl), -1);
	trial_fini(&t);
}

static void test_a_wrong_certificate_is_noticed(void **state)
{
	EVP_PKEY *other = EVP_EC_gen("P-256"), *pair = signer_key_new(other, 0, 0);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(pair);
	assert_int_equal(SSL_CTX_use_certificate(ctx, kinds[KIND_P256].cert), 1);
	assert_int_not_equal(SSL_CTX_use_PrivateKey(ctx, pair), 1);
	ERR_clear_error();
	EVP_PKEY_free(pair);
	EVP_PKEY_free(other);
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_signs),
		cmocka_unit_test(test_the_offer_chooses_the_key),
		cmocka_unit_test(test_refusals_end_the_handshake),
		cmocka_unit_test(test_a_wrong_certificate_is_noticed),
	};
	int i, ret;

	ret = cmocka_run_group_tests(tests, make_keys, NULL);
	for (i = 0; i < KINDS; i++) {
		EVP_PKEY_free(kinds[i].key);
		X509_free(kinds[i].cert);
	}
	return ret;
}
