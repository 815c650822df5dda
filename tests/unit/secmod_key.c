// What sec-mod signs and what it does not; which key files it takes. Tables of facts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "pki.h"
#include "secmod/key.h"
#include "secmod/token.h"

static char dir[] = "/tmp/secmod_key.XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[8][128];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void what_is_a_handshake(void **state)
{
	static const struct {
		uint16_t group;
		uint8_t point, first;
		int more; // bytes behind it (or missing)
		enum tbs_kind kind;
	} rows[] = {
		{ 23, 65, 4, 0, TBS_TLS12 },  { 24, 97, 4, 0, TBS_TLS12 },  { 29, 32, 9, 0, TBS_TLS12 },
		{ 30, 56, 0, 0, TBS_TLS12 },  { 23, 65, 4, 1, TBS_OTHER },  { 23, 65, 4, -1, TBS_OTHER },
		{ 23, 65, 2, 0, TBS_OTHER },  { 23, 33, 2, 0, TBS_OTHER },  { 24, 65, 4, 0, TBS_OTHER },
		{ 29, 65, 4, 0, TBS_OTHER },  { 29, 32, 9, 1, TBS_OTHER },  { 30, 32, 9, 0, TBS_OTHER },
		{ 25, 133, 4, 0, TBS_TLS12 }, { 25, 133, 2, 0, TBS_OTHER }, { 25, 97, 4, 0, TBS_OTHER },
		{ 22, 65, 4, 0, TBS_OTHER },  { 256, 65, 4, 0, TBS_OTHER }, { 0, 32, 0, 0, TBS_OTHER },
		{ 29, 0, 0, 0, TBS_OTHER },
	};
	uint8_t tbs[LIMIT_TBS] = { 0 };
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		len = pki_tls12(tbs, rows[i].group, rows[i].point, rows[i].first) + rows[i].more;
		assert_int_equal(tbs_classify(tbs, len), rows[i].kind);
	}
	for (uint8_t type = 0; type < 8; type++) { // only named_curve: no explicit parameters
		len = pki_tls12(tbs, 29, 32, 9);
		tbs[64] = type;
		assert_int_equal(tbs_classify(tbs, len), type == 3 ? TBS_TLS12 : TBS_OTHER);
	}
	for (size_t hash = 0; hash <= 64; hash++) {
		len = pki_tls13(tbs, hash);
		assert_int_equal(tbs_classify(tbs, len), hash == 32 || hash == 48 ? TBS_TLS13 : TBS_OTHER);
	}
	for (size_t at = 0; at < 98; at++) { // every byte of the frame counts
		len = pki_tls13(tbs, 32);
		tbs[at] ^= 1;
		assert_int_equal(tbs_classify(tbs, len), TBS_OTHER);
	}
	len = pki_tls13(tbs, 32);
	memcpy(tbs + 64, "TLS 1.3, client CertificateVerify", 33);
	assert_int_equal(tbs_classify(tbs, len), TBS_OTHER);
	assert_int_equal(tbs_classify(tbs, 0), TBS_OTHER);
	assert_int_equal(tbs_classify((const uint8_t *)"hello", 5), TBS_OTHER);
}

// For each scheme the kinds of key that may use it, under TLS 1.2 and under TLS 1.3. All other numbers: nobody.
#define R (1 << KEY_RSA)
#define S (1 << KEY_RSA_PSS)
#define P (1 << KEY_P256)
#define Q (1 << KEY_P384)
#define E (1 << KEY_ED25519)
static const struct {
	uint16_t scheme;
	int tls12, tls13;
} schemes[] = {
	{ 0x0401, R, 0 }, { 0x0501, R, 0 }, { 0x0601, R, 0 }, { 0x0403, P | Q, P }, { 0x0503, P | Q, Q }, { 0x0603, P | Q, 0 },
	{ 0x0804, R, R }, { 0x0805, R, R }, { 0x0806, R, R }, { 0x0807, E, E },     { 0x0809, S, S },     { 0x080a, S, S },
	{ 0x080b, S, S }, { 0x0201, 0, 0 }, { 0x0203, 0, 0 }, { 0x0101, 0, 0 },     { 0x0808, 0, 0 },     { 0x0303, 0, 0 },
};

