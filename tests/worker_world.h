// A whole worker in a thread, between a TLS client, a sec-mod that says yes, and a main and a dataplane that the test plays.
// Included by tests that link the worker room, after cmocka.h.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/worker/client.h"
#include "control/worker/cstp.h"
#include "control/worker/dtls.h"
#include "control/worker/signer.h"
#include "control/worker/tls_ctx.h"
#include "pki.h"
#include "proto/compress.h"
#include "proto/chan.h"
#include "proto/log.h"

#pragma GCC diagnostic ignored "-Wunused-function" // each test has its own part of this

#define SECONDS 5 // patience

static struct {
	EVP_PKEY *key;
	struct gear gear;
	SSL_CTX *client;
} shared;

struct world {
	struct client_start start;
	pthread_t worker, secmod_thread;
	struct chan secmod, main, lane;
	int lane_pair[2], socket;
	SSL *tls;
	int requests, ends, reason, infos, profiles; // what main has heard
	struct msg_auth_cookie_req asked;
	struct msg_proxy_source source;
	int sends, keys;                 // what the lane has heard
	int signatures, stored, fetched; // what sec-mod has heard
};

// -------------------------------------------------------------------------------------------------------------- sec-mod

#define HANDLERS from_worker
#define ON_WORKER_SECMOD(...) __VA_ARGS__
#define ON_WORKER_MAIN(...) __VA_ARGS__
#define ON_WORKER_DATAPLANE(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_sign_req(void *who, const struct msg_sign_req *m, const int *fds)
{
	struct msg_sign_rep rep = { .ok = 1 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(rep.signature);
	struct world *w = who;

	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, shared.key, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, rep.signature, &len, m->tbs, m->tbs_len), 1);
	EVP_MD_CTX_free(ctx);
	rep.signature_len = (uint16_t)len;
	w->signatures++;
	chan_enter(&w->secmod, SW_SIGNED);
	return CHAN_SEND(&w->secmod, SIGN_REP, &rep);
}

static int on_auth_init(void *who, const struct msg_auth_init *m, const int *fds)
{
	struct msg_auth_ask ask = { .prompt = "Password:" };
	struct world *w = who;

	chan_enter(&w->secmod, SW_ASKED);
	return CHAN_SEND(&w->secmod, AUTH_ASK, &ask);
}

static int on_auth_token(void *who, const struct msg_auth_token *m, const int *fds)
{
	return -EPROTO;
}

static int on_cookie_show(void *who, const struct msg_cookie_show *m, const int *fds)
{
	return -EPROTO;
}

static int on_kdc_req(void *who, const struct msg_kdc_req *m, const int *fds)
{
	return -EPROTO;
}

static int on_groups_ask(void *who, const struct msg_groups_ask *m, const int *fds)
{
	return -EPROTO;
}

static int on_auth_cont(void *who, const struct msg_auth_cont *m, const int *fds)
{
	struct msg_auth_done done = { .cookie_len = COOKIE_SIZE, .user = "anna" };
	struct world *w = who;

	chan_enter(&w->secmod, SW_DONE);
	return CHAN_SEND(&w->secmod, AUTH_DONE, &done);
}

static int on_cert_part(void *who, const struct msg_cert_part *m, const int *fds)
{
	return -EPROTO;
}

static int on_cert_prove(void *who, const struct msg_cert_prove *m, const int *fds)
{
	return -EPROTO;
}

// The last session of all that were stored, whose ever connection it was.
static struct msg_resume_store stored;

static int on_resume_store(void *who, const struct msg_resume_store *m, const int *fds)
{
	stored = *m;
	((struct world *)who)->stored++;
	return 0;
}

static int on_resume_fetch(void *who, const struct msg_resume_fetch *m, const int *fds)
{
	struct msg_resume_rep rep = { 0 };
	struct world *w = who;

	w->fetched++;
	if (m->id_len == stored.id_len && memcmp(m->id, stored.id, m->id_len) == 0) {
		rep.ok = 1;
		rep.state_len = stored.state_len;
		memcpy(rep.state, stored.state, stored.state_len);
		chan_enter(&w->secmod, SW_RESUMED);
	}
	return CHAN_SEND(&w->secmod, RESUME_REP, &rep);
}

