#include "secmod/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/log.h"
#include "proto/text.h"
#include "secmod/certname.h"

#define GROUP_OIDS 8
#define AUTH_LEVEL 2 // RSA of 2048 bits, SHA-256: as for our own keys

// A file as it was when it was read.
struct stamp {
	ino_t inode;
	off_t size;
	struct timespec modified;
};

struct trust {
	X509_STORE *store;
	STACK_OF(X509) * authorities;
	char *crl;
	struct stamp seen; // of crl, whether it was good or not
	char *user_oid;
	unsigned n_group_oids;
	char *group_oid[GROUP_OIDS];
};

// ------------------------------------------------------------------------------------------------------------------ files

static struct stamp stamp_of(const char *file)
{
	struct stat st;

	if (stat(file, &st) < 0)
		return (struct stamp){ 0 };
	return (struct stamp){ st.st_ino, st.st_size, st.st_mtim };
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec;
}

// Was it the end of the file that ended the reading, not something that is no PEM?
static bool is_end(void)
{
	bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

	ERR_clear_error();
	return end;
}

static STACK_OF(X509) * read_authorities(const char *file, char text[LIMIT_TEXT + 1])
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *bio = BIO_new_file(file, "r");
	X509 *cert;

	if (bio == NULL)
		text_format(text, "ca-cert %s: %s", file, strerror(errno));
	while (bio != NULL && all != NULL && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(all, cert) <= 0)
			X509_free(cert);
	if (bio != NULL && is_end() && sk_X509_num(all) > 0) {
		BIO_free(bio);
		return all;
	}
	if (bio != NULL)
		text_format(text, "ca-cert %s: %s", file,
		            sk_X509_num(all) > 0 ? "there is something in it that is no PEM certificate"
		                                 : "no PEM certificate in it");
	BIO_free(bio);
	ERR_clear_error();
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

static int add_crls(X509_STORE *store, const char *file, char text[LIMIT_TEXT + 1])
{
	BIO *bio = BIO_new_file(file, "r");
	int n = 0, ret = 0;
	X509_CRL *crl;

	if (bio == NULL)
		return text_refuse(text, "crl %s: %s", file, strerror(errno));
	while (ret == 0 && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		ret = X509_STORE_add_crl(store, crl) == 1 ? 0 : -ENOMEM;
		X509_CRL_free(crl);
		n++;
	}
	BIO_free(bio);
	if (!is_end() || n == 0 || ret < 0)
		return text_refuse(text, "crl %s: %s", file,
		                   n > 0 ? "there is something in it that is no PEM CRL" : "no PEM CRL in it");
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------ store

// An authority without a CRL in the file revokes nobody (as GnuTLS has it, and so ocserv's users).
static int on_verdict(int ok, X509_STORE_CTX *ctx)
{
	return ok || X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL;
}

static X509_STORE *store_new(STACK_OF(X509) * authorities, const char *crl, char text[LIMIT_TEXT + 1])
{
	X509_STORE *store = X509_STORE_new();
	// any of ca-cert may be the end of a chain, whoever has issued it
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | (crl != NULL ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : 0);
	bool ok = store != NULL && X509_STORE_set_flags(store, flags) == 1;

	for (int i = 0; ok && i < sk_X509_num(authorities); i++)
		ok = X509_STORE_add_cert(store, sk_X509_value(authorities, i)) == 1;
	if (!ok)
		text_format(text, "no memory for ca-cert");
	if (ok && (crl == NULL || add_crls(store, crl, text) == 0)) {
		X509_STORE_set_verify_cb(store, on_verdict);
		return store;
	}
	ERR_clear_error();
	X509_STORE_free(store);
	return NULL;
}

// Somebody is locked out by a new CRL, at once; a file that is wrong lets nobody in again.
static void refresh(struct trust *t)
{
	char text[LIMIT_TEXT + 1];
	struct stamp now;
	X509_STORE *store;

	if (t->crl == NULL)
		return;
	now = stamp_of(t->crl);
	if (is_same(&now, &t->seen))
		return;
	t->seen = now;
	store = store_new(t->authorities, t->crl, text);
	if (store == NULL) {
		log_err("%s; the one from before stays in force", text);
		return;
	}
	X509_STORE_free(t->store);
	t->store = store;
	log_notice("crl %s: read again", t->crl);
}

static int copy_oids(struct trust *t, const char *user_oid, const char *const *group_oid, unsigned n, char text[LIMIT_TEXT + 1])
{
	if (user_oid == NULL || user_oid[0] == '\0')
		return text_refuse(text, "cert-user-oid: needed with auth = certificate, to know who a certificate's owner is");
	if (!certname_is_oid(user_oid))
		return text_refuse(text, "cert-user-oid %s: neither an OID such as 2.5.4.3 nor SAN(rfc822name)", user_oid);
	if (n > GROUP_OIDS)
		return text_refuse(text, "cert-group-oid: more than %d are not supported", GROUP_OIDS);
	for (unsigned i = 0; i < n; i++) {
		if (!certname_is_oid(group_oid[i]))
			return text_refuse(text, "cert-group-oid %s: neither an OID such as 2.5.4.11 nor SAN(rfc822name)",
			                   group_oid[i]);
		t->group_oid[t->n_group_oids++] = strdup(group_oid[i]);
		if (t->group_oid[i] == NULL)
			return text_refuse(text, "no memory");
	}
	t->user_oid = strdup(user_oid);
	return t->user_oid != NULL ? 0 : text_refuse(text, "no memory");
}

static int load_files(struct trust *t, const char *ca, const char *crl, char text[LIMIT_TEXT + 1])
{
	if (ca == NULL || ca[0] == '\0')
		return text_refuse(text, "ca-cert: needed with auth = certificate, to know whose certificates to take");
	t->authorities = read_authorities(ca, text);
	if (t->authorities == NULL)
		return -EINVAL;
	if (crl != NULL && crl[0] != '\0') {
		t->crl = strdup(crl);
		if (t->crl == NULL)
			return text_refuse(text, "no memory");
		t->seen = stamp_of(crl);
	}
	t->store = store_new(t->authorities, t->crl, text);
	return t->store != NULL ? 0 : -EINVAL;
}

struct trust *trust_load(const char *ca, const char *crl, const char *user_oid, const char *const *group_oid, unsigned n_group_oids,
                         char text[LIMIT_TEXT + 1])
{
	struct trust *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		text_format(text, "no memory");
		return NULL;
	}
	if (copy_oids(t, user_oid, group_oid, n_group_oids, text) == 0 && load_files(t, ca, crl, text) == 0)
		return t;
	trust_free(t);
	return NULL;
}

