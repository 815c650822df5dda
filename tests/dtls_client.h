// OpenSSL as a DTLS client without a socket: its datagrams go through queues in memory, in which one can be lost.
#pragma once
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "control/worker/dtls.h"

#define QUEUE 64
#define NEVER (-1)

struct datagram {
	uint8_t bytes[LIMIT_DATAGRAM];
	size_t len;
};

struct queue {
	struct datagram d[QUEUE];
	int head, tail;
	int sent, lose; // the lose-th datagram is lost
};

// Up: from the client.
struct net {
	struct queue up, down;
};

static const uint8_t master[DTLS_MASTER_SIZE] = "a master secret that the client has made up ....";
static const uint8_t session_id[APP_ID_SIZE] = "a session id of the server's ...";

static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void queue_put(struct queue *q, const void *buf, size_t len)
{
	struct datagram *d = &q->d[q->tail % QUEUE];

	assert_true(len <= sizeof(d->bytes) && q->tail - q->head < QUEUE);
	if (q->sent++ == q->lose)
		return;
	memcpy(d->bytes, buf, len);
	d->len = len;
	q->tail++;
}

static struct datagram *queue_get(struct queue *q)
{
	return q->head == q->tail ? NULL : &q->d[q->head++ % QUEUE];
}

static int net_write(BIO *b, const char *buf, int len)
{
	struct net *n = BIO_get_data(b);

	queue_put(&n->up, buf, (size_t)len);
	return len;
}

static int net_read(BIO *b, char *buf, int room)
{
	struct net *n = BIO_get_data(b);
	struct datagram *d = queue_get(&n->down);

	BIO_clear_retry_flags(b);
	if (!d) {
		BIO_set_retry_read(b);
		return -1;
	}
	assert_true(d->len <= (size_t)room);
	memcpy(buf, d->bytes, d->len);
	return (int)d->len;
}

static long net_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : cmd == BIO_CTRL_DGRAM_GET_MTU_OVERHEAD ? 28 : 0;
}

static unsigned int client_timeout(SSL *ssl, unsigned int last_us)
{
	(void)ssl;
	return last_us ? last_us * 2 : 100000;
}

static SSL *client_new(SSL_CTX *ctx, struct net *n)
{
	static BIO_METHOD *method;
	SSL *client = SSL_new(ctx);
	BIO *bio;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "net");
		BIO_meth_set_write(method, net_write);
		BIO_meth_set_read(method, net_read);
		BIO_meth_set_ctrl(method, net_ctrl);
	}
	bio = BIO_new(method);
	BIO_set_data(bio, n);
	BIO_set_init(bio, 1);
	SSL_set_bio(client, bio, bio);
	SSL_set_options(client, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(client, 1400);
	DTLS_set_timer_cb(client, client_timeout);
	SSL_set_connect_state(client);
	return client;
}

// The session that both sides know of without ever having had it.
static void client_resumes(SSL *client, const struct suite *suite, int version)
{
	SSL_SESSION *s = SSL_SESSION_new();

	SSL_SESSION_set1_id(s, session_id, sizeof(session_id));
	SSL_SESSION_set1_master_key(s, master, sizeof(master));
	SSL_SESSION_set_cipher(s, SSL_CIPHER_find(client, suite->id));
	SSL_SESSION_set_protocol_version(s, version);
	SSL_set_session(client, s);
	SSL_SESSION_free(s);
}
