// Whose certificates are let in, and as whom. Tables of facts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/sha.h>
#include <time.h>
#include <unistd.h>

#include "pki.h"
#include "secmod/certname.h"
#include "secmod/trust.h"

#define UID "0.9.2342.19200300.100.1.1"
#define CN "2.5.4.3"
#define OU "2.5.4.11"
#define DAY 86400
#define DN(...) ((const char *const[]){ __VA_ARGS__, NULL })

static char dir[] = "/tmp/secmod_trust.XXXXXX";
static EVP_PKEY *ca_key, *other_key, *middle_key, *anna;
static X509 *ca, *other, *middle;

static const char *in_dir(const char *name)
{
	static char path[8][128];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int make_all(void **state)
{
	const struct pki_wish root = { .dn = DN("CN=Root"), .ca = true }, stranger = { .dn = DN("CN=Other"), .ca = true };
	const struct pki_wish between = { .dn = DN("CN=Middle"), .ca = true, .serial = 5 };

	assert_non_null(mkdtemp(dir));
	ca_key = pki_key("p256");
	other_key = pki_key("p256");
	middle_key = pki_key("p256");
	anna = pki_key("p256");
	ca = pki_issue(ca_key, &root, NULL, NULL);
	other = pki_issue(other_key, &stranger, NULL, NULL);
	middle = pki_issue(middle_key, &between, ca, ca_key);
	pki_write_cert(in_dir("ca.pem"), ca);
	return 0;
}

static int drop_all(void **state)
{
	char command[160];

	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(middle_key);
	EVP_PKEY_free(anna);
	X509_free(ca);
	X509_free(other);
	X509_free(middle);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct trust *load(const char *crl, const char *user_oid, const char *group_oid)
{
	char text[LIMIT_TEXT + 1];
	struct trust *t = trust_load(in_dir("ca.pem"), crl, user_oid, &group_oid, group_oid != NULL, text);

	if (t == NULL)
		fail_msg("%s", text);
	return t;
}

// As a client shows it: leaf, and what is between.
static struct certified *certify(struct trust *t, X509 *leaf, X509 *between, char why[LIMIT_TEXT + 1])
{
	X509 *certs[] = { leaf, between };
	struct span chain[2];
	struct certified *c;
	unsigned n = between != NULL ? 2 : 1;

	for (unsigned i = 0; i < n; i++) {
		unsigned char *der = NULL;

		chain[i].len = i2d_X509(certs[i], &der);
		chain[i].at = der;
	}
	c = trust_certify(t, chain, n, why);
	for (unsigned i = 0; i < n; i++)
		OPENSSL_free((void *)chain[i].at);
	return c;
}

// NULL: it is let in.
static const char *refusal(struct trust *t, const struct pki_wish *wish, X509 *issuer, EVP_PKEY *key, X509 *between)
{
	static char why[LIMIT_TEXT + 1];
	X509 *leaf = pki_issue(anna, wish, issuer, key);
	struct certified *c = certify(t, leaf, between, why);
	bool in = c != NULL;

	certified_put(c);
	X509_free(leaf);
	return in ? NULL : why;
}

static void whose_certificates(void **state)
{
	struct trust *t = load(NULL, UID, NULL);
	const char *const *dn = DN("UID=anna");

#define WISH(...) (&(const struct pki_wish){ .dn = dn, __VA_ARGS__ })
	assert_null(refusal(t, WISH(.eku = "clientAuth"), ca, ca_key, NULL));
	assert_null(refusal(t, WISH(.eku = "serverAuth,clientAuth"), ca, ca_key, NULL));
	assert_string_equal(refusal(t, WISH(.eku = "serverAuth"), ca, ca_key, NULL), "unsuitable certificate purpose");
	assert_string_equal(refusal(t, WISH(.eku = NULL), ca, ca_key, NULL),
	                    "it is not for clients (extended key usage clientAuth)");
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth", .from = -2 * DAY, .until = -DAY), ca, ca_key, NULL),
	                    "certificate has expired");
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth", .from = DAY, .until = 2 * DAY), ca, ca_key, NULL),
	                    "certificate is not yet valid");
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth"), other, other_key, NULL),
	                    "unable to get local issuer certificate");
	// the right name, the wrong key
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth"), ca, other_key, NULL), "certificate signature failure");
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth"), NULL, NULL, NULL), "self-signed certificate");
	// by way of an authority that ours has made; and of somebody whom ours has let in
	assert_null(refusal(t, WISH(.eku = "clientAuth"), middle, middle_key, middle));
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth"), middle, middle_key, NULL),
	                    "unable to get local issuer certificate");
	{
		X509 *bob = pki_issue(middle_key, WISH(.eku = "clientAuth"), ca, ca_key);

		assert_non_null(refusal(t, WISH(.eku = "clientAuth"), bob, middle_key, bob));
		X509_free(bob);
	}
	trust_free(t);
}

