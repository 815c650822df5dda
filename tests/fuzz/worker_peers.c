// Whatever main, sec-mod and the dataplane say to a worker, and what comes as packets on its lane, beside a client that has a TLS
// connection and goes through a login, in any order: each byte of an input picks who speaks and what. The worker runs in a thread,
// as it would in its process.
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What worker_world.h needs of cmocka.
#define assert_true(truth) ((truth) ? (void)0 : abort())
#define assert_int_equal(a, b) assert_true((long)(a) == (long)(b))
#define assert_non_null(p) assert_true((p) != NULL)
#define fail() ((void)0)
#define fail_msg(...) abort()
#include "worker_world.h"

enum speaker { MAIN, SECMOD, DATAPLANE, PACKET, CLIENT, SPEAKERS };

static const char *const words[] = { "anna", "Password:", "staff", "1.2.3.4", "tun0", "example.com", "X-Header: y", "hello", NULL };

static const char *const requests[] = {
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\nContent-Length: 91\r\n\r\n"
	"<?xml version=\"1.0\"?><config-auth client=\"vpn\" type=\"init\"><version>v9</version></config-auth>",
	"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
	"13\r\n\r\nusername=anna",
	"POST /auth HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
	"15\r\n\r\npassword=secret",
	"CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: x\r\nCookie: "
	"webvpn=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nX-CSTP-Version: 1\r\n"
	"X-CSTP-MTU: 1400\r\nX-CSTP-Address-Type: IPv6,IPv4\r\nX-DTLS12-CipherSuite: PSK-NEGOTIATE\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /profiles/x.xml HTTP/1.1\r\nHost: x\r\nCookie: webvpn=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
};
// A frame of any type, with a packet in it.
static const uint8_t frame[] = { 'S', 'T', 'F', 1, 0, 20, 0, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1 };

static struct world w;
static volatile bool ended;

static void *run_worker(void *arg)
{
	void *ret = worker_run(arg);

	ended = true;
	return ret;
}

// The others do their part; the client reads what there is.
static void serve(void)
{
	uint8_t buf[4096];

	if (w.secmod.fd >= 0)
		chan_serve(&w.secmod, from_worker, &w, 16);
	if (w.main.fd >= 0)
		chan_serve(&w.main, from_worker, &w, 16);
	while (w.lane.fd >= 0 && recv(w.lane.fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	if (w.tls && SSL_is_init_finished(w.tls))
		while (SSL_read(w.tls, buf, sizeof(buf)) > 0)
			;
	ERR_clear_error();
}

// Until the worker has taken what was said, but for no longer than that takes.
static void settle(int fd)
{
	int waiting = 1;

	for (int i = 0; i < 40 && !ended && waiting > 0; i++) {
		serve();
		if (fd < 0 || ioctl(fd, SIOCOUTQ, &waiting) < 0)
			return;
		usleep(50);
	}
	serve();
}

static bool shake_hands(void)
{
	int ret = 0;

	for (int i = 0; i < 4000 && !ended && ret != 1; i++) {
		ret = SSL_do_handshake(w.tls);
		serve();
		if (ret != 1)
			usleep(50);
	}
	return ret == 1;
}

static void world_comes(void)
{
	int sockets[2], main[2], secmod[2];

	memset(&w, 0, sizeof(w));
	ended = false;
	assert_true(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) == 0);
	assert_true(chan_pair(main) == 0 && chan_pair(secmod) == 0);
	w.start = (struct client_start){ .conn = 1, .socket = sockets[1], .main = main[1], .secmod = secmod[1] };
	w.socket = sockets[0];
	chan_init(&w.main, main[0], ROLE_MAIN, ROLE_WORKER, ANY, "worker");
	chan_init(&w.secmod, secmod[0], ROLE_SECMOD, ROLE_WORKER, ANY, "worker");
	chan_init(&w.lane, -1, ROLE_DATAPLANE, ROLE_WORKER, CHAN_PLAIN, "lane");
	w.tls = SSL_new(shared.client);
	SSL_set_fd(w.tls, w.socket);
	SSL_set_connect_state(w.tls);
	assert_true(pthread_create(&w.worker, NULL, run_worker, &w) == 0);
}

static void world_goes(void)
{
	SSL_free(w.tls);
	close(w.socket);
	chan_fini(&w.main);
	chan_fini(&w.secmod);
	chan_fini(&w.lane);
	pthread_join(w.worker, NULL);
}

static void main_speaks(struct talk *t)
{
	union msg_any m;
	enum msg_number number = talk_message(t, ROLE_MAIN, ROLE_WORKER, &m);

	if (number == MSG_AUTH_COOKIE_REP && w.lane.fd < 0) {
		assert_true(chan_pair(w.lane_pair) == 0);
		w.lane.fd = w.lane_pair[0];
		chan_send(&w.main, number, &m, &w.lane_pair[1]);
		close(w.lane_pair[1]);
	} else {
		talk_say(&w.main, number, &m);
	}
	settle(w.main.fd);
}

static void client_speaks(struct talk *t)
{
	const uint8_t which = talk_byte(t);
	uint8_t packet[sizeof(frame)];
	const size_t n = sizeof(requests) / sizeof(*requests);
	size_t len = talk_byte(t), left = (size_t)(t->end - t->at);

	len = len < left ? len : left;
	if (which % (n + 2) < n) {
		SSL_write(w.tls, requests[which % (n + 2)], (int)strlen(requests[which % (n + 2)]));
	} else if (which % (n + 2) == n) {
		memcpy(packet, frame, sizeof(frame));
		packet[6] = (uint8_t)len;
		SSL_write(w.tls, packet, sizeof(packet));
	} else if (len > 0) {
		SSL_write(w.tls, t->at, (int)len);
		t->at += len;
	}
	settle(w.socket);
}

static void speak(struct talk *t)
{
	union msg_any m;
	enum msg_number number;
	size_t len;

	switch (talk_byte(t) % SPEAKERS) {
	case MAIN:
		main_speaks(t);
		break;
	case SECMOD:
		number = talk_message(t, ROLE_SECMOD, ROLE_WORKER, &m);
		talk_say(&w.secmod, number, &m);
		settle(w.secmod.fd);
		break;
	case DATAPLANE:
		number = talk_message(t, ROLE_DATAPLANE, ROLE_WORKER, &m);
		talk_say(&w.lane, number, &m);
		settle(w.lane.fd);
		break;
	case PACKET:
		len = talk_byte(t);
		len = len < (size_t)(t->end - t->at) ? len : (size_t)(t->end - t->at);
		if (w.lane.fd >= 0 && send(w.lane.fd, t->at, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EBADF)
			abort();
		t->at += len;
		settle(w.lane.fd);
		break;
	case CLIENT:
		client_speaks(t);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { data, data + size, words };

	if (!shared.key) {
		world_set_up(NULL);
		log_set_level((enum log_level)(LOG_LEVEL_ERR - 1)); // of what is refused
	}
	world_comes();
	if (shake_hands())
		while (t.at < t.end && !ended)
			speak(&t);
	world_goes();
	return 0;
}
