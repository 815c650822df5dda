// Which virtual host a client gets: the name that it asks for, the certificate that it is shown, and the key that signs.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/worker/dtls.h"
#include "control/worker/signer.h"
#include "control/worker/sni.h"
#include "control/worker/tls_ctx.h"
#include "control/worker/vhost.h"
#include "pki.h"

#define HOSTS 3 // the default one, a.example and b.example
#define KEYS 2

static struct vhosts vhosts;
static EVP_PKEY *keys[HOSTS][KEYS]; // RSA and ECDSA
static X509 *certs[HOSTS][KEYS];
static char dir[] = "/tmp/worker_vhost-XXXXXX";
static int asked_vhost, asked_key;

// ------------------------------------------------------------------------------------------------------------------ name

static void sni_is(const char *body, size_t len, int expect, const char *name)
{
	char out[LIMIT_VHOST + 1];

	assert_int_equal(sni_parse((const uint8_t *)body, len, out), expect);
	if (name)
		assert_string_equal(out, name);
}

#define SNI(body, expect, name) sni_is(body, sizeof(body) - 1, expect, name)

static void names_in_a_hello(void **state)
{
	char longest[5 + LIMIT_VHOST + 1] = "\x01\x00\x00\x00\xfd";

	SNI("\0\x0e\0\0\x0b"
	    "vpn.example",
	    0, "vpn.example");
	SNI("\0\x0e\0\0\x0b"
	    "VPN.Example",
	    0, "vpn.example");
	SNI("\0\x0f\0\0\x0c"
	    "vpn.example.",
	    0, "vpn.example");
	SNI("\0\x05\x07\0\x02xx", -ENOENT, NULL); // a name of a kind that we do not know
	SNI("\0\x09\x07\0\x02xx\0\0\x01"
	    "a",
	    0, "a"); // and a host name behind it
	SNI("\0\0", -ENOENT, NULL);
	SNI("", -EBADMSG, NULL);
	SNI("\0", -EBADMSG, NULL);
	SNI("\0\x04\0\0\0", -EBADMSG, NULL); // the list is shorter than it says
	SNI("\0\x04\0\0\x02"
	    "a",
	    -EBADMSG, NULL); // the name is
	SNI("\0\x02\0\0", -EBADMSG, NULL);
	SNI("\0\x03\0\0\0", -EBADMSG, NULL); // no name
	SNI("\0\x04\0\0\x01.", -EBADMSG, NULL);
	SNI("\0\x06\0\0\x03"
	    "a\0b",
	    -EBADMSG, NULL);
	memset(longest + 5, 'x', LIMIT_VHOST + 1);
	sni_is(longest, 5 + LIMIT_VHOST, 0, NULL);
	longest[4]++;
	longest[1]++;
	sni_is(longest, sizeof(longest), -EBADMSG, NULL);
}

// ------------------------------------------------------------------------------------------------------------- handshakes

static int sign(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t len, uint8_t *out, size_t room)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t n = room;

	asked_vhost = vhost;
	asked_key = key;
	assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, "SHA256", NULL, NULL, keys[vhost][key], NULL), 1);
	if (scheme == 0x0804) {
		EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(ctx, out, &n, tbs, len), 1);
	EVP_MD_CTX_free(ctx);
	return (int)n;
}

// Both ends in turn; the client checks the signature, and has seen the certificate of that virtual host.
static void shown(const char *name, int version, const char *sigalgs, int vhost, int key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(vhosts.vhost[0].tls), *client = SSL_new(ctx);
	uint8_t sha1[CERT_SHA1_SIZE];
	BIO *a, *b;
	int s = 0, c = 0;

	SSL_set_min_proto_version(client, version);
	SSL_set_max_proto_version(client, version);
	assert_int_equal(SSL_set1_sigalgs_list(client, sigalgs), 1);
	if (name)
		assert_int_equal(SSL_set_tlsext_host_name(client, name), 1);
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	asked_vhost = asked_key = -1;
	for (int i = 0; i < 20 && (s != 1 || c != 1); i++) {
		c = SSL_connect(client);
		s = SSL_accept(server);
	}
	assert_int_equal(s, 1);
	assert_int_equal(c, 1);
	assert_int_equal(asked_vhost, vhost);
	assert_int_equal(asked_key, key);
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(client), certs[vhost][key]), 0);
	assert_int_equal(vhost_of(server)->number, vhost);
	X509_digest(certs[vhost][key], EVP_sha1(), sha1, NULL);
	assert_memory_equal(vhost_of(server)->sha1[signer_key()], sha1, sizeof(sha1));
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(ctx);
}

static void the_name_picks_and_the_offer_too(void **state)
{
	static const struct {
		const char *name;
		int vhost;
	} rows[] = { { NULL, 0 },         { "a.example", 1 }, { "b.example", 2 }, { "A.EXAMPLE", 1 }, { "other.example", 0 },
		     { "b.example.", 2 }, { "example", 0 } };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t v = 0; v < 2; v++) {
			shown(rows[i].name, versions[v], "rsa_pss_rsae_sha256", rows[i].vhost, 0);
			shown(rows[i].name, versions[v], "ECDSA+SHA256", rows[i].vhost, 1);
		}
}

