// Whatever main and workers say to the dataplane, what comes as packets on a lane, and what strangers and clients send to its UDP
// port, in any order: each byte of an input picks who speaks and what. It is the whole dataplane with its TAP, in a network
// namespace of its own; its one core runs here.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sanitizer/lsan_interface.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "dataplane/control.h"
#include "dataplane/loop.h"
#include "proto/lane.h"
#include "proto/log.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TUNNELS 8
#define CLIENTS 2
#define CLOSING_TURNS 1000

enum speaker { MAIN, WORKER, PACKET, DATAGRAM, SPEAKERS };

static struct {
	struct control c;
	struct lcore *core;
	struct chan main, lanes[TUNNELS]; // the other ends
	int clients[CLIENTS];
	chan_handler forget[MSG_NUMBERS];
} f;

static void need(int truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

static struct snapshot *configuration(void)
{
	static const char *const words[][2] = {
		{ "@log-level", "3" }, { "udp-port", "443" },  { "device", "vpns" },   { "outer", "auto" },
		{ "inner", "tap" },    { "max-clients", "8" }, { "huge-pages", "no" }, { "listen-host", "127.0.0.1" },
		{ "run-as-user", "" },
	};
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *s;
	int fd;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		need(snapshot_put(w, words[i][0], words[i][1]) == 0, "snapshot");
	need(snapshot_finish(w, &fd) == 0, "snapshot");
	need(snapshot_open(fd, &s) == 0, "snapshot");
	close(fd);
	return s;
}

static void clients_open(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(443), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (int i = 0; i < CLIENTS; i++) {
		f.clients[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		need(f.clients[i] >= 0 && connect(f.clients[i], (struct sockaddr *)&to, sizeof(to)) == 0, "client");
	}
}

static void begin(void)
{
	struct cpu_list cpus = { .n = 1 };
	static struct eal_report eal; // f.c.memory is its
	char why[LIMIT_TEXT + 1] = "";
	struct snapshot *s;
	int fds[2];

	need(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0, "network namespace");
	need(system("ip link set lo up") == 0, "lo");
	log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	s = configuration();
	cpus.cpu[0] = (uint16_t)sched_getcpu();
	need(chan_pair(fds) == 0, "channel");
	chan_init(&f.c.main, fds[0], ROLE_DATAPLANE, ROLE_MAIN, DM_READY, "main");
	chan_init(&f.main, fds[1], ROLE_MAIN, ROLE_DATAPLANE, CHAN_PLAIN, "dataplane");
	f.c.memory = eal.memory;
	need(aead_init() == 0 && aead_thread_init() == 0, "AEAD");
	need(eal_start(s, &cpus, ports_budget(s, 1) + control_budget(TUNNELS, 1), &eal, why) == 0, why);
	need(ports_open(&f.c.ports, s, 1, why) == 0, why);
	need(control_init(&f.c, TUNNELS, 443, &cpus, why) == 0, why);
	snapshot_free(s);
	f.core = f.c.dp.cores[0];
	rte_rcu_qsbr_thread_register(f.c.tables.rcu, f.core->index);
	rte_rcu_qsbr_thread_online(f.c.tables.rcu, f.core->index);
	f.core->started = 1;
	clients_open();
	for (int i = 0; i < TUNNELS; i++)
		f.lanes[i].fd = -1;
	talk_forget_all(f.forget);
	eal_started(true);
	log_set_level((enum log_level)(LOG_LEVEL_ERR - 1)); // of what is refused
}

// Both threads' work, and nobody's socket gets full.
static void turn(void)
{
	uint8_t buf[2048];

	control_turn(&f.c, 0);
	loop_round(f.core);
	rte_rcu_qsbr_quiescent(f.c.tables.rcu, f.core->index);
	f.c.stop = false; // main has broken a rule
	while (chan_serve(&f.main, f.forget, NULL, 64) > 0)
		;
	for (int i = 0; i < TUNNELS; i++)
		while (f.lanes[i].fd >= 0 && recv(f.lanes[i].fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	for (int i = 0; i < CLIENTS; i++)
		while (recv(f.clients[i], buf, sizeof(buf), 0) > 0)
			;
}

static void main_speaks(struct talk *t)
{
	union msg_any m;
	enum msg_number number = talk_message(t, ROLE_MAIN, ROLE_DATAPLANE, &m);
	int fds[2];

	if (number == MSG_DATAPLANE_SET)
		m.dataplane_set.log_level = LOG_LEVEL_ERR;
	if (number == MSG_TUNNEL_ADD) {
		struct chan *lane = &f.lanes[m.tunnel_add.tunnel % TUNNELS];

		need(chan_pair(fds) == 0, "lane");
		chan_send(&f.main, number, &m, &fds[1]);
		close(fds[1]);
		chan_fini(lane);
		chan_init(lane, fds[0], ROLE_WORKER, ROLE_DATAPLANE, ANY, "lane");
	} else if (number == MSG_TELEMETRY_CLIENT) {
		need(chan_pair(fds) == 0, "telemetry");
		chan_send(&f.main, number, &m, &fds[1]);
		need(send(fds[0], "/,0", 3, MSG_NOSIGNAL) >= 0, "telemetry");
		close(fds[0]);
		close(fds[1]);
	} else {
		talk_say(&f.main, number, &m);
	}
}

static void bytes_speak(struct talk *t, int fd)
{
	size_t len = talk_byte(t), left = (size_t)(t->end - t->at);

	len = len < left ? len : left;
	if (fd >= 0 && send(fd, t->at, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EBADF)
		abort();
	t->at += len;
}

static void speak(struct talk *t)
{
	const uint8_t b = talk_byte(t);
	union msg_any m;
	enum msg_number number;

	switch (b % SPEAKERS) {
	case MAIN:
		main_speaks(t);
		break;
	case WORKER:
		number = talk_message(t, ROLE_WORKER, ROLE_DATAPLANE, &m);
		talk_say(&f.lanes[b / SPEAKERS % TUNNELS], number, &m);
		break;
	case PACKET:
		bytes_speak(t, f.lanes[b / SPEAKERS % TUNNELS].fd);
		break;
	case DATAGRAM:
		bytes_speak(t, f.clients[b / SPEAKERS % CLIENTS]);
		break;
	}
	turn();
}

// Nothing is left for the next input; that nothing could be is a fault of its own.
static void end_all(void)
{
	memset(f.c.main.used, 0, sizeof(f.c.main.used));
	memset(f.c.main.burst, 0, sizeof(f.c.main.burst));
	for (uint32_t i = 0; i < TUNNELS; i++) {
		chan_fini(&f.lanes[i]);
		CHAN_SEND(&f.main, TUNNEL_DEL, &(struct msg_tunnel_del){ .tunnel = i });
	}
	for (uint32_t i = 0; i < 4; i++)
		CHAN_SEND(&f.main, WATCH_STOP, &(struct msg_watch_stop){ .token = i });
	for (int i = 0; i < CLOSING_TURNS && (i < 2 || f.c.n_active > 0); i++)
		turn();
	if (f.c.n_active > 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { .at = data, .end = data + size };

	if (!f.core) {
		__lsan_disable(); // it does not look for pointers in DPDK's memory
		begin();
		__lsan_enable();
	}
	while (t.at < t.end)
		speak(&t);
	end_all();
	return 0;
}
