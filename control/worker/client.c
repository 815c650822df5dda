#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ask.h"
#include "bridge.h"
#include "client.h"
#include "clientcert.h"
#include "clock.h"
#include "connect.h"
#include "egress.h"
#include "endpoint.h"
#include "http.h"
#include "login.h"
#include "memory.h"
#include "mtu.h"
#include "pages.h"
#include "preface.h"
#include "proto/err.h"
#include "proto/secret.h"
#include "resume.h"
#include "signer.h"
#include "text.h"
#include "tls.h"

#define FAREWELL_MS 2000 // for the last bytes to leave
#define MAIN_FIRST_MS \
	2000 // auth-timeout is main's, which has points for it; a worker goes by itself only if main does not come to it
#define READ_SIZE 16384

enum phase {
	PHASE_HANDSHAKE,
	PHASE_REQUEST, // reading HTTP
	PHASE_LOGIN,   // sec-mod is asked
	PHASE_OPENING, // main is asked
	PHASE_SESSION,
	PHASE_LEAVING, // the last bytes are on their way
};

struct client {
	const struct gear *gear;
	enum phase phase;
	struct chan main;
	struct ask ask;
	struct tls tls;
	struct clientcert clientcert;
	struct http http;
	struct login login;
	struct connect connect;
	struct bridge bridge;
	uint8_t cert_sha1[CERT_SHA1_SIZE];
	unsigned requests;
	bool shown; // its camouflage has been passed
	uint64_t now_ms, born_ms, leave_ms;
	bool answered; // its client's first words, and main knows
	bool done;
	bool again; // read from the client without waiting: OpenSSL may hold bytes that poll() cannot see
	bool shut;
	enum end_reason told; // by main
};

static void leave(struct client *c)
{
	if (c->phase == PHASE_LEAVING)
		return;
	tls_goodbye(&c->tls);
	c->phase = PHASE_LEAVING;
	c->leave_ms = c->now_ms + FAREWELL_MS;
}

// -------------------------------------------------------------------------------------------------------------- answers

static void send_reply(struct client *c, struct reply *r)
{
	bool close = r->close;

	if (r->failed || tls_write(&c->tls, r->text, r->len) < 0) {
		log_warn("cannot answer: %s", r->failed ? "out of memory" : "too much");
		close = true;
	}
	reply_clear(r);
	http_next(&c->http);
	c->phase = PHASE_REQUEST;
	c->again = true;
	if (close)
		leave(c);
}

// Who does not know the secret is shown nothing that a web server has not.
static bool is_hidden(const struct client *c)
{
	return !c->shown && vhost_of(c->tls.ssl)->camouflage.on;
}

static void send_status(struct client *c, unsigned status, bool keep_alive)
{
	struct reply r = { .head = c->http.verb == VERB_HEAD };

	page_status(&r, status, keep_alive);
	send_reply(c, &r);
}

static void send_decoy(struct client *c, bool keep_alive)
{
	struct reply r = { .head = c->http.verb == VERB_HEAD };

	if (!http_names_host(&c->http)) { // which no web server serves
		send_status(c, 400, false);
		return;
	}
	page_decoy(&r, vhost_of(c->tls.ssl)->camouflage.realm, keep_alive);
	send_reply(c, &r);
}

// One right query is enough for the whole connection; the form repeats it, for clients that come back with another one.
static void look_for_secret(struct client *c)
{
	const char *query = http_query(&c->http);

	if (!is_hidden(c) || !camouflage_opens(&vhost_of(c->tls.ssl)->camouflage, query))
		return;
	c->shown = true;
	login_keep_query(&c->login, query);
}

// --------------------------------------------------------------------------------------------------------------- session

static int end_session(struct client *c, enum end_reason reason)
{
	struct msg_session_end m = { .reason = (uint8_t)reason };

	CHAN_SEND(&c->main, SESSION_END, &m);
	leave(c);
	return 0;
}

// A phone refuses a session of DTLS that has not the cipher of its TLS.
static struct ciphers dtls_ciphers(const struct client *c)
{
	struct ciphers may = vhost_of(c->tls.ssl)->dtls;

	may.match |= agent_of(http_header(&c->http, "User-Agent", 0)).family == FAMILY_IPPHONE;
	return ciphers_beside(&may, tls_cipher(&c->tls));
}

