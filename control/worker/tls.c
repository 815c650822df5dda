#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "proto/log.h"
#include "tls.h"

#define OUT_FIRST 4096
#define RECORD_OVERHEAD 256 // header, nonce, tag, type; and an alert or key update beside it
// One read of the socket brings in many records.
#define READ_AHEAD (64 * 1024)

// ----------------------------------------------------------------------------------------------------------------- BIO

static int out_grow(struct tls *t, size_t len)
{
	size_t room = t->out_room ? t->out_room : OUT_FIRST;
	uint8_t *fresh;

	while (room < len)
		room *= 2;
	fresh = realloc(t->out, room);
	if (!fresh)
		return -ENOMEM;
	t->out = fresh;
	t->out_room = room;
	return 0;
}

static int bio_write(BIO *b, const char *buf, int len)
{
	struct tls *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (t->out_at == t->out_len)
		t->out_at = t->out_len = 0;
	// What OpenSSL writes by itself (alerts, key updates) a client could ask for without end.
	if (tls_waiting(t) + (size_t)len > 2 * TLS_OUT_MAX)
		return -1;
	if (t->out_len + (size_t)len > t->out_room && out_grow(t, t->out_len + (size_t)len) < 0)
		return -1;
	memcpy(t->out + t->out_len, buf, (size_t)len);
	t->out_len += (size_t)len;
	return len;
}

static int bio_read(BIO *b, char *buf, int room)
{
	struct tls *t = BIO_get_data(b);
	ssize_t n;

	BIO_clear_retry_flags(b);
	do
		n = recv(t->fd, buf, (size_t)room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (n <= 0)
		t->eof = true;
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH;
}

static BIO *bio_new(struct tls *t)
{
	static BIO_METHOD *method;
	BIO *b;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "client");
		if (!method)
			return NULL;
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	b = BIO_new(method);
	if (!b)
		return NULL;
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	return b;
}

// ---------------------------------------------------------------------------------------------------------- connection

static void on_state(const SSL *ssl, int where, int ret)
{
	struct tls *t = SSL_get_app_data(ssl);

	if (SSL_get_state(ssl) == TLS_ST_SR_KEY_UPDATE)
		t->rekeyed = true;
}

int tls_init(struct tls *t, SSL_CTX *ctx, int fd, uint64_t now_ms)
{
	BIO *bio;

	memset(t, 0, sizeof(*t));
	t->fd = fd;
	t->moved_ms = now_ms;
	t->ssl = SSL_new(ctx);
	bio = t->ssl ? bio_new(t) : NULL;
	if (!bio) {
		SSL_free(t->ssl);
		t->ssl = NULL;
		log_err("TLS: out of memory");
		return -ENOMEM;
	}
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	SSL_set_info_callback(t->ssl, on_state);
	SSL_set_read_ahead(t->ssl, 1);
	SSL_set_accept_state(t->ssl);
	return 0;
}

void tls_widen(struct tls *t)
{
	SSL_set_default_read_buffer_len(t->ssl, READ_AHEAD);
}

void tls_fini(struct tls *t)
{
	SSL_free(t->ssl);
	free(t->out);
	t->ssl = NULL;
	t->out = NULL;
	t->out_at = t->out_len = t->out_room = 0;
}

// What a call of OpenSSL's came to, where it did not succeed.
static int outcome(struct tls *t, int n, const char *what)
{
	const char *reason;

	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	}
	t->broken = true;
	if (t->eof)
		return 0;
	reason = ERR_reason_error_string(ERR_peek_error());
	log_info("TLS %s: %s", what, reason ? reason : "out of memory");
	return -EPROTO;
}

int tls_handshake(struct tls *t)
{
	int n, ret;

	ERR_clear_error();
	n = SSL_do_handshake(t->ssl);
	if (n == 1)
		return 1;
	ret = outcome(t, n, "handshake");
	if (ret == 0)
		log_debug("TLS handshake: the client has gone");
	return ret == -EAGAIN ? 0 : -EPROTO;
}

int tls_read(struct tls *t, void *buf, size_t room)
{
	int n;

	ERR_clear_error();
	n = SSL_read(t->ssl, buf, (int)room);
	return n > 0 ? n : outcome(t, n, "read");
}

int tls_write(struct tls *t, const void *buf, size_t len)
{
	int n;

	if (tls_waiting(t) + len + RECORD_OVERHEAD > TLS_OUT_MAX)
		return -ENOBUFS;
	ERR_clear_error();
	n = SSL_write(t->ssl, buf, (int)len);
	if (n == (int)len)
		return 0;
	outcome(t, n, "write");
	return -EPROTO;
}

// The kernel looks at its limit when it begins a buffer, and then fills it with what there is, up to 64 KiB: pieces with an end of
// their own (MSG_EOR) are buffers of their own.
static ssize_t send_piece(const struct tls *t)
{
	size_t len = t->out_len - t->out_at;
	bool cut = t->piece > 0;

	if (cut && len > t->piece)
		len = t->piece;
	return send(t->fd, t->out + t->out_at, len, MSG_DONTWAIT | MSG_NOSIGNAL | (cut ? MSG_EOR : 0));
}