static void the_first_name_counts_in_the_order_of_the_snapshot(void **state)
{
	assert_int_equal(vhosts.n, HOSTS);
	for (unsigned i = 0; i < HOSTS; i++)
		assert_int_equal(vhosts.vhost[i].number, i);
	assert_string_equal(vhosts.vhost[0].name, "");
	assert_string_equal(vhosts.vhost[2].name, "b.example");
}

// ----------------------------------------------------------------------------------------------------------------- rules

static const char *file_of(int host, int key)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%d-%d", dir, host, key);
	return path;
}

static void load(struct snapshot_writer *w, struct vhosts *v, int expect, const char *says)
{
	char text[LIMIT_TEXT + 1] = "";
	struct snapshot *conf;
	int fd;

	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &conf), 0);
	close(fd);
	assert_int_equal(vhosts_load(v, conf, text), expect);
	if (says)
		assert_non_null(strstr(text, says));
	snapshot_free(conf);
}

// What a client that can do this and no more gets of a virtual host; version 0: nothing.
static void gets(struct vhosts *v, const char *name, const char *ciphers, const char *groups, int most, int version,
                 const char *cipher)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(v->vhost[0].tls), *client = SSL_new(ctx);
	int s = 0, c = 0;
	BIO *a, *b;

	SSL_set_max_proto_version(client, most);
	assert_int_equal(SSL_set_cipher_list(client, ciphers), 1);
	assert_int_equal(SSL_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"), 1);
	assert_int_equal(SSL_set1_groups_list(client, groups), 1);
	assert_int_equal(SSL_set_tlsext_host_name(client, name), 1);
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	for (int i = 0; i < 20 && (s != 1 || c != 1); i++) {
		c = SSL_connect(client);
		s = SSL_accept(server);
	}
	if ((s == 1 && c == 1) != (version != 0))
		fail_msg("%s: %s %s", name, ciphers, groups);
	if (version) {
		assert_int_equal(SSL_version(server), version);
		assert_string_equal(SSL_get_cipher_name(server), cipher);
	}
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(ctx);
}

static void put_rule(struct snapshot_writer *w, const char *const rule[6])
{
	static const char *const keys_of[] = { "@tls-versions", "@tls-ciphers",    "@tls-suites",
		                               "@tls-groups",   "@tls-signatures", "@tls-options" };

	for (size_t i = 0; i < 6; i++)
		assert_int_equal(snapshot_put(w, keys_of[i], rule[i]), 0);
}

#define LONG_RSA "ECDHE-RSA-AES256-GCM-SHA384"
#define SHORT_RSA "ECDHE-RSA-AES128-GCM-SHA256"
#define LONG_13 "TLS_AES_256_GCM_SHA384"
#define SHORT_13 "TLS_AES_128_GCM_SHA256"

// Each by its own rule, and none by that of the default one, with whose context the connection has begun.
static void each_has_its_rule(void **state)
{
	static const char *const usual[] = { "TLSv1.2", LONG_RSA ":" SHORT_RSA, LONG_13, "P-256", "RSA+SHA256", "" };
	static const char *const strict[] = {
		"TLSv1.3", "", LONG_13 ":" SHORT_13, "P-384:X448", "rsa_pss_rsae_sha256", "server-precedence:no-tickets"
	};
	static const char *const ours[] = {
		"TLSv1.2:TLSv1.3",  SHORT_RSA ":" LONG_RSA, LONG_13, "X25519:P-521", "RSA+SHA256:ECDSA+SHA256:rsa_pss_rsae_sha256",
		"server-precedence"
	};
	struct snapshot_writer *w = snapshot_writer_new();
	static struct vhosts v;

	snapshot_put(w, "server-cert", file_of(0, 0));
	put_rule(w, usual);
	snapshot_put(w, "@dtls-ciphers", "AES-128-GCM:AES-256-CBC");
	snapshot_put_vhost(w, "a.example");
	snapshot_put(w, "server-cert", file_of(1, 0));
	put_rule(w, strict);
	snapshot_put(w, "@dtls-ciphers", "CHACHA20-POLY1305:AES-256-GCM");
	snapshot_put(w, "match-tls-dtls-ciphers", "1");
	snapshot_put_vhost(w, "b.example");
	snapshot_put(w, "server-cert", file_of(2, 0));
	put_rule(w, ours);
	load(w, &v, 0, NULL);

	gets(&v, "x", SHORT_RSA ":" LONG_RSA, "P-256", TLS1_3_VERSION, TLS1_2_VERSION, SHORT_RSA); // the client's order
	gets(&v, "x", LONG_RSA, "P-256", TLS1_3_VERSION, TLS1_2_VERSION, LONG_RSA);
	gets(&v, "x", LONG_RSA, "P-384", TLS1_3_VERSION, 0, NULL);
	gets(&v, "a.example", LONG_RSA, "P-384", TLS1_3_VERSION, TLS1_3_VERSION, LONG_13);
	gets(&v, "a.example", LONG_RSA, "X25519:X448", TLS1_3_VERSION, TLS1_3_VERSION, LONG_13);
	gets(&v, "a.example", LONG_RSA, "P-384", TLS1_2_VERSION, 0, NULL);
	gets(&v, "a.example", LONG_RSA, "X25519", TLS1_3_VERSION, 0, NULL);
	gets(&v, "b.example", LONG_RSA ":" SHORT_RSA, "P-521", TLS1_2_VERSION, TLS1_2_VERSION, SHORT_RSA); // ours
	gets(&v, "b.example", LONG_RSA, "P-521", TLS1_3_VERSION, TLS1_3_VERSION, LONG_13);

	assert_true(ciphers_have(&v.vhost[0].dtls, AEAD_AES_128_GCM, 16));
	assert_false(ciphers_have(&v.vhost[0].dtls, AEAD_AES_256_GCM, 32));
	assert_true(ciphers_have(&v.vhost[0].dtls, AEAD_NONE, 32));
	assert_false(ciphers_have(&v.vhost[0].dtls, AEAD_NONE, 16));
	assert_int_equal(v.vhost[1].dtls.n, 2);
	assert_int_equal(v.vhost[1].dtls.aead[0], AEAD_CHACHA20_POLY1305);
	assert_true(v.vhost[1].dtls.match);
	assert_int_equal(SSL_CTX_get_num_tickets(v.vhost[1].tls), 0);
	assert_int_equal(SSL_CTX_get_num_tickets(v.vhost[2].tls), 1);
	assert_int_equal(v.vhost[2].dtls.n, 1); // the default one's
	vhosts_free(&v);
}

