// A whole worker in a thread, between a TLS client, a sec-mod that says yes, and a main and a dataplane that this test plays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "control/worker/preface.h"
#include "worker_world.h"

static bool is_closed(struct world *w)
{
	char c;

	return SSL_read(w->tls, &c, 1) <= 0;
}

#define COOKIE "Cookie: webvpn=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n"
#define CONNECT "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nX-DTLS-CipherSuite: PSK-NEGOTIATE\r\n" COOKIE "\r\n"

static void open_tunnel(struct world *w, uint32_t dpd)
{
	char text[8192];

	world_init(w, true);
	put(w, CONNECT);
	main_admits(w, dpd);
	get(w, text);
	assert_memory_equal(text, "HTTP/1.1 200 CONNECTED\r\n", 24);
}

static void put_frame(struct world *w, int type, const void *payload, size_t len)
{
	uint8_t buf[16384];

	cstp_header(buf, (enum cstp_type)type, len);
	if (len)
		memcpy(buf + CSTP_HEADER, payload, len);
	assert_int_equal(SSL_write(w->tls, buf, (int)(len + CSTP_HEADER)), len + CSTP_HEADER);
}

static size_t get_frame(struct world *w, int type, uint8_t *payload)
{
	uint8_t buf[16384];
	struct cstp_frame f;
	int n = SSL_read(w->tls, buf, sizeof(buf));

	assert_true(n > 0);
	assert_int_equal(cstp_parse(buf, (size_t)n, &f), 0);
	assert_int_equal(f.type, type);
	memcpy(payload, f.payload, f.len);
	return f.len;
}

