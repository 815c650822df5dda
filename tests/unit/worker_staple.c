// OCSP stapling: which response goes to which client, and what is wrong with the others.
#include <errno.h>
#include <openssl/ocsp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/worker/signer.h"
#include "control/worker/tls_ctx.h"
#include "control/worker/vhost.h"
#include "pki.h"
#include "proto/log.h"

static char dir[] = "/tmp/worker_staple-XXXXXX";
static EVP_PKEY *keys[2]; // ECDSA, RSA
static X509 *certs[2];
static struct vhosts vhosts;

static const char *in_dir(const char *name)
{
	static char path[8][64];
	static unsigned turn;

	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

// About this certificate, from so many seconds on until so many (0: it does not say), counted from now.
static void write_response(const char *name, int cert, int status, long from, long until)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), certs[cert], certs[cert]);
	ASN1_TIME *this_update = X509_gmtime_adj(NULL, from), *next = until ? X509_gmtime_adj(NULL, until) : NULL;
	ASN1_TIME *revoked = X509_gmtime_adj(NULL, -10);
	OCSP_RESPONSE *response;
	uint8_t *der = NULL;
	FILE *f = fopen(in_dir(name), "w");
	int len;

	assert_non_null(OCSP_basic_add1_status(basic, id, status, 0, status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL,
	                                       this_update, next));
	assert_int_equal(OCSP_basic_sign(basic, certs[cert], keys[cert], EVP_sha256(), NULL, 0), 1);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	assert_true(len > 0 && f && fwrite(der, 1, (size_t)len, f) == (size_t)len);
	fclose(f);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(this_update);
	ASN1_TIME_free(next);
	ASN1_TIME_free(revoked);
}

static void write_bytes(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_true(f && fwrite(bytes, 1, len, f) == len);
	fclose(f);
}

// ----------------------------------------------------------------------------------------------------------------- files

static void read_is(const char *name, int expect, const char *says)
{
	char why[LIMIT_TEXT + 1] = "";
	struct staple s = { 0 };

	assert_int_equal(staple_read(&s, in_dir(name), certs[0], why), expect);
	assert_int_equal(s.der != NULL, expect == 0);
	if (says && !strstr(why, says))
		fail_msg("'%s' does not say '%s'", why, says);
	staple_free(&s);
}

static void what_is_wrong_is_told(void **state)
{
	static uint8_t big[STAPLE_MOST + 1];
	OCSP_RESPONSE *later = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, NULL);
	uint8_t *der = NULL;
	int len = i2d_OCSP_RESPONSE(later, &der);

	write_response("good", 0, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	write_response("endless", 0, V_OCSP_CERTSTATUS_GOOD, -60, 0);
	write_response("other", 1, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	write_response("old", 0, V_OCSP_CERTSTATUS_GOOD, -3600, -60);
	write_response("early", 0, V_OCSP_CERTSTATUS_GOOD, 3600, 7200);
	write_response("revoked", 0, V_OCSP_CERTSTATUS_REVOKED, -60, 3600);
	write_response("unknown", 0, V_OCSP_CERTSTATUS_UNKNOWN, -60, 3600);
	write_bytes("noise", "noise", 5);
	write_bytes("empty", "", 0);
	write_bytes("big", big, sizeof(big));
	write_bytes("later", der, (size_t)len);
	read_is("good", 0, NULL);
	read_is("endless", 0, NULL);
	read_is("other", -EAGAIN, NULL);
	read_is("old", -EINVAL, "has expired");
	read_is("early", -EINVAL, "still to come");
	read_is("revoked", -EINVAL, "is revoked");
	read_is("unknown", -EINVAL, "does not know");
	read_is("noise", -EINVAL, "no OCSP response (DER)");
	read_is("empty", -EINVAL, "no OCSP response (DER)");
	read_is("big", -EINVAL, "longer");
	read_is("later", -EINVAL, "trylater");
	read_is("none", -EINVAL, "No such file");
	OPENSSL_free(der);
	OCSP_RESPONSE_free(later);
}

// ------------------------------------------------------------------------------------------------------------- handshakes

static int sign(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t len, uint8_t *out, size_t room)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t n = room;

	assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, "SHA256", NULL, NULL, keys[key], NULL), 1);
	if (scheme == 0x0804) {
		EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(ctx, out, &n, tbs, len), 1);
	EVP_MD_CTX_free(ctx);
	return (int)n;
}