static void ask_session(struct client *c)
{
	struct ciphers may = dtls_ciphers(c);
	uint16_t base = mtu_base(number_clamped(http_header(&c->http, "X-CSTP-Base-MTU", 0)), mtu_path(c->tls.fd));
	struct msg_auth_cookie_req m;
	unsigned status;
	int ret;

	c->connect.tls13 = SSL_version(c->tls.ssl) == TLS1_3_VERSION;
	status = connect_request(&c->connect, &c->http, base, &may, &m);

	if (status) {
		log_info("CONNECT refused: %s", status == 503 ? "no cookie" : "malformed cookie");
		send_status(c, is_hidden(c) ? 405 : status, false);
		return;
	}
	tls_describe(&c->tls, signer_scheme(), m.tls_cipher, sizeof(m.tls_cipher));
	ret = CHAN_SEND(&c->main, AUTH_COOKIE_REQ, &m);
	secret_wipe(&m, sizeof(m));
	if (ret < 0) {
		log_warn("cannot ask main for a session: %s", strerror(-ret));
		send_status(c, is_hidden(c) ? 405 : 503, false);
		return;
	}
	chan_enter(&c->main, WM_ASKED);
	c->phase = PHASE_OPENING;
}

// Nothing of the login is needed any more, and sec-mod is not asked again.
static void drop_login(struct client *c)
{
	login_fini(&c->login);
	http_fini(&c->http);
	connect_fini(&c->connect);
	clientcert_fini(&c->clientcert);
	resume_set(NULL);
	ask_fini(&c->ask);
}