static void who_may_sign_how(void **state)
{
	for (unsigned scheme = 0; scheme <= UINT16_MAX; scheme++) {
		int tls12 = 0, tls13 = 0;

		for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
			if (schemes[i].scheme == scheme) {
				tls12 = schemes[i].tls12;
				tls13 = schemes[i].tls13;
			}
		for (int kind = KEY_RSA; kind <= KEY_ED25519; kind++) {
			assert_int_equal(scheme_allowed(TBS_TLS12, kind, scheme), tls12 >> kind & 1);
			assert_int_equal(scheme_allowed(TBS_TLS13, kind, scheme), tls13 >> kind & 1);
			assert_false(scheme_allowed(TBS_OTHER, kind, scheme));
		}
	}
}

static const char *write_pair(const char *kind, X509 **cert)
{
	EVP_PKEY *key = pki_key(kind);
	char name[64];

	*cert = pki_cert(key);
	snprintf(name, sizeof(name), "%s.key", kind);
	pki_write_key(in_dir(name), key, NULL);
	snprintf(name, sizeof(name), "%s.crt", kind);
	pki_write_cert(in_dir(name), *cert);
	EVP_PKEY_free(key);
	return in_dir(name);
}

static void try_schemes(const struct key *k, X509 *cert, const uint8_t *tbs, size_t len, bool tls13)
{
	uint8_t sig[LIMIT_SIGNATURE];
	uint16_t sig_len;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		const uint16_t scheme = schemes[i].scheme;
		bool allowed = (tls13 ? schemes[i].tls13 : schemes[i].tls12) >> key_kind(k) & 1;

		assert_int_equal(key_sign(k, scheme, tbs, len, sig, &sig_len), allowed ? 0 : -EPERM);
		if (allowed)
			assert_true(pki_verify(cert, scheme_digest(scheme), scheme_is_pss(scheme), tbs, len, sig, sig_len));
	}
	assert_int_equal(key_sign(k, schemes[0].scheme, tbs, len - 1, sig, &sig_len), -EPERM);
}

static void sign_and_verify(void **state)
{
	static const char *const kinds[] = { "rsa", "rsa-pss", "p256", "p384", "ed25519" };
	char text[LIMIT_TEXT + 1], name[64];
	uint8_t tbs[LIMIT_TBS];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		X509 *cert;
		const char *cert_path = write_pair(kinds[i], &cert);
		struct key *k;

		snprintf(name, sizeof(name), "%s.key", kinds[i]);
		k = key_load(&(struct key_source){ .key = in_dir(name), .cert = cert_path }, text);
		assert_non_null(k);
		try_schemes(k, cert, tbs, pki_tls13(tbs, 32), true);
		try_schemes(k, cert, tbs, pki_tls13(tbs, 48), true);
		try_schemes(k, cert, tbs, pki_tls12(tbs, 29, 32, 7), false);
		try_schemes(k, cert, tbs, pki_tls12(tbs, 24, 97, 4), false);
		key_free(k);
		X509_free(cert);
	}
}