static void who_is_revoked(void **state)
{
	const char *const *dn = DN("UID=anna"), *file = in_dir("crl.pem");
	struct trust *t;

	pki_write_crl(file, ca, ca_key, 0, DAY);
	t = load(file, UID, NULL);
	assert_null(refusal(t, WISH(.eku = "clientAuth", .serial = 77), ca, ca_key, NULL));
	// as soon as the file has changed
	pki_write_crl(in_dir("new.pem"), ca, ca_key, 77, DAY);
	assert_int_equal(rename(in_dir("new.pem"), file), 0);
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth", .serial = 77), ca, ca_key, NULL), "certificate revoked");
	assert_null(refusal(t, WISH(.eku = "clientAuth", .serial = 78), ca, ca_key, NULL));
	// an authority without a CRL; one that is itself revoked
	assert_null(refusal(t, WISH(.eku = "clientAuth", .serial = 77), middle, middle_key, middle));
	pki_write_crl(file, ca, ca_key, 5, DAY);
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth", .serial = 78), middle, middle_key, middle), "certificate revoked");
	// a file that is wrong, or gone, lets nobody in again
	pki_write_crl(file, ca, ca_key, 77, DAY);
	assert_non_null(refusal(t, WISH(.eku = "clientAuth", .serial = 77), ca, ca_key, NULL));
	pki_write_cert(file, ca);
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth", .serial = 77), ca, ca_key, NULL), "certificate revoked");
	assert_int_equal(unlink(file), 0);
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth", .serial = 77), ca, ca_key, NULL), "certificate revoked");
	assert_null(refusal(t, WISH(.eku = "clientAuth", .serial = 78), ca, ca_key, NULL));
	// too old to say anything
	pki_write_crl(file, ca, ca_key, 77, -60);
	assert_string_equal(refusal(t, WISH(.eku = "clientAuth", .serial = 78), ca, ca_key, NULL), "CRL has expired");
	// nobody else's
	pki_write_crl(file, other, other_key, 78, DAY);
	assert_null(refusal(t, WISH(.eku = "clientAuth", .serial = 78), ca, ca_key, NULL));
	trust_free(t);
}

static void whose_names(void **state)
{
	static const struct {
		const char *oid, *user, *dn[4], *san;
	} rows[] = {
		{ UID, "anna", { "UID=anna", "CN=Anna A." }, NULL },
		{ CN, "Anna A.", { "UID=anna", "CN=Anna A." }, NULL },
		{ CN, "J\xc3\xbcrgen", { "CN=J\xc3\xbcrgen" }, NULL },
		{ "1.3.6.1.4.1.99999.1", NULL, { "CN=anna" }, NULL },
		{ UID, NULL, { "CN=anna" }, NULL },
		{ UID, NULL, { "UID=anna", "UID=root" }, NULL },
		{ UID, NULL, { "UID=../../etc/passwd" }, NULL },
		{ UID, NULL, { "UID=a/b" }, NULL },
		{ UID, NULL, { "UID=a..b" }, NULL },
		{ UID, NULL, { "UID=." }, NULL },
		{ UID, NULL, { "UID=an\nna" }, NULL },
		{ UID, NULL, { "UID=an\x1b[2Jna" }, NULL },
		{ UID,
		  NULL,
		  { "UID=\xe2\x80\xae"
		    "anna" },
		  NULL },
		{ "SAN(rfc822name)", "anna@example.test", { "CN=x" }, "email:anna@example.test,email:b@example.test" },
		{ "san(RFC822name)", "anna@example.test", { "CN=x" }, "DNS:b.test,email:anna@example.test" },
		{ "SAN(rfc822name)", NULL, { "CN=x", "emailAddress=anna@example.test" }, NULL },
		{ "SAN(rfc822name)", NULL, { "CN=x" }, "DNS:anna.test" },
		{ "SAN(rfc822name)", NULL, { "CN=x" }, "email:../anna@example.test" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct pki_wish wish = { .dn = rows[i].dn, .san = rows[i].san };
		X509 *cert = pki_issue(anna, &wish, NULL, NULL);
		char user[LIMIT_USER + 1] = "";
		const char *why;
		int ret = certname_user(cert, rows[i].oid, user, &why);

		if (rows[i].user == NULL ? ret == 0 : ret < 0 || strcmp(user, rows[i].user) != 0)
			fail_msg("row %zu: %d, %s", i, ret, ret < 0 ? why : user);
		X509_free(cert);
	}
}

// What a certificate may hold that text never does: bytes behind a NUL, two bytes a character, names without end.
static void names_as_bytes(void **state)
{
	static const struct {
		int type, len;
		const char *bytes, *user;
	} rows[] = {
		{ V_ASN1_UTF8STRING, 4, "anna", "anna" },
		{ V_ASN1_PRINTABLESTRING, 4, "anna", "anna" },
		{ V_ASN1_UTF8STRING, 9, "anna\0root", NULL },
		{ V_ASN1_IA5STRING, 5, "anna\0", NULL },
		{ V_ASN1_BMPSTRING, 8, "\0a\0n\0n\0a", "anna" },
		{ V_ASN1_BMPSTRING, 10, "\0a\0n\0n\0\0\0a", NULL },
		{ V_ASN1_T61STRING, 4, "ann\xe4", "ann\xc3\xa4" },
		{ V_ASN1_UTF8STRING, 4, "an\xc3(", NULL },
		{ V_ASN1_UTF8STRING, 0, "", NULL },
	};
	char text[200];

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) + 2; i++) {
		const bool listed = i < sizeof(rows) / sizeof(*rows);
		const int len = listed ? rows[i].len : i % 2 ? LIMIT_USER : LIMIT_USER + 1;
		X509 *cert = X509_new();
		ASN1_STRING *value = ASN1_STRING_type_new(listed ? rows[i].type : V_ASN1_UTF8STRING);
		X509_NAME_ENTRY *entry = NULL;
		char user[LIMIT_USER + 1];
		const char *why, *wanted = listed ? rows[i].user : len == LIMIT_USER ? "" : NULL;

		assert_int_equal(ASN1_STRING_set(value, listed ? rows[i].bytes : text, len), 1);
		entry = X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *)"x", 1);
		assert_int_equal(X509_NAME_ENTRY_set_data(entry, ASN1_STRING_type(value), ASN1_STRING_get0_data(value), len), 1);
		assert_int_equal(X509_NAME_add_entry(X509_get_subject_name(cert), entry, -1, 0), 1);
		if ((certname_user(cert, CN, user, &why) == 0) != (wanted != NULL))
			fail_msg("row %zu", i);
		if (wanted != NULL && listed)
			assert_string_equal(user, wanted);
		X509_NAME_ENTRY_free(entry);
		ASN1_STRING_free(value);
		X509_free(cert);
	}
}

