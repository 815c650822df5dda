#include "clientcert.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "offers.h"
#include "proto/log.h"

#define ROOM_FIRST 4096
// Beside both sides' chains in LIMIT_TRANSCRIPT.
#define NAMES_MOST 8192
#define CHAIN_MOST 16384

static int let_pass(X509_STORE_CTX *ctx, void *who)
{
	return 1;
}

// The names of our authorities tell a client with several certificates which one to show. With very many names it has to know.
static size_t names_size(const STACK_OF(X509_NAME) * names)
{
	size_t size = 0;

	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		size += 2 + (size_t)i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);
	return size;
}

int clientcert_prepare(SSL_CTX *ctx, const struct snapshot *conf, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	const char *file = snapshot_vhost_get(conf, vhost, "ca-cert");
	STACK_OF(X509_NAME) * names;

	if (!file || !file[0]) {
		snprintf(text, LIMIT_TEXT + 1, "ca-cert: needed with auth = certificate, to know whose certificates to take");
		return -EINVAL;
	}
	names = SSL_load_client_CA_file(file);
	if (!names) {
		snprintf(text, LIMIT_TEXT + 1, "ca-cert %s: no PEM certificate in it", file);
		ERR_clear_error();
		return -EINVAL;
	}
	if (names_size(names) <= NAMES_MOST)
		SSL_CTX_set_client_CA_list(ctx, names);
	else
		sk_X509_NAME_pop_free(names, X509_NAME_free);
	SSL_CTX_set_cert_verify_callback(ctx, let_pass, NULL);
	return 0;
}

// The time in our random is for sec-mod, where our signature alone does not make a handshake one of now (RFC 5246 7.4.1.2).
void clientcert_want(SSL *ssl, const struct offers *offers)
{
	if (!offers->wants_certificate)
		return;
	SSL_set_verify(ssl, SSL_VERIFY_PEER | (offers->insists ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	SSL_set_max_cert_list(ssl, CHAIN_MOST);
	SSL_set_mode(ssl, SSL_MODE_SEND_SERVERHELLO_TIME);
}

// --------------------------------------------------------------------------------------------------------- the handshake

static bool make_room(struct clientcert *c, size_t len)
{
	size_t room = c->room ? c->room : ROOM_FIRST;
	uint8_t *fresh;

	if (len > LIMIT_TRANSCRIPT)
		return false;
	while (room < len)
		room *= 2;
	fresh = room > c->room ? realloc(c->messages, room) : c->messages;
	if (!fresh)
		return false;
	c->messages = fresh;
	c->room = room;
	return true;
}

static void on_message(int out, int version, int type, const void *message, size_t len, SSL *ssl, void *who)
{
	struct clientcert *c = who;
	uint8_t kind;

	if (type != SSL3_RT_HANDSHAKE || len == 0 || c->whole || c->broken)
		return;
	kind = *(const uint8_t *)message;
	if (kind != SSL3_MT_CLIENT_HELLO && !(SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER)) {
		SSL_set_msg_callback(ssl, NULL);
		clientcert_fini(c);
		return;
	}
	if (!make_room(c, c->len + len)) {
		c->broken = true;
		return;
	}
	memcpy(c->messages + c->len, message, len);
	c->len += len;
	c->whole = !out && kind == SSL3_MT_CERTIFICATE_VERIFY;
}

void clientcert_watch(struct clientcert *c, SSL *ssl)
{
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, c);
}

void clientcert_fini(struct clientcert *c)
{
	free(c->messages);
	*c = (struct clientcert){ 0 };
}

int clientcert_prove(struct clientcert *c, struct ask *ask)
{
	int ret = 0;

	if (c->broken)
		log_info("the client's certificate is refused: its handshake has more than %d bytes", LIMIT_TRANSCRIPT);
	else if (c->whole)
		ret = ask_certificate(ask, c->messages, c->len);
	clientcert_fini(c);
	return ret;
}