static void refuse_with(const char *key, const char *cert, const char *pin, const char *why)
{
	char text[LIMIT_TEXT + 1] = "";

	assert_null(key_load(&(struct key_source){ .key = key, .cert = cert, .pin = pin }, text));
	if (strstr(text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, why);
}

static void refuse(const char *key, const char *cert, const char *why)
{
	refuse_with(key, cert, NULL, why);
}

static void encrypted_keys(void **state)
{
	EVP_PKEY *pkey = pki_key("rsa");
	X509 *cert = pki_cert(pkey);
	char text[LIMIT_TEXT + 1];
	struct key *k;

	pki_write_key(in_dir("locked.key"), pkey, "secret");
	pki_write_cert(in_dir("locked.crt"), cert);
	k = key_load(&(struct key_source){ .key = in_dir("locked.key"), .cert = in_dir("locked.crt"), .pin = "secret" }, text);
	assert_non_null(k);
	key_free(k);
	refuse_with(in_dir("locked.key"), in_dir("locked.crt"), NULL, "neither key-pin nor pin-file");
	refuse_with(in_dir("locked.key"), in_dir("locked.crt"), "Secret", "does not open it");
	refuse_with(in_dir("locked.key"), in_dir("locked.crt"), "", "encrypted");
	X509_free(cert);
	EVP_PKEY_free(pkey);
}

static void what_names_a_token(void **state)
{
	assert_true(token_is_url("pkcs11:object=x"));
	assert_true(token_is_url("tpmkey:file=/x"));
	assert_false(token_is_url("/etc/pkcs11:x"));
	assert_false(token_is_url("system:x"));
}

static void bad_key_files(void **state)
{
	EVP_PKEY *key = pki_key("p256");
	X509 *cert, *other, *weak, *odd;
	FILE *f;

	write_pair("rsa", &cert);
	write_pair("p256", &other);
	write_pair("rsa1024", &weak);
	write_pair("p521", &odd);
	pki_write_key(in_dir("locked.key"), key, "secret");
	f = fopen(in_dir("noise.key"), "w");
	fputs("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", f);
	fclose(f);
	refuse(in_dir("none.key"), in_dir("rsa.crt"), "No such file");
	refuse(in_dir("noise.key"), in_dir("rsa.crt"), "no PEM private key");
	refuse(in_dir("rsa.crt"), in_dir("rsa.crt"), "no PEM private key");
	refuse(in_dir("locked.key"), in_dir("p256.crt"), "encrypted");
	refuse(in_dir("rsa.key"), in_dir("none.crt"), "No such file");
	refuse(in_dir("rsa.key"), in_dir("noise.key"), "no PEM certificate");
	refuse(in_dir("rsa.key"), in_dir("p256.crt"), "does not belong");
	refuse(in_dir("rsa1024.key"), in_dir("rsa1024.crt"), "1024 bits");
	refuse(in_dir("p521.key"), in_dir("p521.crt"), "secp521r1");
	EVP_PKEY_free(key);
	X509_free(cert);
	X509_free(other);
	X509_free(weak);
	X509_free(odd);
}

// RFC 4055 3.1: a key may say which digest, MGF1 and salt it is for. TLS ties all three together.
static void keys_that_are_bound(void **state)
{
	static const struct {
		const char *digest, *mgf1;
		int salt;
		uint16_t scheme; // 0: none
	} rows[] = {
		{ "SHA256", "SHA256", 32, 0x0809 }, { "SHA384", "SHA384", 20, 0x080a }, { "SHA512", "SHA512", 64, 0x080b },
		{ "SHA384", "SHA384", 49, 0 },      { "SHA256", "SHA1", 20, 0 },        { "SHA1", "SHA1", 20, 0 },
	};
	const char *key_path = in_dir("bound.key"), *cert_path = in_dir("bound.crt");
	char text[LIMIT_TEXT + 1];
	uint8_t tbs[LIMIT_TBS], sig[LIMIT_SIGNATURE];
	size_t len = pki_tls13(tbs, 48);
	uint16_t sig_len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		EVP_PKEY *pkey = pki_bound_key(rows[i].digest, rows[i].mgf1, rows[i].salt);
		X509 *cert = pki_cert(pkey);
		struct key *k = NULL;

		pki_write_key(key_path, pkey, NULL);
		pki_write_cert(cert_path, cert);
		if (rows[i].scheme == 0)
			refuse(key_path, cert_path, "RSA-PSS key that is bound");
		else
			assert_non_null(k = key_load(&(struct key_source){ .key = key_path, .cert = cert_path }, text));
		for (uint16_t scheme = 0x0809; k != NULL && scheme <= 0x080b; scheme++)
			assert_int_equal(key_sign(k, scheme, tbs, len, sig, &sig_len), scheme == rows[i].scheme ? 0 : -EIO);
		key_free(k);
		X509_free(cert);
		EVP_PKEY_free(pkey);
	}
}

static int make_dir(void **state)
{
	key_memory_init();
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_handshake), cmocka_unit_test(who_may_sign_how),    cmocka_unit_test(sign_and_verify),
		cmocka_unit_test(bad_key_files),       cmocka_unit_test(keys_that_are_bound), cmocka_unit_test(encrypted_keys),
		cmocka_unit_test(what_names_a_token),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