static void whose_groups(void **state)
{
	struct trust *t = load(NULL, CN, OU);
	const struct pki_wish wish = { .dn = DN("CN=anna", "OU=staff", "O=Acme", "OU=admins"), .eku = "clientAuth" };
	char why[LIMIT_TEXT + 1];
	X509 *leaf = pki_issue(anna, &wish, middle, middle_key);
	struct certified *c = certify(t, leaf, middle, why), *again;

	assert_non_null(c);
	assert_string_equal(c->user, "anna");
	assert_int_equal(c->n_groups, 2);
	assert_string_equal(c->group[0], "staff");
	assert_string_equal(c->group[1], "admins");
	assert_true(c->expires > time(NULL) + DAY / 2 && c->expires < time(NULL) + 2 * DAY);
	again = trust_certify(t, c->chain, c->n_chain, why); // from what it keeps
	assert_non_null(again);
	assert_int_equal(again->n_chain, 2);
	assert_string_equal(again->user, "anna");
	certified_put(again);
	certified_put(c);
	X509_free(leaf);
	assert_non_null(refusal(t, &(struct pki_wish){ .dn = DN("CN=anna", "OU=staff", "OU=../x"), .eku = "clientAuth" }, ca,
	                        ca_key, NULL));
	assert_null(refusal(t, &(struct pki_wish){ .dn = DN("CN=anna"), .eku = "clientAuth" }, ca, ca_key, NULL));
	trust_free(t);
}

static void what_is_configured(void **state)
{
	const char *good = in_dir("ca.pem"), *junk = in_dir("junk.pem"), *none = in_dir("none.pem"), *both = in_dir("both.pem");
	const struct {
		const char *ca, *crl, *user, *group, *said;
	} rows[] = {
		{ good, NULL, UID, NULL, NULL },
		{ good, NULL, "SAN(rfc822name)", OU, NULL },
		{ both, "", CN, OU, NULL },
		{ NULL, NULL, UID, NULL, "ca-cert: needed" },
		{ none, NULL, UID, NULL, "ca-cert" },
		{ junk, NULL, UID, NULL, "no PEM certificate in it" },
		{ good, none, UID, NULL, "crl" },
		{ good, good, UID, NULL, "no PEM CRL in it" },
		{ good, NULL, NULL, NULL, "cert-user-oid: needed" },
		{ good, NULL, "", NULL, "cert-user-oid: needed" },
		{ good, NULL, "CN", NULL, "cert-user-oid CN: neither" },
		{ good, NULL, UID, "OU", "cert-group-oid OU: neither" },
	};
	char text[LIMIT_TEXT + 1], command[400];

	snprintf(command, sizeof(command), "echo junk > %s; cat %s %s > %s", junk, good, good, both);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct trust *t = trust_load(rows[i].ca, rows[i].crl, rows[i].user, &rows[i].group, rows[i].group != NULL, text);

		if ((t != NULL) != (rows[i].said == NULL) || (t == NULL && strstr(text, rows[i].said) == NULL))
			fail_msg("row %zu: %s", i, t == NULL ? text : "taken");
		trust_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_certificates), cmocka_unit_test(who_is_revoked), cmocka_unit_test(whose_names),
		cmocka_unit_test(names_as_bytes),     cmocka_unit_test(whose_groups),   cmocka_unit_test(what_is_configured),
	};

	return cmocka_run_group_tests(tests, make_all, drop_all);
}