void trust_free(struct trust *t)
{
	if (t == NULL)
		return;
	X509_STORE_free(t->store);
	sk_X509_pop_free(t->authorities, X509_free);
	for (unsigned i = 0; i < t->n_group_oids; i++)
		free(t->group_oid[i]);
	free(t->user_oid);
	free(t->crl);
	free(t);
}

// ------------------------------------------------------------------------------------------------------------ certificates

static STACK_OF(X509) * read_chain(const struct span *chain, unsigned n)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	bool ok = all != NULL;

	for (unsigned i = 0; ok && i < n; i++) {
		const unsigned char *at = chain[i].at;
		X509 *cert = d2i_X509(NULL, &at, (long)chain[i].len);

		ok = cert != NULL && at == chain[i].at + chain[i].len && sk_X509_push(all, cert) > 0;
		if (!ok)
			X509_free(cert);
	}
	if (ok && n > 0)
		return all;
	ERR_clear_error();
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

// What was meant for something else does not let anybody in: clientAuth has to be there, by name.
static bool is_for_clients(X509 *cert)
{
	return X509_get_extension_flags(cert) & EXFLAG_XKUSAGE && X509_get_extended_key_usage(cert) & XKU_SSL_CLIENT;
}

static int verify(struct trust *t, STACK_OF(X509) * chain, char why[LIMIT_TEXT + 1])
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *leaf = sk_X509_value(chain, 0);
	int error = X509_V_ERR_OUT_OF_MEM, ret = 0;

	if (ctx != NULL && X509_STORE_CTX_init(ctx, t->store, leaf, chain) == 1 &&
	    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1) {
		X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), AUTH_LEVEL);
		error = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	if (error != X509_V_OK)
		ret = text_refuse(why, "%s", X509_verify_cert_error_string(error));
	else if (!is_for_clients(leaf))
		ret = text_refuse(why, "it is not for clients (extended key usage clientAuth)");
	return ret;
}

static int read_names(const struct trust *t, X509 *cert, struct certified *c, char why[LIMIT_TEXT + 1])
{
	char(*group)[LIMIT_GROUP + 1];
	const char *reason;
	unsigned n;

	if (certname_user(cert, t->user_oid, c->user, &reason) < 0)
		return text_refuse(why, "%s", reason);
	for (unsigned i = 0; i < t->n_group_oids; i++) {
		group = realloc(c->group, sizeof(*group) * (c->n_groups + CERTNAME_GROUPS));
		if (group == NULL)
			return text_refuse(why, "no memory");
		c->group = group;
		if (certname_groups(cert, t->group_oid[i], group + c->n_groups, &n, &reason) < 0)
			return text_refuse(why, "%s", reason);
		c->n_groups += n;
	}
	return 0;
}

static int keep_chain(struct certified *c, const struct span *chain, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += chain[i].len;
	c->der = malloc(len);
	if (c->der == NULL)
		return -ENOMEM;
	for (len = 0; c->n_chain < n; c->n_chain++) {
		c->chain[c->n_chain] = (struct span){ c->der + len, chain[c->n_chain].len };
		memcpy(c->der + len, chain[c->n_chain].at, chain[c->n_chain].len);
		len += chain[c->n_chain].len;
	}
	return 0;
}

static int fill(struct trust *t, STACK_OF(X509) * certs, struct certified *c, char why[LIMIT_TEXT + 1])
{
	X509 *leaf = sk_X509_value(certs, 0);
	struct tm tm;

	if (verify(t, certs, why) < 0 || read_names(t, leaf, c, why) < 0)
		return -EACCES;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) != 1)
		return text_refuse(why, "its time cannot be read");
	c->expires = timegm(&tm);
	return 0;
}

struct certified *trust_certify(struct trust *t, const struct span *chain, unsigned n, char why[LIMIT_TEXT + 1])
{
	STACK_OF(X509) *certs = read_chain(chain, n);
	struct certified *c = calloc(1, sizeof(*c));

	refresh(t);
	text_format(why, certs != NULL ? "no memory" : "it cannot be read");
	if (c != NULL)
		c->refs = 1;
	if (certs == NULL || c == NULL || fill(t, certs, c, why) < 0 || keep_chain(c, chain, n) < 0) {
		certified_put(c);
		c = NULL;
	}
	sk_X509_pop_free(certs, X509_free);
	return c;
}

struct certified *certified_get(struct certified *c)
{
	c->refs++;
	return c;
}

void certified_put(struct certified *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	free(c->group);
	free(c->der);
	free(c);
}
