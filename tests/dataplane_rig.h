// The real penstock-dataplane in a network namespace of its own, and a test that plays main, a worker, the kernel and a client:
//
//   the test ── w1 ═ veth ═ w0 ── penstock-dataplane ── vpns0 ── the test
//   (client, raw frames)             │ fd 3      │ lane           (kernel side of the TAP, raw frames)
//                                    main        worker
//
// Needs root. BUILD names the build tree.
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "craft_frames.h"
#include "proto/chan.h"
#include "proto/lane.h"
#include "proto/snapshot.h"
#include "sanitized.h"

#define TUNNEL 7
#define PATIENCE_MS 3000

static struct {
	const char *huge_pages;
	pid_t pid;
	struct chan main, lane;
	int client, kernel; // packet sockets on w1 and vpns0
	uint64_t started_ms;
	// what came last
	struct msg_dataplane_ready ready;
	struct msg_tunnel_reply reply;
	struct msg_tunnel_changed changed;
	struct msg_tunnel_state state;
	struct msg_tunnel_counters counters;
	struct msg_dataplane_stats_end end;
	struct msg_dataplane_pong pong;
	struct msg_dp_latency latency;
	struct msg_tunnel_view view;
	struct msg_dtls_record record;
	struct msg_dtls_confirmed confirmed;
	struct msg_dtls_alert alert;
	struct msg_watch_packet seen;
	struct msg_watch_end look;
	unsigned states, ports, ports_up, cores, pools, rings, rows;
	uint64_t no_app_id, keys_full, bad_mac;
	char drops[256]; // reasons and how often, of the tunnel that was asked about
	// the client's keys
	uint8_t key[2][32], iv[2][4];
	uint64_t sequence;
} world;

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// --------------------------------------------------------------------------------------------------- playing main and worker

#define KEEP(name, where)                                                           \
	static int on_##name(void *who, const struct msg_##name *m, const int *fds) \
	{                                                                           \
		world.where = *m;                                                   \
		return 0;                                                           \
	}
KEEP(dataplane_ready, ready)
KEEP(tunnel_reply, reply)
KEEP(tunnel_changed, changed)
KEEP(tunnel_counters, counters)
KEEP(dataplane_stats_end, end)
KEEP(dataplane_pong, pong)
KEEP(dp_latency, latency)
KEEP(tunnel_view, view)
KEEP(dtls_record, record)
KEEP(dtls_confirmed, confirmed)
KEEP(dtls_alert, alert)

static int on_tunnel_state(void *who, const struct msg_tunnel_state *m, const int *fds)
{
	world.state = *m;
	world.states++;
	return 0;
}

static int on_tunnel_drop(void *who, const struct msg_tunnel_drop *m, const int *fds)
{
	size_t n = strlen(world.drops);

	snprintf(world.drops + n, sizeof(world.drops) - n, "%s %u,", m->name, m->times);
	assert_true(m->ago_ms < 100000);
	return 0;
}

static int on_dp_port(void *who, const struct msg_dp_port *m, const int *fds)
{
	world.ports++;
	world.ports_up += m->up;
	return 0;
}

static int on_tunnel_held(void *who, const struct msg_tunnel_held *m, const int *fds)
{
	return 0;
}

static int on_tunnels_told(void *who, const struct msg_tunnels_told *m, const int *fds)
{
	return 0;
}

static int on_dataplane_nic(void *who, const struct msg_dataplane_nic *m, const int *fds)
{
	return 0;
}

static int on_dp_core(void *who, const struct msg_dp_core *m, const int *fds)
{
	world.cores++;
	return 0;
}

static int on_dp_pool(void *who, const struct msg_dp_pool *m, const int *fds)
{
	world.pools++;
	assert_true(m->free <= m->total);
	return 0;
}

static int on_dp_ring(void *who, const struct msg_dp_ring *m, const int *fds)
{
	world.rings++;
	assert_true(m->waiting <= m->most && m->most <= m->room);
	return 0;
}

static int on_watch_packet(void *who, const struct msg_watch_packet *m, const int *fds)
{
	world.seen = *m;
	return 0;
}

static int on_watch_end(void *who, const struct msg_watch_end *m, const int *fds)
{
	world.look = *m;
	return 0;
}