// ---------------------------------------------------------------------------------------------------------------- set-up

static void put_host(struct snapshot_writer *w, int host)
{
	static const char *const kinds[KEYS] = { "rsa", "p256" };

	for (int k = 0; k < KEYS; k++) {
		keys[host][k] = pki_key(kinds[k]);
		certs[host][k] = pki_cert(keys[host][k]);
		pki_write_cert(file_of(host, k), certs[host][k]);
		assert_int_equal(snapshot_put(w, "server-cert", file_of(host, k)), 0);
	}
}

// Rules that take keys of another kind than there are.
static void what_no_key_is_for(void **state)
{
	static const char *const ecdsa[] = { "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", LONG_13, "P-256", "ECDSA+SHA256", "" };
	struct snapshot_writer *w = snapshot_writer_new();
	static struct vhosts v;
	char text[LIMIT_TEXT + 1];
	SSL_CTX *dtls = dtls_ctx_new();

	snapshot_put(w, "server-cert", file_of(0, 1));
	put_rule(w, ecdsa);
	snapshot_put_vhost(w, "a.example");
	snapshot_put(w, "server-cert", file_of(1, 0));
	load(w, &v, 0, NULL);
	assert_int_equal(tls_warm_up(&v, dtls, text), -EINVAL);
	assert_non_null(strstr(text, "tls-priorities: it leaves nothing"));
	assert_non_null(strstr(text, "at a.example"));
	v.n = 1; // without that one
	assert_int_equal(tls_warm_up(&v, dtls, text), 0);
	v.n = 2;
	vhosts_free(&v);
	SSL_CTX_free(dtls);
	signer_set(sign, NULL);
}

static void what_is_wrong_is_named(void **state)
{
	static struct vhosts v;
	struct snapshot_writer *w = snapshot_writer_new();

	snapshot_put(w, "server-cert", file_of(0, 0));
	snapshot_put_vhost(w, "a.example");
	snapshot_put(w, "server-cert", "/nowhere.pem");
	load(w, &v, -EINVAL, "server-cert /nowhere.pem: No such file");
	vhosts_free(&v);
	load(snapshot_writer_new(), &v, -ENOENT, "no server-cert");
	vhosts_free(&v);
}

static int set_up(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();

	assert_int_equal(signer_init(), 0);
	assert_non_null(mkdtemp(dir));
	put_host(w, 0);
	snapshot_put_vhost(w, "a.example");
	put_host(w, 1);
	snapshot_put_vhost(w, "b.example");
	put_host(w, 2);
	load(w, &vhosts, 0, NULL);
	signer_set(sign, NULL);
	return 0;
}

static int tear_down(void **state)
{
	for (int h = 0; h < HOSTS; h++)
		for (int k = 0; k < KEYS; k++) {
			unlink(file_of(h, k));
			X509_free(certs[h][k]);
			EVP_PKEY_free(keys[h][k]);
		}
	vhosts_free(&vhosts);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_in_a_hello),
		cmocka_unit_test(the_name_picks_and_the_offer_too),
		cmocka_unit_test(the_first_name_counts_in_the_order_of_the_snapshot),
		cmocka_unit_test(each_has_its_rule),
		cmocka_unit_test(what_no_key_is_for),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
