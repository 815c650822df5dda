#include "resume.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "proto/secret.h"
#include "vhost.h"

#define TICKETS 1 // openconnect and AnyConnect come back one connection at a time
#define TAG_SEQUENCE 0x30
#define TAG_PEER 0xa3 // [3] of OpenSSL's session: the client's certificate

static struct {
	struct ask *ask;
	unsigned fetches, deletes;
	uint8_t vhost;      // the connection's
	SSL_SESSION *given; // the last one that was fetched: a second ClientHello asks for it again
	bool certified;     // what sec-mod has said of that
	uint8_t cert_sha1[CERT_SHA1_SIZE];
	struct msg_resume_store *kept[LIMIT_RESUME_STORES]; // during the handshake only
	unsigned n_kept;
} resume;

// ---------------------------------------------------------------------------------------------------------------- packing

// One element of DER: its length with the header, 0: it is none. Ours come from OpenSSL.
static size_t element(const uint8_t *at, size_t left, size_t *header)
{
	size_t len, bytes = 0;

	if (left < 2)
		return 0;
	len = at[1];
	if (len & 0x80) {
		bytes = len & 0x7f;
		if (bytes > 3 || left < 2 + bytes)
			return 0;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | at[2 + i];
	}
	*header = 2 + bytes;
	return len <= left - *header ? *header + len : 0;
}

// A session without its client's certificate, which sec-mod has already: a tenth of its size is left. Its length, 0: it does not
// fit.
static size_t pack(const uint8_t *der, size_t len, uint8_t *out, size_t room)
{
	size_t header, whole = element(der, len, &header), used = 4, n, inner;

	if (whole != len || der[0] != TAG_SEQUENCE || room < used)
		return 0;
	for (size_t at = header; at < len; at += n) {
		n = element(der + at, len - at, &inner);
		if (n == 0 || (der[at] != TAG_PEER && n > room - used))
			return 0;
		if (der[at] == TAG_PEER)
			continue;
		memcpy(out + used, der + at, n);
		used += n;
	}
	out[0] = TAG_SEQUENCE;
	out[1] = 0x82;
	out[2] = (uint8_t)((used - 4) >> 8);
	out[3] = (uint8_t)(used - 4);
	return used;
}

// -------------------------------------------------------------------------------------------------------------- OpenSSL's

static void drop(struct msg_resume_store *m)
{
	if (!m)
		return;
	secret_wipe(m, sizeof(*m));
	free(m);
}

static int fill(struct msg_resume_store *m, SSL_SESSION *session)
{
	const size_t room = sizeof(m->state) - CERT_SHA1_SIZE;
	unsigned int id_len;
	const uint8_t *id = SSL_SESSION_get_id(session, &id_len);
	uint8_t *der = NULL;
	size_t packed = 0;
	int len;

	if (id_len != sizeof(m->id))
		return -EINVAL;
	len = i2d_SSL_SESSION(session, &der);
	if (len > 0) {
		packed = pack(der, (size_t)len, m->state + CERT_SHA1_SIZE, room);
		OPENSSL_clear_free(der, (size_t)len);
	}
	memcpy(m->id, id, id_len);
	m->id_len = (uint16_t)id_len;
	m->state_len = (uint16_t)(CERT_SHA1_SIZE + packed);
	return packed > 0 ? 0 : -EMSGSIZE;
}

// OpenSSL has made a session that may be resumed. Only when the connection's client is known for who he is does it go to sec-mod.
static int on_new(SSL *ssl, SSL_SESSION *session)
{
	struct msg_resume_store *m;

	if (!resume.ask || resume.n_kept == LIMIT_RESUME_STORES)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m || fill(m, session) < 0) {
		drop(m);
		return 0;
	}
	m->once = SSL_version(ssl) == TLS1_3_VERSION;
	resume.vhost = vhost_of(ssl)->number;
	resume.kept[resume.n_kept++] = m;
	return 0;
}

static bool is_given(const uint8_t *id, size_t len)
{
	unsigned int given_len;
	const uint8_t *given = resume.given ? SSL_SESSION_get_id(resume.given, &given_len) : NULL;

	return given && given_len == len && memcmp(given, id, len) == 0;
}

