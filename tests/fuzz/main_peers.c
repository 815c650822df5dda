// Whatever sec-mod, the dataplane, the nursery, workers and penstock-metrics say, in any order, main's handlers take it: each byte
// of an input picks who speaks and what. It has clients of each kind, and an operator who asks.
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/main/admin.h"
#include "control/main/conn.h"
#include "control/main/handover.h"
#include "control/main/metrics.h"
#include "control/main/options.h"
#include "control/main/refill.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS 4
#define TUNNELS 8

enum speaker { SECMOD, DATAPLANE, NURSERY, REPORTER, OPERATOR, WORKER, SPEAKERS = WORKER + CLIENTS };

static const char *const words[] = { "anna",          "bert", "staff", "www.example.com", "10.99.0.0/24",    "10.0.0.0/8", "route",
	                             "dns",           "lo",   "vpns0", "default",         "rx-data-per-sec", "1000",       "iroute",
	                             "2001:db8::/64", NULL };
static const char *const commands[] = { "show status",      "show users",     "show user",         "show id",
	                                "show sessions",    "show dataplane", "show auth",         "show ip bans",
	                                "disconnect user",  "terminate user", "terminate session", "unban ip",
	                                "reset quota user", "maintenance on", "maintenance off",   "limit user",
	                                "show iroutes",     "trace session",  "capture session",   NULL };

static struct gateway g;
static struct config *config;
static const struct handover_process self = { .pid_fd = -1, .version = "0" };
static const struct options options = { .debug = -1 };
static struct chan peers[SPEAKERS];
static chan_handler forget[MSG_NUMBERS];
static char directory[] = "/tmp/penstock-fuzz-XXXXXX", operators_door[64];

// Its interfaces and sockets are nobody else's.
static void begin(void)
{
	static const char text[] =
	        "auth = plain[passwd=passwd]\ntcp-port = 443\nserver-cert = passwd\nserver-key = passwd\n"
	        "device = vpns\nrun-as-user = nobody\nrun-as-group = nogroup\nipv4-network = 10.9.0.0/28\n"
	        "ipv6-network = fd00:5::/124\nuse-utmp = false\nmax-ban-score = 50\nroute = 10.0.0.0/8\nmetrics-per-user = true\n"
	        "max-same-clients = 2\nidle-timeout = 1000\nsession-timeout = 1000\n[vhost:www.example.com]\nbanner = hello\n";
	char path[64];
	FILE *f;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		abort();
	log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	if (!mkdtemp(directory))
		abort();
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, i ? "conf" : "passwd");
		f = fopen(path, "w");
		if (!f || fputs(i ? text : "x", f) < 0 || fclose(f) != 0)
			abort();
	}
	if (config_load(path, CONFIG_START, NULL, NULL, &config) < 0)
		abort();
	unlink(path);
	snprintf(path, sizeof(path), "%s/passwd", directory);
	unlink(path);
	snprintf(operators_door, sizeof(operators_door), "%s.socket", directory);
	rmdir(directory);
	talk_forget_all(forget);
	log_set_level((enum log_level)(LOG_LEVEL_ERR - 1)); // of what is refused
}

static void on_ended(void *who, int why)
{
	struct child *c = who;

	link_close(&c->link);
	c->ready = false;
	if (c == g.reporter)
		metrics_lost(&g);
}

static struct child *child_new(const struct child_kind *kind, struct chan *other)
{
	struct child *c = calloc(1, sizeof(*c));
	int fds[2];

	if (!c || chan_pair(fds) < 0)
		abort();
	chan_init(&c->link.chan, fds[0], ROLE_MAIN, kind->role, CHAN_PLAIN, "%s", kind->name);
	chan_init(other, fds[1], kind->role, ROLE_MAIN, kind == &child_dataplane ? DM_READY : CHAN_PLAIN, "main");
	c->g = &g;
	c->kind = kind;
	c->ready = true;
	c->link.handlers = *kind->handlers;
	c->link.who = c;
	c->link.ended = on_ended;
	evtimer_assign(&c->timer, g.base, NULL, NULL);
	TAILQ_INSERT_TAIL(&g.children, c, all);
	if (link_open(&c->link, g.base, 512) < 0)
		abort();
	return c;
}

static void child_free(struct child *c)
{
	link_close(&c->link);
	evtimer_del(&c->timer);
	TAILQ_REMOVE(&g.children, c, all);
	free(c);
}

