// What proves that a client holds the key of its certificate: real handshakes, and every way to say that there was another.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/sha.h>
#include <time.h>

#include "handshake.h"
#include "secmod/key.h"
#include "secmod/proof.h"

static char dir[] = "/tmp/secmod_proof.XXXXXX";
static struct handshake h;

// The server's side as sec-mod does it: a key from its file.
static struct server {
	const char *kind;
	struct key *key;
	X509 *cert;
	uint8_t digest[PROOF_DIGEST];
} servers[] = { { .kind = "rsa" }, { .kind = "rsa-pss" }, { .kind = "p256" }, { .kind = "p384" }, { .kind = "ed25519" } };
#define SERVERS (sizeof(servers) / sizeof(*servers))

static struct client {
	const char *kind;
	EVP_PKEY *key;
	X509 *cert;
} clients[] = { { .kind = "rsa" }, { .kind = "rsa-pss" }, { .kind = "p256" }, { .kind = "p384" }, { .kind = "ed25519" } };
#define CLIENTS (sizeof(clients) / sizeof(*clients))

static int sign(void *who, uint8_t vhost, uint8_t number, uint16_t scheme, const uint8_t *tbs, size_t len, uint8_t *signature,
                size_t room)
{
	const struct server *s = who;
	uint8_t out[LIMIT_SIGNATURE];
	uint16_t n = 0;
	int ret = key_sign(s->key, scheme, tbs, len, out, &n);

	if (ret < 0 || n > room)
		return -EIO;
	memcpy(signature, out, n);
	return n;
}

static void make_server(struct server *s)
{
	EVP_PKEY *key = pki_key(s->kind);
	char path[2][128], text[LIMIT_TEXT + 1];

	s->cert = pki_cert(key);
	snprintf(path[0], sizeof(path[0]), "%s/%s.key", dir, s->kind);
	snprintf(path[1], sizeof(path[1]), "%s/%s.crt", dir, s->kind);
	pki_write_key(path[0], key, NULL);
	pki_write_cert(path[1], s->cert);
	s->key = key_load(&(struct key_source){ .key = path[0], .cert = path[1] }, text);
	assert_non_null(s->key);
	assert_int_equal(X509_digest(s->cert, EVP_sha256(), s->digest, NULL), 1);
	EVP_PKEY_free(key);
}

static int make_all(void **state)
{
	static const char *const dn[] = { "UID=anna", "CN=Anna", NULL };
	static const struct pki_wish wish = { .dn = dn, .eku = "clientAuth" };

	assert_non_null(mkdtemp(dir));
	assert_int_equal(signer_init(), 0);
	for (size_t i = 0; i < SERVERS; i++)
		make_server(&servers[i]);
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i].key = pki_key(clients[i].kind);
		clients[i].cert = pki_issue(clients[i].key, &wish, NULL, NULL);
	}
	return 0;
}