static void take(const struct msg_resume_rep *rep)
{
	const unsigned char *at = rep->state + CERT_SHA1_SIZE;

	SSL_SESSION_free(resume.given);
	resume.given = NULL;
	resume.certified = false;
	if (!rep->ok || rep->state_len <= CERT_SHA1_SIZE)
		return;
	resume.given = d2i_SSL_SESSION(NULL, &at, rep->state_len - CERT_SHA1_SIZE);
	resume.certified = resume.given && rep->certified;
	memcpy(resume.cert_sha1, rep->state, CERT_SHA1_SIZE);
	ERR_clear_error();
}

// tls-priorities may have changed since: what makes no suite now is not gone on with. In TLS 1.3 the suite is chosen anew.
static bool is_spoken(SSL *ssl, const SSL_SESSION *session)
{
	const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(session);

	return SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION || !cipher ||
	       sk_SSL_CIPHER_find(SSL_get_ciphers(ssl), (SSL_CIPHER *)cipher) >= 0;
}

// The client wants to resume: sec-mod is asked, and the handshake waits for it as it does for a signature.
static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int len, int *copy)
{
	struct msg_resume_fetch m = { .vhost = vhost_of(ssl)->number };
	struct msg_resume_rep rep = { 0 };

	*copy = 0;
	resume.vhost = m.vhost;
	if (!resume.ask || len <= 0 || (size_t)len > sizeof(m.id))
		return NULL;
	if (!is_given(id, (size_t)len)) {
		if (resume.fetches == LIMIT_RESUME_FETCHES)
			return NULL;
		resume.fetches++;
		memcpy(m.id, id, (size_t)len);
		m.id_len = (uint16_t)len;
		if (ask_resume(resume.ask, &m, &rep) == 0)
			take(&rep);
		secret_wipe(&rep, sizeof(rep));
	}
	if (!is_given(id, (size_t)len) || !is_spoken(ssl, resume.given))
		return NULL;
	SSL_SESSION_up_ref(resume.given);
	return resume.given;
}

// After a fatal alert nobody may resume it (RFC 5246 7.2.2).
static void on_remove(SSL_CTX *ctx, SSL_SESSION *session)
{
	struct msg_resume_delete m = { .vhost = resume.vhost };
	unsigned int len;
	const uint8_t *id = SSL_SESSION_get_id(session, &len);

	if (!resume.ask || len == 0 || len > sizeof(m.id) || resume.deletes == LIMIT_RESUME_FETCHES)
		return;
	resume.deletes++;
	memcpy(m.id, id, len);
	m.id_len = (uint16_t)len;
	ask_forget(resume.ask, &m);
}

int resume_prepare(SSL_CTX *ctx, const char *name)
{
	uint8_t context[SHA256_DIGEST_LENGTH];

	if (!SHA256((const uint8_t *)name, strlen(name), context) ||
	    SSL_CTX_set_session_id_context(ctx, context, sizeof(context)) != 1 || SSL_CTX_set_num_tickets(ctx, TICKETS) != 1)
		return -EINVAL;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new);
	SSL_CTX_sess_set_get_cb(ctx, on_get);
	SSL_CTX_sess_set_remove_cb(ctx, on_remove);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- the worker

void resume_set(struct ask *ask)
{
	resume_forget();
	SSL_SESSION_free(resume.given);
	resume.given = NULL;
	resume.certified = false;
	resume.fetches = resume.deletes = 0;
	resume.ask = ask;
}

bool resume_is_certified(void)
{
	return resume.certified;
}

void resume_shown(uint8_t cert_sha1[CERT_SHA1_SIZE])
{
	memcpy(cert_sha1, resume.cert_sha1, CERT_SHA1_SIZE);
}

void resume_keep(const uint8_t cert_sha1[CERT_SHA1_SIZE])
{
	for (unsigned i = 0; i < resume.n_kept; i++) {
		memcpy(resume.kept[i]->state, cert_sha1, CERT_SHA1_SIZE);
		ask_keep(resume.ask, resume.kept[i]);
	}
	resume_forget();
}

void resume_forget(void)
{
	while (resume.n_kept > 0)
		drop(resume.kept[--resume.n_kept]);
}