static int on_resume_delete(void *who, const struct msg_resume_delete *m, const int *fds)
{
	return 0;
}

static void *secmod_run(void *arg)
{
	struct world *w = arg;
	struct pollfd p = { .fd = w->secmod.fd, .events = POLLIN };
	int ret;

	do {
		poll(&p, 1, -1);
		ret = chan_serve(&w->secmod, from_worker, w, 1);
	} while (ret > 0 || ret == -EAGAIN);
	return NULL;
}

// ------------------------------------------------------------------------------------------------------ main, dataplane

static int on_proxy_source(void *who, const struct msg_proxy_source *m, const int *fds)
{
	struct world *w = who;

	w->source = *m;
	chan_enter(&w->main, MW_FRESH);
	return 0;
}

static int on_auth_cookie_req(void *who, const struct msg_auth_cookie_req *m, const int *fds)
{
	struct world *w = who;

	w->asked = *m;
	w->requests++;
	chan_enter(&w->main, MW_UP);
	return 0;
}

static int on_first_answer(void *who, const struct msg_first_answer *m, const int *fds)
{
	return 0;
}

static int on_profile_ask(void *who, const struct msg_profile_ask *m, const int *fds)
{
	((struct world *)who)->profiles++;
	return 0;
}

static int on_session_info(void *who, const struct msg_session_info *m, const int *fds)
{
	((struct world *)who)->infos++;
	return 0;
}

static int on_session_end(void *who, const struct msg_session_end *m, const int *fds)
{
	struct world *w = who;

	w->ends++;
	w->reason = m->reason;
	return 0;
}

static int on_dtls_send(void *who, const struct msg_dtls_send *m, const int *fds)
{
	((struct world *)who)->sends++;
	return 0;
}

static int on_dtls_keys(void *who, const struct msg_dtls_keys *m, const int *fds)
{
	((struct world *)who)->keys++;
	return 0;
}

static int on_dtls_seal(void *who, const struct msg_dtls_seal *m, const int *fds)
{
	return 0;
}

static int on_dtls_relay(void *who, const struct msg_dtls_relay *m, const int *fds)
{
	fail(); // none of these sessions has such records
	return 0;
}

static int on_dtls_farewell(void *who, const struct msg_dtls_farewell *m, const int *fds)
{
	return 0;
}

static int on_dtls_channel(void *who, const struct msg_dtls_channel *m, const int *fds)
{
	fail();
	return 0;
}

static void main_awaits(struct world *w, enum msg_number number)
{
	assert_int_equal(chan_await(&w->main, from_worker, w, number, SECONDS * 1000), 0);
}

static enum compressor compress; // of the sessions that are opened

static uint32_t rekey_time; // of the sessions that are admitted

static void main_admits(struct world *w, uint32_t dpd)
{
	struct msg_auth_cookie_rep m = { .user = "anna", .mtu = 1390, .app_id_len = APP_ID_SIZE, .dtls = DTLS_KIND_PSK };

	m.cstp_compress = compress;
	m.compress_above = 256;
	main_awaits(w, MSG_AUTH_COOKIE_REQ);
	m.udp_port = 443;
	m.dpd = dpd;
	m.rekey_time = rekey_time;
	addr_parse("10.99.0.2", &m.ipv4);
	assert_int_equal(chan_pair(w->lane_pair), 0);
	chan_init(&w->lane, w->lane_pair[0], ROLE_DATAPLANE, ROLE_WORKER, CHAN_PLAIN, "lane");
	assert_int_equal(chan_send(&w->main, MSG_AUTH_COOKIE_REP, &m, &w->lane_pair[1]), 0);
	close(w->lane_pair[1]);
}

// --------------------------------------------------------------------------------------------------------------- client

static void *worker_run(void *arg)
{
	struct world *w = arg;

	return (void *)(intptr_t)client_run(&shared.gear, &w->start);
}

static const char *preface; // of the connections to come; NULL: no proxy brings them