static int drop_all(void **state)
{
	char command[160];

	for (size_t i = 0; i < SERVERS; i++) {
		key_free(servers[i].key);
		X509_free(servers[i].cert);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		EVP_PKEY_free(clients[i].key);
		X509_free(clients[i].cert);
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct witness shake(struct server *s, const struct client *c, int version)
{
	struct witness w;

	h.server_cert = s->cert;
	h.sign = sign;
	h.who = s;
	h.cert = c->cert;
	h.key = c->key;
	h.version = version;
	assert_true(handshake_run(&h));
	assert_int_equal(witness_take(&w, h.scheme, h.tbs, h.tbs_len, h.signature, h.signature_len, s->digest, false), 0);
	return w;
}

static int check(const struct witness *w, const uint8_t *messages, size_t len, struct transcript *t, const char **why)
{
	int ret = proof_open(w, messages, len, t, why);

	return ret < 0 ? ret : proof_verify(messages, t, why);
}

static const char *refusal(const struct witness *w, const uint8_t *messages, size_t len)
{
	struct transcript t;
	const char *why;

	return check(w, messages, len, &t, &why) == 0 ? NULL : why;
}

static bool is_cert_of(struct span der, X509 *cert)
{
	unsigned char *own = NULL;
	int len = i2d_X509(cert, &own);
	bool same = (size_t)len == der.len && memcmp(own, der.at, len) == 0;

	OPENSSL_free(own);
	return same;
}

static void a_proof_holds(struct server *s, const struct client *c, int version)
{
	struct witness w = shake(s, c, version);
	struct transcript t;
	const char *why = "";

	if (check(&w, h.messages, h.len, &t, &why) < 0)
		fail_msg("%s with %s, %x: %s", s->kind, c->kind, version, why);
	assert_int_equal(t.n_chain, h.issuer != NULL ? 2 : 1);
	assert_true(is_cert_of(t.chain[0], c->cert));
	assert_true(is_cert_of(t.server_cert, s->cert));
	assert_int_equal(t.tls13, version == TLS1_3_VERSION);
}

static void every_key_on_both_sides(void **state)
{
	memset(&h, 0, sizeof(h));
	for (size_t i = 0; i < SERVERS; i++)
		for (size_t k = 0; k < CLIENTS; k++) {
			a_proof_holds(&servers[i], &clients[k], TLS1_2_VERSION);
			a_proof_holds(&servers[i], &clients[k], TLS1_3_VERSION);
		}
}

static void every_hash_and_a_second_hello(void **state)
{
	static const char *const suites[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256" };
	static const char *const groups[] = { "X25519:P-256", "P-256", "P-384:P-256" };

	memset(&h, 0, sizeof(h));
	for (int s = 0; s < 3; s++)
		for (int g = 0; g < 3; g++) {
			h.suites = suites[s];
			h.groups = groups[g];
			a_proof_holds(&servers[2], &clients[2], TLS1_3_VERSION);
			a_proof_holds(&servers[2], &clients[2], TLS1_2_VERSION);
		}
	h.issuer = servers[0].cert;
	a_proof_holds(&servers[0], &clients[0], TLS1_3_VERSION);
	a_proof_holds(&servers[0], &clients[0], TLS1_2_VERSION);
}

static void every_byte_counts(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION, TLS1_3_VERSION };

	memset(&h, 0, sizeof(h));
	for (int i = 0; i < 3; i++) {
		struct witness w;

		h.groups = i == 2 ? "P-256" : NULL;
		w = shake(&servers[2], &clients[2], versions[i]);
		assert_null(refusal(&w, h.messages, h.len));
		for (size_t at = 0; at < h.len; at++) {
			h.messages[at] ^= 1 << at % 8;
			if (refusal(&w, h.messages, h.len) == NULL)
				fail_msg("byte %zu of %zu (%d)", at, h.len, i);
			h.messages[at] ^= 1 << at % 8;
		}
		for (size_t len = 0; len < h.len; len++)
			assert_non_null(refusal(&w, h.messages, len));
		h.messages[h.len] = 0;
		assert_non_null(refusal(&w, h.messages, h.len + 1));
		assert_null(refusal(&w, h.messages, h.len));
	}
}

// What one connection has proven says nothing of another: a handshake that was overheard, or one that was made with somebody who
// shows our key as his.
static void only_for_its_own_connection(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct witness w, other;
	size_t len;

	memset(&h, 0, sizeof(h));
	for (int i = 0; i < 2; i++) {
		other = shake(&servers[2], &clients[2], versions[i]);
		w = shake(&servers[2], &clients[2], versions[i]);
		assert_string_equal(refusal(&other, h.messages, h.len), "it is not the handshake that was signed");
		// signed again, as a worker may ask sec-mod to: another signature
		len = h.signature_len;
		assert_true(sign(&servers[2], 0, 0, h.scheme, h.tbs, h.tbs_len, h.signature, sizeof(h.signature)) > 0);
		assert_int_equal(witness_take(&other, h.scheme, h.tbs, h.tbs_len, h.signature, len, servers[2].digest, false), 0);
		assert_string_equal(refusal(&other, h.messages, h.len), "our signature is not in it");
		other = w;
		other.scheme = 0x0804;
		assert_string_equal(refusal(&other, h.messages, h.len), "our signature is not in it");
		other = w;
		other.server_cert[0] ^= 1;
		assert_string_equal(refusal(&other, h.messages, h.len), "our certificate is not in it");
		other = w;
		other.scheme = 0;
		assert_string_equal(refusal(&other, h.messages, h.len), "nothing was signed for this connection");
		assert_null(refusal(&w, h.messages, h.len));
	}
}

static void no_certificate_no_proof(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct client nobody = { 0 };

	memset(&h, 0, sizeof(h));
	for (int i = 0; i < 2; i++) {
		struct witness w;

		h.server_cert = servers[2].cert;
		h.sign = sign;
		h.who = &servers[2];
		h.cert = nobody.cert;
		h.version = versions[i];
		assert_false(handshake_run(&h));
		witness_take(&w, h.scheme, h.tbs, h.tbs_len, h.signature, h.signature_len, servers[2].digest, false);
		assert_string_equal(refusal(&w, h.messages, h.len), "it is no handshake with a client's certificate");
	}
}

// Which signatures are the same each time; and that such a handshake is good once, about the time that its random says.
static void overheard_handshakes_are_worth_nothing(void **state)
{
	static const struct {
		uint16_t scheme;
		bool repeats;
	} rows[] = { { 0x0401, true },  { 0x0501, true },  { 0x0601, true },  { 0x0807, true },
		     { 0x0403, false }, { 0x0503, false }, { 0x0603, false }, { 0x0804, false },
		     { 0x0805, false }, { 0x0806, false }, { 0x0809, false }, { 0x080b, false } };
	struct proofs *p = proofs_new();
	const int64_t now = time(NULL);
	struct transcript t;
	struct witness w;
	const char *why;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(proof_repeats(rows[i].scheme, false), rows[i].repeats);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(proof_repeats(rows[i].scheme, true)); // it may be
	memset(&h, 0, sizeof(h));
	h.sigalgs = "RSA+SHA256:ECDSA+SHA256";
	w = shake(&servers[0], &clients[2], TLS1_2_VERSION);
	assert_true(w.repeats);
	assert_int_equal(check(&w, h.messages, h.len, &t, &why), 0);
	assert_int_equal(proofs_use(p, &w, &t, now + 300), -ESTALE);
	assert_int_equal(proofs_use(p, &w, &t, now - 300), -ESTALE);
	assert_int_equal(proofs_use(p, &w, &t, now + 60), 0);
	assert_int_equal(proofs_use(p, &w, &t, now + 60), -EALREADY);
	assert_int_equal(proofs_use(p, &w, &t, now - 60), -EALREADY);
	assert_int_equal(proofs_use(p, &w, &t, now + 230), -EALREADY);
	for (unsigned i = 0; i < 7; i++) { // its neighbours
		w.tbs[15]++;
		assert_int_equal(proofs_use(p, &w, &t, now), 0);
	}
	w.tbs[15]++;
	assert_int_equal(proofs_use(p, &w, &t, now), -EBUSY);
	h.no_time = true;
	w = shake(&servers[0], &clients[2], TLS1_2_VERSION);
	assert_int_equal(check(&w, h.messages, h.len, &t, &why), 0);
	assert_int_equal(proofs_use(p, &w, &t, now), -ESTALE);
	proofs_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_on_both_sides), cmocka_unit_test(every_hash_and_a_second_hello),
		cmocka_unit_test(every_byte_counts),       cmocka_unit_test(only_for_its_own_connection),
		cmocka_unit_test(no_certificate_no_proof), cmocka_unit_test(overheard_handshakes_are_worth_nothing),
	};

	return cmocka_run_group_tests(tests, make_all, drop_all);
}