static ssize_t lane_gets(struct world *w, uint8_t *buf, size_t room, int ms)
{
	struct pollfd p = { .fd = w->lane.fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 ? recv(w->lane.fd, buf, room, 0) : -1;
}

static void ends_with(struct world *w, enum end_reason reason)
{
	main_awaits(w, MSG_SESSION_END);
	assert_int_equal(w->reason, reason);
	assert_true(is_closed(w));
	world_fini(w);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// -------------------------------------------------------------------------------------------------------------- logins

#define POST(body, len) "POST /auth HTTP/1.1\r\nContent-Length: " len "\r\n\r\n" body

static void test_login_and_tunnel(void **state)
{
	uint8_t packet[1390] = { 0x45 }, buf[2048];
	char text[8192];
	struct world w;

	world_init(&w, true);
	answers(&w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK");
	answers(&w, POST("username=anna", "13"), "HTTP/1.1 200 OK");
	put(&w, POST("password=x", "10"));
	get(&w, text);
	assert_non_null(strstr(text, "Set-Cookie: webvpn=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"));
	put(&w, CONNECT);
	main_admits(&w, 0);
	assert_int_equal(w.asked.dtls_offers, DTLS_OFFER_PSK);
	assert_string_equal(w.asked.tls_cipher, "(TLS1.3)-(ECDHE-X25519)-(ECDSA-SECP256R1-SHA256)-(AES-256-GCM)");
	get(&w, text);
	put_frame(&w, CSTP_DATA, packet, sizeof(packet));
	assert_int_equal(lane_gets(&w, buf, sizeof(buf), 1000), sizeof(packet));
	packet[0] = 0x60;
	assert_int_equal(send(w.lane.fd, packet, sizeof(packet), 0), sizeof(packet));
	assert_int_equal(get_frame(&w, CSTP_DATA, buf), sizeof(packet));
	assert_memory_equal(buf, packet, sizeof(packet));
	put_frame(&w, CSTP_DISCONNECT, "\xb0", 1);
	ends_with(&w, END_BY_USER);
}

static void log_in(struct world *w)
{
	world_init(w, true);
	answers(w, POST("username=anna", "13"), "HTTP/1.1 200 OK");
	put(w, POST("password=x", "10"));
	main_awaits(w, MSG_PROFILE_ASK);
	assert_int_equal(w->profiles, 1);
}

// Main is asked for it before the client hears anything; whatever main has, the login is one.
static void test_profiles_of_users(void **state)
{
	static const char profile[] = "<profile>of anna</profile>";
	struct msg_profile_rep rep = { .name = "anna.xml" };
	int fd = memfd_create("profile", MFD_CLOEXEC), nothing = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char text[8192];
	struct world w;

	shared.gear.vhosts.vhost[0].offers.own_profiles = true;
	assert_int_equal(pwrite(fd, profile, strlen(profile), 0), strlen(profile));
	log_in(&w);
	assert_int_equal(chan_send(&w.main, MSG_PROFILE_REP, &rep, &fd), 0);
	get(&w, text);
	assert_non_null(strstr(text, "<uri>/profiles/anna.xml</uri>"));
	put(&w, "GET /profiles/anna.xml HTTP/1.1\r\nCookie: webvpn=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
	get(&w, text);
	assert_non_null(strstr(text, profile));
	put(&w, CONNECT);
	main_admits(&w, 0);
	get(&w, text);
	assert_memory_equal(text, "HTTP/1.1 200 CONNECTED\r\n", 24);
	world_fini(&w);

	log_in(&w);
	assert_int_equal(CHAN_SEND(&w.main, PROFILE_NONE, &(struct msg_profile_none){}), 0);
	get(&w, text);
	assert_non_null(strstr(text, "Set-Cookie: webvpn=AAAA"));
	assert_null(strstr(text, "<uri>"));
	world_fini(&w);

	log_in(&w);
	assert_int_equal(chan_send(&w.main, MSG_PROFILE_REP, &rep, &nothing), 0); // which has no end
	get(&w, text);
	assert_non_null(strstr(text, "Set-Cookie: webvpn=AAAA"));
	assert_null(strstr(text, "<uri>"));
	world_fini(&w);

	log_in(&w); // and leaves
	world_fini(&w);
	shared.gear.vhosts.vhost[0].offers.own_profiles = false;
	close(fd);
	close(nothing);
}

static void test_statuses(void **state)
{
	struct world w;
	int i;

	world_init(&w, true);
	answers(&w, "GET /favicon.ico HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");
	answers(&w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 "); // still open
	answers(&w, "PUT / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ");
	assert_true(is_closed(&w));
	world_fini(&w);

	world_init(&w, true);
	answers(&w, "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ");
	assert_true(is_closed(&w));
	world_fini(&w);

	world_init(&w, true);
	answers(&w, "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nCookie: webvpn=x\r\n\r\n", "HTTP/1.1 400 ");
	assert_true(is_closed(&w));
	world_fini(&w);

	world_init(&w, true);
	answers(&w, "CONNECT /elsewhere HTTP/1.1\r\n" COOKIE "\r\n", "HTTP/1.1 404 ");
	assert_int_equal(w.requests, 0);
	world_fini(&w);

	world_init(&w, true);
	answers(&w, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
	assert_true(is_closed(&w));
	world_fini(&w);

	world_init(&w, true);
	for (i = 0; i < LIMIT_HTTP_REQUESTS; i++)
		answers(&w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ");
	answers(&w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 429 ");
	assert_true(is_closed(&w));
	world_fini(&w);
}

static void test_a_bad_cookie_is_denied(void **state)
{
	struct msg_auth_cookie_denied m = { .status = 401 };
	struct world w;
	char text[8192];

	world_init(&w, true);
	put(&w, CONNECT);
	main_awaits(&w, MSG_AUTH_COOKIE_REQ);
	assert_int_equal(CHAN_SEND(&w.main, AUTH_COOKIE_DENIED, &m), 0);
	get(&w, text);
	assert_memory_equal(text, "HTTP/1.1 401 ", 13);
	assert_true(is_closed(&w));
	world_fini(&w);
}

static void test_a_full_gateway_says_why(void **state)
{
	struct msg_auth_cookie_denied m = { .status = 503, .reason = "no address is free" };
	struct world w;
	char text[8192];

	world_init(&w, true);
	put(&w, CONNECT);
	main_awaits(&w, MSG_AUTH_COOKIE_REQ);
	assert_int_equal(CHAN_SEND(&w.main, AUTH_COOKIE_DENIED, &m), 0);
	get(&w, text);
	assert_memory_equal(text, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(text, "\r\nX-Reason: no address is free\r\n"));
	assert_true(is_closed(&w));
	world_fini(&w);
}

// Main ends them, and counts it; a worker that main does not end goes by itself, two seconds later.
static void test_slow_clients_end(void **state)
{
	struct world w;
	uint64_t start = now_ms();
	char c;

	shared.gear.auth_timeout = 1;
	world_init(&w, false); // says nothing
	assert_int_equal(recv(w.socket, &c, 1, 0), 0);
	world_fini(&w);
	world_init(&w, false); // stops in a TLS record
	send(w.socket, "\x16\x03\x01\x02\x00\x01", 6, 0);
	assert_int_equal(recv(w.socket, &c, 1, 0), 0);
	world_fini(&w);
	world_init(&w, true); // stops in a header
	put(&w, "GET / HTTP/1.1\r\nA:");
	assert_true(is_closed(&w));
	world_fini(&w);
	shared.gear.auth_timeout = 0;
	assert_true(now_ms() - start >= 8900 && now_ms() - start < 10500);
}

// ------------------------------------------------------------------------------------------------------------- tunnels

static void test_frames(void **state)
{
	static const uint8_t keys_message[] = { 0x94, 81, 1, 1, 1 };
	uint8_t packet[64] = { 0x45 }, buf[16384], probe[5000];
	struct world w;
	int i;

	open_tunnel(&w, 0);
	memset(probe, 0xaa, sizeof(probe));
	put_frame(&w, CSTP_DPD_REQUEST, probe, sizeof(probe)); // an MTU probe comes back byte for byte
	assert_int_equal(get_frame(&w, CSTP_DPD_RESPONSE, buf), sizeof(probe));
	assert_memory_equal(buf, probe, sizeof(probe));
	put_frame(&w, CSTP_KEEPALIVE, NULL, 0);
	put_frame(&w, 42, "x", 1);
	put_frame(&w, CSTP_COMPRESSED, "x", 1);
	put_frame(&w, CSTP_DPD_RESPONSE, NULL, 0);
	put_frame(&w, CSTP_DATA, keys_message, sizeof(keys_message)); // no client speaks to the dataplane
	put_frame(&w, CSTP_DATA, "\x45", 1);
	put_frame(&w, CSTP_DATA, NULL, 0);
	for (i = 0; i < 100; i++) { // only packets arrive, all, in order
		packet[20] = (uint8_t)i;
		put_frame(&w, CSTP_DATA, packet, sizeof(packet));
	}
	for (i = 0; i < 100; i++) {
		assert_int_equal(lane_gets(&w, buf, sizeof(buf), 1000), sizeof(packet));
		assert_int_equal(buf[20], i);
	}
	for (i = 0; i < 100; i++) {
		packet[20] = (uint8_t)i;
		assert_int_equal(send(w.lane.fd, packet, sizeof(packet), 0), sizeof(packet));
	}
	for (i = 0; i < 100; i++) {
		assert_int_equal(get_frame(&w, CSTP_DATA, buf), sizeof(packet));
		assert_int_equal(buf[20], i);
	}
	assert_int_equal(lane_gets(&w, buf, sizeof(buf), 50), -1);
	put_frame(&w, CSTP_DISCONNECT, NULL, 0);
	ends_with(&w, END_TEMPORARY);
}

static void put_packed(struct world *w, const uint8_t *packet, size_t len)
{
	static union compress_memory memory;
	uint8_t packed[16384];
	int n = compress_pack(compress, &memory, packet, len, packed, sizeof(packed));

	assert_true(n > 0);
	put_frame(w, CSTP_COMPRESSED, packed, (size_t)n);
}

static void test_compressed_frames(void **state)
{
	uint8_t packet[1391] = { 0x45 }, buf[16384], back[2000];
	struct world w;
	size_t n;

	for (compress = COMPRESS_LZ4; compress <= COMPRESS_LAST; compress++) {
		open_tunnel(&w, 0);
		put_frame(&w, CSTP_COMPRESSED, "\xff\xff\xff", 3); // broken: lost
		put_packed(&w, packet, 1391);                      // larger than the tunnel's packets
		put_packed(&w, (const uint8_t *)"\x94\x51\1\1\1 to the dataplane", 22);
		for (unsigned i = 0; i < 100; i++) {
			packet[20] = (uint8_t)i;
			if (i % 3)
				put_packed(&w, packet, 1390 - i);
			else
				put_frame(&w, CSTP_DATA, packet, 1390 - i);
		}
		for (unsigned i = 0; i < 100; i++) {
			assert_int_equal(lane_gets(&w, buf, sizeof(buf), 1000), 1390 - i);
			assert_int_equal(buf[20], i);
		}
		assert_int_equal(send(w.lane.fd, packet, 257, 0), 257);
		assert_int_equal(send(w.lane.fd, packet, 256, 0), 256);
		n = get_frame(&w, CSTP_COMPRESSED, buf);
		assert_true(n < 60);
		assert_int_equal(compress_unpack(compress, buf, n, back, sizeof(back)), 257);
		assert_memory_equal(back, packet, 257);
		assert_int_equal(get_frame(&w, CSTP_DATA, buf), 256); // not above the limit
		for (unsigned i = 1; i < 1000; i++)
			packet[i] = (uint8_t)random();
		assert_int_equal(send(w.lane.fd, packet, 1000, 0), 1000);
		assert_int_equal(get_frame(&w, CSTP_DATA, buf), 1000); // would not shrink
		memset(packet + 1, 0, sizeof(packet) - 1);
		put_frame(&w, CSTP_DISCONNECT, NULL, 0);
		ends_with(&w, END_TEMPORARY);
	}
	compress = COMPRESS_NONE;
}

// KeyUpdates that come (received) and go.
static void on_message(int write, int version, int type, const void *buf, size_t len, SSL *ssl, void *arg)
{
	int *updates = arg;

	if (type == SSL3_RT_HANDSHAKE && *(const uint8_t *)buf == SSL3_MT_KEY_UPDATE)
		updates[write] += 1 + ((const uint8_t *)buf)[4]; // 2: the other side is asked for one too
}

static void data_crosses(struct world *w)
{
	uint8_t packet[100] = { 0x45 }, buf[2048];

	put_frame(w, CSTP_DATA, packet, sizeof(packet));
	assert_int_equal(lane_gets(w, buf, sizeof(buf), 1000), sizeof(packet));
	assert_int_equal(send(w->lane.fd, packet, sizeof(packet), 0), sizeof(packet));
	assert_int_equal(get_frame(w, CSTP_DATA, buf), sizeof(packet));
}

static void test_new_keys(void **state)
{
	struct world w;
	int updates[2] = { 0 }, i;

	rekey_time = 1;
	open_tunnel(&w, 0);
	rekey_time = 0;
	SSL_set_msg_callback(w.tls, on_message);
	SSL_set_msg_callback_arg(w.tls, updates);
	data_crosses(&w);
	for (i = 0; i < 40 && updates[0] == 0; i++) { // a client that does nothing is asked to
		usleep(100000);
		data_crosses(&w);
	}
	data_crosses(&w); // its answer goes before its next words
	assert_int_equal(updates[0], 2);
	assert_int_equal(updates[1], 1);
	updates[0] = updates[1] = 0;
	for (i = 0; i < 100; i++) { // one that does it itself is answered, and not asked
		assert_int_equal(SSL_key_update(w.tls, SSL_KEY_UPDATE_REQUESTED), 1);
		data_crosses(&w);
	}
	assert_int_equal(updates[1], 200);
	for (i = 0; i < 12; i++) {
		usleep(100000);
		data_crosses(&w);
	}
	assert_in_range(updates[0], 100, 104);
	put_frame(&w, CSTP_DISCONNECT, "\xb0", 1);
	ends_with(&w, END_BY_USER);
}

static void test_what_is_no_frame_ends(void **state)
{
	uint8_t two[2 * CSTP_HEADER], large[LIMIT_PACKET + 1] = { 0x45 };
	struct world w;

	open_tunnel(&w, 0);
	put(&w, "GET / HTTP/1.1\r\n\r\n");
	ends_with(&w, END_ERROR);

	open_tunnel(&w, 0);
	cstp_header(two, CSTP_KEEPALIVE, 0);
	cstp_header(two + CSTP_HEADER, CSTP_KEEPALIVE, 0);
	assert_int_equal(SSL_write(w.tls, two, sizeof(two)), sizeof(two));
	ends_with(&w, END_ERROR);

	open_tunnel(&w, 0);
	put_frame(&w, CSTP_DATA, large, sizeof(large));
	ends_with(&w, END_ERROR);

	open_tunnel(&w, 0);
	SSL_shutdown(w.tls);
	ends_with(&w, END_TEMPORARY);
}

static void told(enum end_reason reason, int type)
{
	struct msg_terminate m = { .reason = (uint8_t)reason };
	uint8_t buf[16384];
	struct world w;

	open_tunnel(&w, 0);
	assert_int_equal(CHAN_SEND(&w.main, TERMINATE, &m), 0);
	if (type >= 0)
		get_frame(&w, type, buf);
	assert_true(is_closed(&w));
	world_fini(&w);
}

static void test_main_ends_it(void **state)
{
	struct world w;

	told(END_BY_ADMIN, CSTP_DISCONNECT);
	told(END_TERMINATED, CSTP_TERMINATE);
	told(END_REPLACED, CSTP_DISCONNECT);
	told(END_SHUTDOWN, CSTP_DISCONNECT);
	told(END_ERROR, -1);
	open_tunnel(&w, 0);
	chan_fini(&w.main);
	assert_true(is_closed(&w));
	world_fini(&w);
}

static void test_dead_peers(void **state)
{
	uint64_t start;
	uint8_t buf[16384];
	struct world w;

	open_tunnel(&w, 1);
	start = now_ms();
	assert_int_equal(get_frame(&w, CSTP_DPD_REQUEST, buf), 0);
	assert_true(now_ms() - start >= 1900);
	put_frame(&w, CSTP_DPD_RESPONSE, NULL, 0); // alive: it starts again
	get_frame(&w, CSTP_DPD_REQUEST, buf);
	get_frame(&w, CSTP_DPD_REQUEST, buf);
	main_awaits(&w, MSG_SESSION_END);
	assert_int_equal(w.reason, END_DEAD_PEER);
	assert_true(now_ms() - start >= 4900 && now_ms() - start < 6500);
	world_fini(&w);
}

static void lane_drains(struct world *w, int ms)
{
	uint8_t buf[LIMIT_MESSAGE];
	ssize_t n;

	while ((n = lane_gets(w, buf, sizeof(buf), ms)) > 0) {
		assert_int_equal(buf[0] >> 4, 9);
		assert_true(chan_serve_packet(&w->lane, from_worker, w, buf, (size_t)n, NULL, 0) > 0);
	}
}

static unsigned int flood_psk(SSL *ssl, const char *hint, char *identity, unsigned int id_room, unsigned char *psk,
                              unsigned int room)
{
	snprintf(identity, id_room, "psk");
	memset(psk, 1, 32);
	return 32;
}

// However many ClientHellos an attacker replays: the dataplane never hears more than the message table allows.
static void test_a_flood_of_hellos(void **state)
{
	struct msg_dtls_record m = { .handshake = 0 };
	struct world w;
	SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *out = BIO_new(BIO_s_mem());
	int i, ret;

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_cipher_list(ssl, "PSK");
	SSL_set_mtu(ssl, 1400);
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_psk_client_callback(ssl, flood_psk);
	SSL_connect(ssl);
	m.datagram_len = (uint16_t)BIO_read(out, m.datagram, sizeof(m.datagram));
	open_tunnel(&w, 0);
	for (i = 1; i <= 400; i++) {
		m.handshake = (uint32_t)i;
		while ((ret = CHAN_SEND(&w.lane, DTLS_RECORD, &m)) == -EAGAIN)
			lane_drains(&w, 1);
		assert_int_equal(ret, 0);
		lane_drains(&w, 0);
	}
	lane_drains(&w, 300);
	assert_true(w.sends > 50 && w.keys == 0);
	put_frame(&w, CSTP_DISCONNECT, "\xb0", 1);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ends_with(&w, END_BY_USER);
}

// The header comes byte by byte, and TLS behind it.
static void test_a_proxy_says_whose_it_is(void **state)
{
	char text[ADDR_TEXT];
	struct world w;

	preface = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
	world_init(&w, true);
	main_awaits(&w, MSG_PROXY_SOURCE);
	assert_string_equal(addr_text_port(&w.source.client, text), "203.0.113.7:4711");
	assert_string_equal(addr_text_port(&w.source.local, text), "192.0.2.1:443");
	answers(&w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK");
	world_fini(&w);

	preface = "PROXY UNKNOWN\r\n";
	world_init(&w, true);
	main_awaits(&w, MSG_PROXY_SOURCE);
	assert_int_equal(w.source.client.family, 0);
	answers(&w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK");
	world_fini(&w);
	preface = NULL;
}

static void test_a_preface_that_is_none(void **state)
{
	uint64_t began = now_ms();
	struct world w;
	char c;

	for (unsigned i = 0; i < 4; i++) {
		preface = ((const char *[]){ "\x16\x03\x01", "GET / HTTP/1.1\r\n", "PROXY TCP4 1.2.3.4\r\n",
		                             "PROXY TCP4 1.2.3.4 " })[i];
		world_init(&w, false);
		if (i == 3)
			assert_int_equal(shutdown(w.socket, SHUT_WR), 0);
		assert_int_equal(recv(w.socket, &c, 1, 0) <= 0, 1);
		assert_int_equal(poll(&(struct pollfd){ .fd = w.main.fd, .events = POLLIN }, 1, 5000), 1);
		assert_int_equal(chan_serve(&w.main, from_worker, &w, 1), 0); // it has said nothing
		assert_int_equal(w.signatures, 0);
		world_fini(&w);
	}
	assert_in_range(now_ms() - began, 0, PREFACE_MS - 1);
	preface = "PROXY TCP4 1.2.3.4 "; // and no more for now
	world_init(&w, false);
	assert_int_equal(recv(w.socket, &c, 1, 0) <= 0, 1);
	assert_in_range(now_ms() - began, PREFACE_MS, 10 * PREFACE_MS);
	world_fini(&w);
	preface = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_and_tunnel),
		cmocka_unit_test(test_profiles_of_users),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_a_bad_cookie_is_denied),
		cmocka_unit_test(test_a_full_gateway_says_why),
		cmocka_unit_test(test_slow_clients_end),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_compressed_frames),
		cmocka_unit_test(test_new_keys),
		cmocka_unit_test(test_what_is_no_frame_ends),
		cmocka_unit_test(test_main_ends_it),
		cmocka_unit_test(test_dead_peers),
		cmocka_unit_test(test_a_flood_of_hellos),
		cmocka_unit_test(test_a_proxy_says_whose_it_is),
		cmocka_unit_test(test_a_preface_that_is_none),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