// The nursery hears of a client: its worker's channel to main is one of what it is given.
static int on_conn_start(void *who, const void *msg, const int *fds)
{
	const struct msg_conn_start *m = msg;

	chan_init(&peers[WORKER + (m->conn - 1) % CLIENTS], chan_take_fd(fds, 1), ROLE_WORKER, ROLE_MAIN, WM_IDLE, "main");
	return 0;
}

// What main has said; a worker's state goes with it, or it would hear less.
static void hear(void)
{
	static chan_handler nursery[MSG_NUMBERS];

	memcpy(nursery, forget, sizeof(nursery));
	nursery[MSG_CONN_START] = on_conn_start;
	event_base_loop(g.base, EVLOOP_NONBLOCK);
	for (int i = 0; i < SPEAKERS; i++) {
		int ret;

		do {
			if (i >= WORKER)
				chan_enter(&peers[i], ANY);
			ret = chan_serve(&peers[i], i == NURSERY ? nursery : forget, NULL, 64);
		} while (ret > 0);
		if (ret == 0)
			chan_fini(&peers[i]);
	}
}

static void operator_comes(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, operators_door, sizeof(operators_door));
	if (admin_open(&g, operators_door) < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
	unlink(operators_door);
	chan_init(&peers[OPERATOR], fd, ROLE_CTL, ROLE_MAIN, CHAN_PLAIN, "main");
}

static void clients_come(void)
{
	struct addr client, local;

	addr_parse("192.0.2.2", &client);
	addr_parse("192.0.2.1", &local);
	for (int i = 0; i < CLIENTS; i++) {
		int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		client.ip[3]++;
		if (fd < 0 || conn_start(&g, fd, &client, &local, i == CLIENTS - 1, 0) < 0)
			abort();
	}
}

// Its dataplane has said already that it is ready, or is still to say so.
static void gateway_comes(bool ready)
{
	g = (struct gateway){ .options = &options, .self = &self, .config = config, .ready_fd = -1, .phase = GATEWAY_UP };
	for (int i = 0; i < SPEAKERS; i++)
		peers[i].fd = -1;
	if (gateway_init(&g) < 0)
		abort();
	refill_init(&g);
	g.secmod = child_new(&child_secmod, &peers[SECMOD]);
	g.dataplane = child_new(&child_dataplane, &peers[DATAPLANE]);
	g.nursery = child_new(&child_nursery, &peers[NURSERY]);
	g.reporter = child_new(&child_metrics, &peers[REPORTER]);
	g.dataplane->ready = ready;
	g.dataplane->link.chan.used[MSG_DATAPLANE_READY] = ready;
	if (ready && tunnel_table_open(&g, TUNNELS) < 0)
		abort();
	operator_comes();
	clients_come();
	hear();
}

static void gateway_goes(void)
{
	conn_lose_nursery(&g, g.nursery);
	refill_lose(&g);
	tunnel_table_close(&g);
	admin_close(&g);
	for (int i = 0; i < SPEAKERS; i++)
		chan_fini(&peers[i]);
	while (!TAILQ_EMPTY(&g.children))
		child_free(TAILQ_FIRST(&g.children));
	g.secmod = g.dataplane = g.nursery = g.reporter = NULL;
	g.config = NULL; // the next one's
	event_base_loop(g.base, EVLOOP_NONBLOCK);
	gateway_fini(&g);
}

static void speak(struct talk *t)
{
	static const enum role roles[] = { ROLE_SECMOD, ROLE_DATAPLANE, ROLE_NURSERY, ROLE_METRICS, ROLE_CTL };
	const unsigned who = talk_byte(t) % SPEAKERS;
	union msg_any m;
	enum msg_number number = talk_message(t, who < WORKER ? roles[who] : ROLE_WORKER, ROLE_MAIN, &m);

	if (number == MSG_ADMIN_REQ)
		snprintf(m.admin_req.command, sizeof(m.admin_req.command), "%s",
		         commands[talk_byte(t) % (sizeof(commands) / sizeof(*commands) - 1)]);
	if (number == MSG_CONN_FORKED)
		m.conn_forked.pid = INT32_MAX; // nobody's: main ends workers that hang
	talk_say(&peers[who], number, &m);
	hear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { data, data + size, words };

	if (!config)
		begin();
	gateway_comes(talk_byte(&t) & 1);
	while (t.at < t.end)
		speak(&t);
	gateway_goes();
	return 0;
}