static void world_init(struct world *w, bool tls)
{
	struct timeval patience = { .tv_sec = SECONDS };
	int sockets[2], main[2], secmod[2];

	memset(w, 0, sizeof(*w));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_int_equal(chan_pair(main), 0);
	assert_int_equal(chan_pair(secmod), 0);
	w->start =
	        (struct client_start){ .conn = 1, .proxied = preface, .socket = sockets[1], .main = main[1], .secmod = secmod[1] };
	w->socket = sockets[0];
	fcntl(sockets[1], F_SETFL, O_NONBLOCK); // as main accepts them
	setsockopt(w->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	chan_init(&w->main, main[0], ROLE_MAIN, ROLE_WORKER, preface ? MW_PROXY : MW_FRESH, "worker");
	chan_init(&w->secmod, secmod[0], ROLE_SECMOD, ROLE_WORKER, SW_HELLO, "worker");
	chan_init(&w->lane, -1, ROLE_DATAPLANE, ROLE_WORKER, CHAN_PLAIN, "lane");
	pthread_create(&w->secmod_thread, NULL, secmod_run, w);
	pthread_create(&w->worker, NULL, worker_run, w);
	for (const char *p = preface; p && *p && send(w->socket, p, 1, MSG_NOSIGNAL) == 1; p++)
		; // who refuses it closes before its end
	if (!tls)
		return;
	w->tls = SSL_new(shared.client);
	SSL_set_fd(w->tls, w->socket);
	assert_int_equal(SSL_connect(w->tls), 1);
}

static void world_fini(struct world *w)
{
	SSL_free(w->tls);
	close(w->socket);
	pthread_join(w->worker, NULL);
	pthread_join(w->secmod_thread, NULL);
	chan_fini(&w->main);
	chan_fini(&w->secmod);
	chan_fini(&w->lane);
}

static void put(struct world *w, const char *text)
{
	assert_int_equal(SSL_write(w->tls, text, (int)strlen(text)), strlen(text));
}

// One answer, by its Content-Length.
static void get(struct world *w, char text[8192])
{
	size_t len = 0;
	char *body, *length;
	int n;

	for (;;) {
		n = SSL_read(w->tls, text + len, (int)(8191 - len));
		assert_true(n > 0);
		len += (size_t)n;
		text[len] = 0;
		body = strstr(text, "\r\n\r\n");
		length = strstr(text, "Content-Length: ");
		if (body && (!length || strlen(body + 4) >= strtoul(length + 16, NULL, 10)))
			return;
	}
}

// What comes at once: the answer to HEAD has no end of its own.
static void get_some(struct world *w, char text[8192])
{
	int n = SSL_read(w->tls, text, 8191);

	assert_true(n > 4);
	text[n] = 0;
}

static void answers(struct world *w, const char *request, const char *want)
{
	char text[8192];

	put(w, request);
	get(w, text);
	if (strncmp(text, want, strlen(want)) != 0)
		fail_msg("no \"%s\" in: %s", want, text);
}

static int world_set_up(void **state)
{
	char path[] = "/tmp/worker_client-XXXXXX", text[LIMIT_TEXT + 1];
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *conf;
	X509 *cert;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	close(mkstemp(path));
	log_init("worker_client", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	assert_int_equal(signer_init(), 0);
	shared.key = pki_key("p256");
	cert = pki_cert(shared.key);
	pki_write_cert(path, cert);
	X509_free(cert);
	shared.gear.dtls = dtls_ctx_new();
	assert_non_null(w);
	snapshot_put(w, "server-cert", path);
	snapshot_put(w, "auth", "pam");
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &conf), 0);
	close(fd);
	assert_int_equal(vhosts_load(&shared.gear.vhosts, conf, text), 0);
	shared.gear.vhosts.vhost[0].offers.password = true;
	snapshot_free(conf);
	unlink(path);
	assert_int_equal(tls_warm_up(&shared.gear.vhosts, shared.gear.dtls, text), 0);
	shared.client = SSL_CTX_new(TLS_client_method());
	return 0;
}

static int world_tear_down(void **state)
{
	vhosts_free(&shared.gear.vhosts);
	SSL_CTX_free(shared.gear.dtls);
	SSL_CTX_free(shared.client);
	EVP_PKEY_free(shared.key);
	return 0;
}