static int open_session(struct client *c, const struct msg_auth_cookie_rep *m, int lane_fd)
{
	struct reply r = { 0 };
	int ret;

	connect_answer(&c->connect, m, &r);
	ret = r.failed ? -ENOMEM : tls_write(&c->tls, r.text, r.len);
	reply_clear(&r);
	if (ret < 0) {
		close(lane_fd);
		return errno_log(-ret, "cannot open the session: %s", strerror(-ret));
	}
	ret = bridge_init(&c->bridge, &c->tls, &c->main, lane_fd, c->gear->dtls, m, &c->connect, c->now_ms);
	if (ret == 0 && m->cstp_compress)
		ret = bridge_compress(&c->bridge, m->cstp_compress, m->compress_above);
	if (ret < 0)
		return errno_log(-ret, "cannot open the session: %s", strerror(-ret));
	egress_mark(c->tls.fd, m->tos, m->priority);
	drop_login(c);
	chan_enter(&c->main, WM_UP);
	c->phase = PHASE_SESSION;
	c->again = true;
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- main

#define HANDLERS from_main
#define ON_MAIN_WORKER(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_session_item(void *who, const struct msg_session_item *m, const int *fds)
{
	struct client *c = who;

	return connect_add_item(&c->connect, m);
}

static int on_auth_cookie_rep(void *who, const struct msg_auth_cookie_rep *m, const int *fds)
{
	struct client *c = who;

	if (!connect_has_offered(&c->connect, m->dtls))
		return errno_log(EPROTO, "main: DTLS of a kind that the client has not offered");
	return open_session(c, m, chan_take_fd(fds, 0));
}

static int on_lane_new(void *who, const struct msg_lane_new *m, const int *fds)
{
	struct client *c = who;

	if (c->phase == PHASE_SESSION)
		bridge_lane(&c->bridge, chan_take_fd(fds, 0));
	return 0;
}

static int on_auth_cookie_denied(void *who, const struct msg_auth_cookie_denied *m, const int *fds)
{
	struct client *c = who;
	struct reply r = { 0 };

	chan_enter(&c->main, WM_IDLE);
	log_info("CONNECT refused: %s", m->reason[0] ? m->reason : "bad cookie");
	if (is_hidden(c))
		page_status(&r, 405, false);
	else
		page_refused(&r, m->status, m->reason);
	send_reply(c, &r);
	return 0;
}

static void answer_login(struct client *c)
{
	c->login.reply.close |= !c->http.keep_alive;
	send_reply(c, &c->login.reply);
}

static void take_profile(struct client *c, struct profile *own)
{
	login_profile(&c->login, own);
	if (c->phase == PHASE_LOGIN && c->login.ready)
		answer_login(c);
}

static int on_profile_rep(void *who, const struct msg_profile_rep *m, const int *fds)
{
	char text[LIMIT_TEXT + 1];
	struct profile own;

	if (profile_read(&own, fds[0], m->name, text) < 0)
		log_err("%s", text);
	take_profile(who, &own);
	return 0;
}

static int on_profile_none(void *who, const struct msg_profile_none *m, const int *fds)
{
	take_profile(who, &(struct profile){ 0 });
	return 0;
}

static int on_terminate(void *who, const struct msg_terminate *m, const int *fds)
{
	struct client *c = who;

	c->told = (enum end_reason)m->reason;
	if (c->phase == PHASE_SESSION)
		bridge_goodbye(&c->bridge, c->told);
	leave(c);
	return 0;
}

static int on_worker_ping(void *who, const struct msg_worker_ping *m, const int *fds)
{
	return 0;
}

static void serve_main(struct client *c)
{
	int ret = chan_serve(&c->main, from_main, c, 64);

	if (c->phase == PHASE_SESSION && c->bridge.calm)
		memory_trim_stack(); // whoever asks ten thousand whether they are there wants no memory of each for it

	if (ret == 0)
		log_debug("main has closed the channel");
	if (ret <= 0 && ret != -EAGAIN)
		c->done = true;
}

// ----------------------------------------------------------------------------------------------------------------- HTTP

static void give_login(struct client *c)
{
	int ret = login_is_kdc(&c->login, &c->http) ? login_kdc(&c->login, &c->http) : login_request(&c->login, &c->http);

	if (ret < 0) {
		log_warn("cannot ask sec-mod: %s", strerror(-ret));
		send_status(c, 503, false);
	} else if (c->login.ready) {
		answer_login(c);
	} else {
		c->phase = PHASE_LOGIN;
	}
}

static void send_text(struct client *c, const struct endpoint *e)
{
	struct reply r = { .head = c->http.verb == VERB_HEAD };

	page_text(&r, e->type, e->body, c->http.keep_alive);
	send_reply(c, &r);
}

// e: what is at its path, NULL: nothing that is always there.
static void route(struct client *c, const struct endpoint *e)
{
	const struct http *h = &c->http;
	bool reads = h->verb == VERB_GET || h->verb == VERB_HEAD;

	if (h->verb == VERB_CONNECT && e && endpoint_takes(e, VERB_CONNECT))
		ask_session(c);
	else if (h->verb == VERB_CONNECT)
		send_status(c, is_hidden(c) ? 405 : 404, false);
	else if (e && e->who == ENDPOINT_TEXT && endpoint_takes(e, h->verb))
		send_text(c, e);
	else if ((reads || h->verb == VERB_POST) && login_serves(&c->login, h))
		give_login(c);
	else
		send_status(c, reads ? 404 : 405, reads && h->keep_alive);
}

static void give_request(struct client *c)
{
	const struct http *h = &c->http;

	c->requests++;
	look_for_secret(c);
	if (is_hidden(c) && h->verb != VERB_CONNECT) {
		send_decoy(c, h->keep_alive && c->requests < LIMIT_HTTP_REQUESTS);
	} else if (c->requests > LIMIT_HTTP_REQUESTS) {
		log_info("more than %d requests", LIMIT_HTTP_REQUESTS);
		send_status(c, 429, false);
	} else {
		route(c, endpoint_find(http_path(h)));
	}
}

static void refuse_request(struct client *c)
{
	bool understood = http_is_understood(&c->http);

	log_info("bad HTTP request: %u", http_refusal(&c->http));
	if (understood)
		look_for_secret(c);
	if (understood && is_hidden(c) && c->http.verb != VERB_CONNECT)
		send_decoy(c, false);
	else
		send_status(c, http_refusal(&c->http), false);
}

static void read_request(struct client *c)
{
	uint8_t buf[READ_SIZE];
	int n, ret;

	while (c->phase == PHASE_REQUEST) {
		n = tls_read(&c->tls, buf, sizeof(buf));
		if (n <= 0) {
			if (n != -EAGAIN)
				c->done = true;
			break;
		}
		ret = http_feed(&c->http, buf, (size_t)n);
		if (ret == 1)
			give_request(c);
		else if (ret < 0)
			refuse_request(c);
	}
	secret_wipe(buf, sizeof(buf));
}

// ------------------------------------------------------------------------------------------------------------- sec-mod

// Who has logged in, main knows from sec-mod.
static void ask_profile(struct client *c)
{
	if (CHAN_SEND(&c->main, PROFILE_ASK, &(struct msg_profile_ask){}) < 0)
		take_profile(c, &(struct profile){ 0 });
}

static void serve_secmod(struct client *c)
{
	bool waits = login_asks_main(&c->login); // for main: sec-mod has nothing more to say
	int ret = ask_serve(&c->ask);

	if (ret < 0) {
		ask_fini(&c->ask);
		if (c->phase != PHASE_LOGIN || waits)
			return;
		log_warn("sec-mod: %s", strerror(-ret));
		send_status(c, 503, false);
	} else if (c->phase == PHASE_LOGIN && c->login.ready) {
		answer_login(c);
	} else if (login_asks_main(&c->login) && !waits) {
		ask_profile(c);
	}
}

// ----------------------------------------------------------------------------------------------------------------- TLS

// Of several certificates OpenSSL's SSL_get_certificate() names the one shown only where the client has asked for its status.
static void learn_certificate(struct client *c)
{
	if (SSL_session_reused(c->tls.ssl))
		resume_shown(c->cert_sha1);
	else
		memcpy(c->cert_sha1, vhost_of(c->tls.ssl)->sha1[signer_key()], CERT_SHA1_SIZE);
}

// Whose connection it is, and whether its client has a certificate that counts. What it may resume later goes with that.
static int learn_client(struct client *c)
{
	int ret = SSL_session_reused(c->tls.ssl) ? resume_is_certified() : clientcert_prove(&c->clientcert, &c->ask);
	bool refused = ret == 0 && SSL_get0_peer_certificate(c->tls.ssl);

	SSL_set_msg_callback(c->tls.ssl, NULL);
	if (ret < 0)
		return ret;
	login_offer(&c->login, &vhost_of(c->tls.ssl)->offers);
	page_include(&vhost_of(c->tls.ssl)->headers);
	c->login.certified = ret > 0;
	if (refused)
		resume_forget();
	else
		resume_keep(c->cert_sha1);
	return 0;
}

static void shake(struct client *c)
{
	char text[LIMIT_CIPHER + 1];
	const int on = 1;
	int ret = tls_handshake(&c->tls);

	if (ret == 0)
		return;
	if (ret < 0) {
		leave(c);
		return;
	}
	// Our last words of a TLS 1.3 handshake come before the client's: without this its request would wait for a delayed ACK.
	setsockopt(c->tls.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	learn_certificate(c);
	if (learn_client(c) < 0) {
		c->done = true;
		return;
	}
	tls_describe(&c->tls, signer_scheme(), text, sizeof(text));
	log_debug("%s", text);
	c->phase = PHASE_REQUEST;
	read_request(c);
}

// The client's last words are nobody's; but closing upon them would cost it ours.
static void drain(struct client *c)
{
	uint8_t buf[READ_SIZE];
	ssize_t n = recv(c->tls.fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		c->done = true;
}

static bool is_reading(const struct client *c)
{
	return c->phase == PHASE_REQUEST || c->phase == PHASE_SESSION;
}

static void serve_client(struct client *c)
{
	c->again = false;
	switch (c->phase) {
	case PHASE_HANDSHAKE:
		shake(c);
		break;
	case PHASE_REQUEST:
		read_request(c);
		break;
	case PHASE_SESSION:
		if (bridge_from_client(&c->bridge, c->now_ms) < 0)
			end_session(c, c->bridge.end);
		c->again = c->bridge.more;
		break;
	case PHASE_LOGIN:
	case PHASE_OPENING:
		c->done = true; // POLLHUP: we asked for nothing else
		break;
	case PHASE_LEAVING:
		drain(c);
		break;
	}
}

// ---------------------------------------------------------------------------------------------------------------- loop

enum { POLL_CLIENT, POLL_MAIN, POLL_SECMOD, POLL_LANE, POLL_COUNT };

static void prepare(struct client *c, struct pollfd p[POLL_COUNT])
{
	bool waits = c->phase == PHASE_LOGIN || c->phase == PHASE_OPENING;
	short out = tls_waiting(&c->tls) > 0 ? POLLOUT : 0;

	p[POLL_CLIENT] = (struct pollfd){ .fd = c->tls.fd, .events = (short)((waits ? POLLRDHUP : POLLIN) | out) };
	p[POLL_MAIN] = (struct pollfd){ .fd = c->main.fd, .events = POLLIN };
	p[POLL_SECMOD] = (struct pollfd){ .fd = c->ask.chan.fd, .events = POLLIN };
	p[POLL_LANE] = (struct pollfd){ .fd = -1 };
	if (c->phase == PHASE_SESSION && bridge_has_room(&c->bridge))
		p[POLL_LANE] = (struct pollfd){ .fd = c->bridge.lane.fd, .events = POLLIN };
}

static uint64_t login_ends_ms(const struct client *c)
{
	return c->born_ms + c->gear->auth_timeout * 1000ULL + MAIN_FIRST_MS;
}

static int wait_ms(const struct client *c)
{
	int ms = -1;

	if (c->phase == PHASE_SESSION)
		return bridge_wait_ms(&c->bridge, c->now_ms);
	if (c->phase == PHASE_LEAVING)
		return clock_sooner(ms, c->leave_ms, c->now_ms);
	if (c->gear->auth_timeout)
		ms = clock_sooner(ms, login_ends_ms(c), c->now_ms);
	return tls_wait_ms(&c->tls, ms, c->now_ms);
}

static void tick(struct client *c)
{
	if (c->phase == PHASE_SESSION) {
		if (bridge_tick(&c->bridge, c->now_ms) < 0)
			end_session(c, c->bridge.end);
	} else if (c->phase == PHASE_LEAVING) {
		c->done = c->now_ms >= c->leave_ms;
	} else if (c->gear->auth_timeout && c->now_ms >= login_ends_ms(c)) {
		log_info("no session within %u s", c->gear->auth_timeout);
		leave(c);
	} else if (tls_is_frozen(&c->tls, c->now_ms)) {
		log_info("the client has stopped reading");
		c->done = true;
	}
}

// All has been said: the client sees the end, and we wait for its.
static void hang_up(struct client *c)
{
	if (c->shut || tls_flush(&c->tls, c->now_ms) == -EAGAIN)
		return;
	shutdown(c->tls.fd, SHUT_WR);
	c->shut = true;
}

// Main gives the CPU to few at one time until then.
static void say_answered(struct client *c)
{
	if (c->answered || c->done)
		return;
	c->answered = true;
	CHAN_SEND(&c->main, FIRST_ANSWER, &(struct msg_first_answer){});
}

static void turn(struct client *c)
{
	struct pollfd p[POLL_COUNT];

	if (c->phase == PHASE_LEAVING)
		hang_up(c);
	prepare(c, p);
	if (poll(p, POLL_COUNT, c->again && is_reading(c) ? 0 : wait_ms(c)) < 0 && errno != EINTR) {
		log_err("poll: %s", strerror(errno));
		c->done = true;
		return;
	}
	c->now_ms = clock_ms();
	if (p[POLL_MAIN].revents)
		serve_main(c);
	if (!c->done && p[POLL_SECMOD].revents && c->ask.chan.fd >= 0)
		serve_secmod(c);
	if (!c->done && p[POLL_LANE].revents && c->phase == PHASE_SESSION && bridge_from_lane(&c->bridge, c->now_ms) < 0)
		end_session(c, c->bridge.end);
	if (!c->done && (p[POLL_CLIENT].revents & ~POLLOUT || (c->again && is_reading(c)))) {
		serve_client(c);
		say_answered(c);
	}
	if (tls_flush(&c->tls, c->now_ms) == -EPIPE) {
		if (c->phase == PHASE_SESSION)
			end_session(c, END_TEMPORARY);
		c->done = true;
	}
	if (!c->done)
		tick(c);
}

// ----------------------------------------------------------------------------------------------------------------- start

void client_named(uint64_t conn, const struct addr *client)
{
	char peer[ADDR_TEXT + 32], ip[ADDR_TEXT];

	snprintf(peer, sizeof(peer), "[%llu %s] ", (unsigned long long)conn, addr_text(client, ip));
	log_set_peer(peer);
}

// Main has to know whose connection this is before we touch a byte that the client could have chosen.
static int learn_source(struct client *c, const struct client_start *start)
{
	struct msg_proxy_source m = { 0 };
	struct proxy_header header;
	int ret = preface_read(start->socket, start->main, &header);

	if (ret < 0)
		return ret;
	m.client = header.client;
	m.local = header.local;
	if (m.client.family)
		client_named(start->conn, &m.client);
	return CHAN_SEND(&c->main, PROXY_SOURCE, &m);
}

int client_run(const struct gear *gear, const struct client_start *start)
{
	static struct client c;
	const int on = 1;
	int ret;

	c = (struct client){ .gear = gear };
	c.born_ms = c.now_ms = clock_ms();
	setsockopt(start->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // flushes come in bursts already
	chan_init(&c.main, start->main, ROLE_WORKER, ROLE_MAIN, WM_IDLE, "main");
	ask_init(&c.ask, start->secmod, &login_events, &c.login);
	login_init(&c.login, &c.ask, &gear->vhosts.vhost[0].offers, c.cert_sha1);
	http_init(&c.http);
	signer_set(ask_sign, &c.ask);
	resume_set(&c.ask);
	ret = start->proxied ? learn_source(&c, start) : 0;
	if (ret == 0)
		ret = tls_init(&c.tls, gear->vhosts.vhost[0].tls, start->socket, c.now_ms);
	if (ret == 0)
		clientcert_watch(&c.clientcert, c.tls.ssl);
	while (ret == 0 && !c.done)
		turn(&c);
	if (c.bridge.scratch)
		bridge_fini(&c.bridge);
	drop_login(&c);
	tls_fini(&c.tls);
	close(start->socket);
	chan_fini(&c.main);
	return ret < 0;
}