static int on_dp_counter(void *who, const struct msg_dp_counter *m, const int *fds)
{
	world.rows++;
	if (strcmp(m->name, "drop_unknown_app_id") == 0)
		world.no_app_id = m->value;
	if (strcmp(m->name, "keys_full") == 0)
		world.keys_full = m->value;
	if (strcmp(m->name, "drop_bad_mac") == 0)
		world.bad_mac = m->value;
	return 0;
}

#define HANDLERS from_dataplane
#define ON_DATAPLANE_MAIN(...) __VA_ARGS__
#define ON_DATAPLANE_WORKER(...) __VA_ARGS__
#include "proto/handlers.h"

static void await_main(enum msg_number number)
{
	assert_int_equal(chan_await(&world.main, from_dataplane, NULL, number, PATIENCE_MS), 0);
}

static void await_lane(enum msg_number number)
{
	assert_int_equal(chan_await(&world.lane, from_dataplane, NULL, number, PATIENCE_MS), 0);
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

// ------------------------------------------------------------------------------------------------------------- the set-up

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int open_packet_socket(const char *interface)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
		                   .sll_protocol = htons(ETH_P_ALL),
		                   .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), on = 1;

	assert_true(fd >= 0 && sll.sll_ifindex > 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sll, sizeof(sll)), 0);
	return fd;
}

static int write_snapshot(void)
{
	static const char *const words[][2] = {
		{ "@log-level", "5" },   { "@log-form", "plain" },    { "udp-port", "443" },
		{ "device", "vpns" },    { "outer", "w0" },           { "inner", "tap" },
		{ "max-clients", "16" }, { "run-as-user", "nobody" }, { "listen-host", "192.0.2.1" },
		{ "huge-pages", NULL },
	};
	struct snapshot_writer *w = snapshot_writer_new();
	int fd;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(snapshot_put(w, words[i][0], words[i][1] ? words[i][1] : world.huge_pages), 0);
	assert_int_equal(snapshot_finish(w, &fd), 0);
	return fd;
}

static void spawn(void)
{
	const char *build = getenv("BUILD");
	char path[512];
	int fds[2], conf = write_snapshot();

	snprintf(path, sizeof(path), "%s/penstock-dataplane", build ? build : "build");
	assert_int_equal(chan_pair(fds), 0);
	world.started_ms = now_ms();
	world.pid = fork();
	if (world.pid == 0) {
		dup2(fcntl(conf, F_DUPFD, 10), CHILD_FD_CONF);
		dup2(fcntl(fds[1], F_DUPFD, 11), CHILD_FD_MAIN);
		execl(path, path, NULL);
		_exit(127);
	}
	close(fds[1]);
	close(conf);
	chan_init(&world.main, fds[0], ROLE_MAIN, ROLE_DATAPLANE, CHAN_PLAIN, "dataplane");
}

static int set_up(const char *huge_pages)
{
	memset(&world, 0, sizeof(world));
	world.huge_pages = huge_pages;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		printf("needs root and a network namespace: skipped\n");
		exit(77);
	}
	shell("ip link set lo up && ip link add w0 address 02:00:00:00:00:01 type veth peer name w1 address 02:00:00:00:00:02");
	shell("ip addr add 192.0.2.1/24 dev w0 && ip link set w0 up && ip link set w1 up");
	world.client = open_packet_socket("w1");
	spawn();
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- frames

static void client_sends(const void *payload, size_t len, uint16_t from)
{
	uint8_t f[2048];
	size_t n = put_udp(f, payload, len, from);

	assert_int_equal(send(world.client, f, n, 0), (ssize_t)n);
}

// The next UDP datagram from our port to the client's; its length, or -1 when none comes.
static ssize_t client_gets(uint8_t *payload, uint16_t to, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;
	uint8_t f[4096];
	ssize_t n;

	while (now_ms() < end && readable(world.client, (int)(end - now_ms()))) {
		n = recv(world.client, f, sizeof(f), 0);
		if (n < 42 || f[12] != 8 || f[14 + 9] != 17 || memcmp(f + 14 + 12, our_ip, 4) != 0 || (f[36] << 8 | f[37]) != to)
			continue;
		assert_memory_equal(f, their_mac, 6);
		n = (f[38] << 8 | f[39]) - 8;
		memcpy(payload, f + 42, (size_t)n);
		return n;
	}
	return -1;
}