int tls_flush(struct tls *t, uint64_t now_ms)
{
	ssize_t n;

	if (t->out_at == t->out_len)
		t->moved_ms = now_ms;
	while (t->out_at < t->out_len) {
		n = send_piece(t);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return -EAGAIN;
		if (n < 0) {
			t->broken = true;
			t->out_at = t->out_len;
			return -EPIPE;
		}
		t->out_at += (size_t)n;
		t->moved_ms = now_ms;
		reader_sent(&t->reader, now_ms);
	}
	return 0;
}

bool tls_is_frozen(struct tls *t, uint64_t now_ms)
{
	return (tls_waiting(t) > 0 && now_ms - t->moved_ms >= READER_FROZEN_MS) || reader_is_frozen(&t->reader, t->fd, now_ms);
}

int tls_wait_ms(const struct tls *t, int ms, uint64_t now_ms)
{
	if (tls_waiting(t) > 0)
		ms = clock_sooner(ms, t->moved_ms + READER_FROZEN_MS, now_ms);
	return t->reader.look_ms ? clock_sooner(ms, t->reader.look_ms, now_ms) : ms;
}

// GnuTLS takes a request that crosses its own for an attack: a client that changes its keys is not asked to.
int tls_rekey(struct tls *t)
{
	int type = t->rekeyed ? SSL_KEY_UPDATE_NOT_REQUESTED : SSL_KEY_UPDATE_REQUESTED;

	if (SSL_version(t->ssl) != TLS1_3_VERSION)
		return -ENOTSUP;
	t->rekeyed = false;
	ERR_clear_error();
	if (SSL_key_update(t->ssl, type) != 1 || SSL_do_handshake(t->ssl) != 1)
		return -EPROTO;
	return 0;
}

size_t tls_waiting(const struct tls *t)
{
	return t->out_len - t->out_at;
}

void tls_goodbye(struct tls *t)
{
	ERR_clear_error();
	if (!t->broken && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
}

void tls_calm(struct tls *t)
{
	if (tls_waiting(t) > 0)
		return;
	free(t->out);
	t->out = NULL;
	t->out_at = t->out_len = t->out_room = 0;
}

enum aead_cipher tls_cipher(const struct tls *t)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);

	switch (c ? SSL_CIPHER_get_cipher_nid(c) : NID_undef) {
	case NID_aes_128_gcm:
		return AEAD_AES_128_GCM;
	case NID_chacha20_poly1305:
		return AEAD_CHACHA20_POLY1305;
	default:
		return AEAD_AES_256_GCM;
	}
}

// ------------------------------------------------------------------------------------------------------------- names

struct name {
	int number;
	const char *text;
};

static const char *name_of(const struct name *names, size_t n, int number)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (names[i].number == number)
			return names[i].text;
	return "?";
}

#define NAME_OF(names, number) name_of(names, sizeof(names) / sizeof((names)[0]), number)

// RFC 8446 4.2.3. Before TLS 1.3 the numbers of ECDSA said nothing of the curve (RFC 8422 5.1.1).
static const char *scheme_name(int version, uint16_t scheme)
{
	static const struct name ecdsa12[] = {
		{ 0x0403, "ECDSA-SHA256" },
		{ 0x0503, "ECDSA-SHA384" },
		{ 0x0603, "ECDSA-SHA512" },
	};
	static const struct name schemes[] = {
		{ 0x0401, "RSA-SHA256" },
		{ 0x0501, "RSA-SHA384" },
		{ 0x0601, "RSA-SHA512" },
		{ 0x0403, "ECDSA-SECP256R1-SHA256" },
		{ 0x0503, "ECDSA-SECP384R1-SHA384" },
		{ 0x0807, "EdDSA-Ed25519" },
		{ 0x0804, "RSA-PSS-RSAE-SHA256" },
		{ 0x0805, "RSA-PSS-RSAE-SHA384" },
		{ 0x0806, "RSA-PSS-RSAE-SHA512" },
		{ 0x0809, "RSA-PSS-SHA256" },
		{ 0x080a, "RSA-PSS-SHA384" },
		{ 0x080b, "RSA-PSS-SHA512" },
	};

	if (version == TLS1_2_VERSION && (scheme & 0xff) == 3)
		return NAME_OF(ecdsa12, scheme);
	return NAME_OF(schemes, scheme);
}

void tls_describe(const struct tls *t, uint16_t scheme, char *out, size_t room)
{
	static const struct name versions[] = { { TLS1_2_VERSION, "TLS1.2" }, { TLS1_3_VERSION, "TLS1.3" } };
	static const struct name groups[] = { { NID_X25519, "X25519" },
		                              { NID_X9_62_prime256v1, "SECP256R1" },
		                              { NID_secp384r1, "SECP384R1" },
		                              { NID_secp521r1, "SECP521R1" },
		                              { NID_X448, "X448" } };
	static const struct name ciphers[] = { { NID_aes_128_gcm, "AES-128-GCM" },
		                               { NID_aes_256_gcm, "AES-256-GCM" },
		                               { NID_chacha20_poly1305, "CHACHA20-POLY1305" } };
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
	const char *signature = SSL_session_reused(t->ssl) ? "RESUMED" : scheme_name(SSL_version(t->ssl), scheme);

	snprintf(out, room, "(%s)-(ECDHE-%s)-(%s)-(%s)", NAME_OF(versions, SSL_version(t->ssl)),
	         NAME_OF(groups, SSL_get_negotiated_group(t->ssl)), signature,
	         NAME_OF(ciphers, cipher ? SSL_CIPHER_get_cipher_nid(cipher) : NID_undef));
}