static void load(const char *first, const char *second)
{
	struct snapshot_writer *w = snapshot_writer_new();
	char text[LIMIT_TEXT + 1];
	struct snapshot *conf;
	int fd;

	vhosts_free(&vhosts);
	memset(&vhosts, 0, sizeof(vhosts));
	snapshot_put(w, "server-cert", in_dir("0.crt"));
	snapshot_put(w, "server-cert", in_dir("1.crt"));
	snapshot_put(w, "ocsp-response", in_dir(first));
	if (second)
		snapshot_put(w, "ocsp-response", in_dir(second));
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &conf), 0);
	close(fd);
	assert_int_equal(vhosts_load(&vhosts, conf, text), 0); // whatever the responses are like
	snapshot_free(conf);
}

// The bytes that a client of this offer is sent; 0: none.
static size_t stapled(const char *sigalgs, int version, bool asks, uint8_t out[STAPLE_MOST])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(vhosts.vhost[0].tls), *client = SSL_new(ctx);
	const uint8_t *der;
	BIO *a, *b;
	int s = 0, c = 0;
	long len;

	SSL_set_min_proto_version(client, version);
	SSL_set_max_proto_version(client, version);
	SSL_set1_sigalgs_list(client, sigalgs);
	if (asks)
		SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	for (int i = 0; i < 20 && (s != 1 || c != 1); i++) {
		c = SSL_connect(client);
		s = SSL_accept(server);
	}
	assert_true(s == 1 && c == 1);
	len = SSL_get_tlsext_status_ocsp_resp(client, &der);
	if (len > 0)
		memcpy(out, der, (size_t)len);
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(ctx);
	return len > 0 ? (size_t)len : 0;
}

static void is_file(const char *name, const uint8_t *got, size_t len)
{
	uint8_t expected[STAPLE_MOST];
	FILE *f = fopen(in_dir(name), "r");

	assert_non_null(f);
	assert_int_equal(len, fread(expected, 1, sizeof(expected), f));
	assert_memory_equal(got, expected, len);
	fclose(f);
}

static void each_certificate_has_its_own(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	uint8_t got[STAPLE_MOST];

	write_response("good", 0, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	write_response("other", 1, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	load("other", "good"); // the order does not count
	for (size_t v = 0; v < 2; v++) {
		is_file("good", got, stapled("ECDSA+SHA256", versions[v], true, got));
		is_file("other", got, stapled("rsa_pss_rsae_sha256", versions[v], true, got));
		assert_int_equal(stapled("ECDSA+SHA256", versions[v], false, got), 0); // who does not ask
	}
}

static void a_bad_one_is_not_sent(void **state)
{
	uint8_t got[STAPLE_MOST];

	write_response("good", 0, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	write_response("old", 1, V_OCSP_CERTSTATUS_GOOD, -3600, -60);
	load("old", "good");
	assert_true(stapled("ECDSA+SHA256", TLS1_3_VERSION, true, got) > 0);
	assert_int_equal(stapled("rsa_pss_rsae_sha256", TLS1_3_VERSION, true, got), 0);
	load("none", NULL);
	assert_int_equal(stapled("ECDSA+SHA256", TLS1_3_VERSION, true, got), 0);
}

static void one_that_expires_while_we_run(void **state)
{
	uint8_t got[STAPLE_MOST];
	struct vhost *v = &vhosts.vhost[0];

	load("good", NULL);
	assert_true(stapled("ECDSA+SHA256", TLS1_3_VERSION, true, got) > 0);
	for (unsigned i = 0; i < v->n_certs; i++)
		v->staple[i].until = time(NULL) - 1;
	assert_int_equal(stapled("ECDSA+SHA256", TLS1_3_VERSION, true, got), 0);
}

static int set_up(void **state)
{
	static const char *const kinds[] = { "p256", "rsa" };

	log_init("worker_staple", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	assert_int_equal(signer_init(), 0);
	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 2; i++) {
		char name[16];

		keys[i] = pki_key(kinds[i]);
		certs[i] = pki_cert(keys[i]);
		ASN1_INTEGER_set(X509_get_serialNumber(certs[i]), 100 + i);
		X509_sign(certs[i], keys[i], EVP_sha256());
		snprintf(name, sizeof(name), "%d.crt", i);
		pki_write_cert(in_dir(name), certs[i]);
	}
	signer_set(sign, NULL);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	vhosts_free(&vhosts);
	for (int i = 0; i < 2; i++) {
		EVP_PKEY_free(keys[i]);
		X509_free(certs[i]);
	}
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told),
		cmocka_unit_test(each_certificate_has_its_own),
		cmocka_unit_test(a_bad_one_is_not_sent),
		cmocka_unit_test(one_that_expires_while_we_run),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