static bool kernel_gets(const char *mark, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;
	uint8_t f[4096];
	ssize_t n;

	while (now_ms() < end && readable(world.kernel, (int)(end - now_ms()))) {
		n = recv(world.kernel, f, sizeof(f), 0);
		if (n >= 34 + (ssize_t)strlen(mark) && f[14 + 9] == 253 && memcmp(f + 34, mark, strlen(mark)) == 0)
			return true;
	}
	return false;
}

static void kernel_sends(const char *mark)
{
	uint8_t f[256];
	size_t n;

	memcpy(f, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x09\x08\x00", 14);
	n = 14 + put_inner(f + 14, server_ip, inner_ip, mark);
	assert_int_equal(send(world.kernel, f, n, 0), (ssize_t)n);
}

// dir 0: from the client, 1: from us.
static void gcm(bool seal, int dir, uint8_t *rec, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t aad[13], nonce[12], *data = rec + 21;
	int n, body = (int)len - 13 - 8 - 16;

	memcpy(aad, rec + 3, 8);
	memcpy(aad + 8, rec, 3);
	aad[11] = (uint8_t)(body >> 8);
	aad[12] = (uint8_t)body;
	memcpy(nonce, world.iv[dir], 4);
	memcpy(nonce + 4, rec + 13, 8);
	assert_int_equal(EVP_CipherInit(ctx, EVP_aes_256_gcm(), world.key[dir], nonce, seal), 1);
	if (!seal)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, data + body);
	assert_int_equal(EVP_CipherUpdate(ctx, NULL, &n, aad, 13), 1);
	assert_int_equal(EVP_CipherUpdate(ctx, data, &n, data, body), 1);
	assert_int_equal(EVP_CipherFinal(ctx, data + n, &n), 1);
	if (seal)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, data + body);
	EVP_CIPHER_CTX_free(ctx);
}

static size_t put_record(uint8_t *rec, uint8_t type, const void *plain, size_t len)
{
	uint64_t seq = htobe64(1ULL << 48 | world.sequence++);

	rec[0] = type;
	rec[1] = 0xfe;
	rec[2] = 0xfd;
	memcpy(rec + 3, &seq, 8);
	rec[11] = (uint8_t)((len + 24) >> 8);
	rec[12] = (uint8_t)(len + 24);
	memcpy(rec + 13, &seq, 8);
	memcpy(rec + 21, plain, len);
	gcm(true, 0, rec, 13 + 8 + len + 16);
	return 13 + 8 + len + 16;
}

static void client_sends_record(uint8_t type, const void *plain, size_t len, uint16_t from)
{
	uint8_t rec[2048];

	client_sends(rec, put_record(rec, type, plain, len), from);
}

static void client_sends_data(const char *mark, uint16_t from)
{
	uint8_t plain[256] = { 0 };

	client_sends_record(23, plain, 1 + put_inner(plain + 1, inner_ip, server_ip, mark), from);
}

// --------------------------------------------------------------------------------------------------------------- keys

static void new_keys(uint8_t mark)
{
	memset(world.key[0], mark, 32);
	memset(world.key[1], mark + 1, 32);
	world.sequence = 0;
}

static uint64_t next_sequence = 5; // that our keys are handed over with

static void send_keys(uint32_t handshake)
{
	struct msg_dtls_keys m = {
		.handshake = handshake,
		.cipher = AEAD_AES_256_GCM,
		.epoch = 1,
		.next_sequence = next_sequence,
		.client_key_len = 32,
		.server_key_len = 32,
		.client_iv_len = 4,
		.server_iv_len = 4,
	};

	memcpy(m.client_key, world.key[0], 32);
	memcpy(m.server_key, world.key[1], 32);
	memcpy(m.client_iv, world.iv[0], 4);
	memcpy(m.server_iv, world.iv[1], 4);
	assert_int_equal(CHAN_SEND(&world.lane, DTLS_KEYS, &m), 0);
}
