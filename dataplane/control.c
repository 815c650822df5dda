#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "hand.h"
#include "proto/err.h"
#include "proto/secret.h"
#include "portlink.h"
#include "report.h"
#include "watcher.h"

#define EVENTS_MAX 64
#define MAIN_EVENT UINT64_MAX
#define WAKE_EVENT (UINT64_MAX - 1)
#define LINK_EVENT (UINT64_MAX - 2)
#define NEWS_EVENT (UINT64_MAX - 3)
#define DUMP_EVENT (UINT64_MAX - 4)
#define TELEMETRY_EVENT (UINT64_MAX - 64) // and those after it, one a client
#define MAIN_BURST 64
#define MAIN_PATIENCE_MS 5000
// How long a turn waits for a descriptor: the cores' rings are looked at in between. While anything moves over lanes, and after
// that has ended for so long.
#define WAIT_MOVING_NS 50000
#define WAIT_IDLE_NS 1000000
#define MOVING_MS 5
// After so long without anything this thread sleeps until a descriptor or the core wakes it.
#define AWAKE_MS 50
#define WAIT_ASLEEP_NS 100000000
// Key sets: in force and next of each tunnel, and some that wait for their grace period.
#define KEYS_SPARE 256

static size_t keys_count(uint32_t tunnels_max)
{
	return 2 * (size_t)tunnels_max + KEYS_SPARE;
}

size_t control_budget(uint32_t tunnels_max, unsigned cores)
{
	// rte_hash: a key store entry and its share of buckets for each of up to seven entries a tunnel.
	size_t hashes = (size_t)tunnels_max * (7 * 160 + 2 * HINTS_BYTES);
	size_t halves = (size_t)tunnels_max * (sizeof(struct tunnel_in) + sizeof(struct tunnel_out) + sizeof(struct policy *));
	size_t rings =
	        (keys_count(tunnels_max) + 2 * RING_PACKETS + RING_COMMANDS + (cores - 1) * RING_HANDED) * 2 * sizeof(void *);

	return hashes + networks_budget(NETWORKS_MOST(tunnels_max)) + policies_budget(tunnels_max) + halves +
	       keys_count(tunnels_max) * sizeof(struct tunnel_keys) + cores * (rings + sizeof(struct lcore) + reassembly_budget()) +
	       (8u << 20);
}

// ------------------------------------------------------------------------------------------------------------------ start

static int watch(struct control *c, int fd, uint64_t what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = what };

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int wake_init(struct control *c)
{
	c->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake.fd < 0)
		return -ENOMEM;
	c->links = portlink_open(&c->ports);
	return c->links < 0 || watch(c, c->links, LINK_EVENT) < 0 ? -EIO : watch(c, c->wake.fd, WAKE_EVENT);
}

// The kernel's view of the inner NIC, where there is one.
static int mirror_init(struct control *c)
{
	int ret = 0;

	for (unsigned i = 0; i < c->ports.n && ret == 0; i++) {
		const struct port *tap = &c->ports.all[i];
		if (!tap->kernel || tap->outer)
			continue;
		ret = mirror_open(&c->mirror, &c->dp.forwarding, &c->tables, tap, c->dp.tsc_hz);
		if (ret == 0)
			ret = watch(c, c->mirror.news, NEWS_EVENT);
		if (ret == 0)
			ret = watch(c, c->mirror.dump, DUMP_EVENT);
	}
	return ret;
}

static int pool_init(struct key_pool *p, size_t n)
{
	p->sets = rte_malloc("keys", n * sizeof(*p->sets), RTE_CACHE_LINE_SIZE);
	p->free = malloc(n * sizeof(*p->free));
	if (!p->sets || !p->free)
		return -ENOMEM;
	p->n = (uint32_t)n;
	// The lowest is taken first: memory that nobody needs is never touched.
	for (p->n_free = 0; p->n_free < p->n; p->n_free++)
		p->free[p->n_free] = p->n - 1 - p->n_free;
	return 0;
}

static int store_init(struct control *c, uint32_t n)
{
	c->dp.in = rte_zmalloc("tunnel_in", n * sizeof(*c->dp.in), RTE_CACHE_LINE_SIZE);
	c->dp.out = rte_zmalloc("tunnel_out", n * sizeof(*c->dp.out), RTE_CACHE_LINE_SIZE);
	c->dp.owner = rte_zmalloc("owner", n, RTE_CACHE_LINE_SIZE);
	c->dp.cold = aligned_alloc(RTE_CACHE_LINE_SIZE, n * sizeof(*c->dp.cold)); // ordinary memory: taken as far as it is used
	c->dp.policy = rte_zmalloc("policies", n * sizeof(*c->dp.policy), RTE_CACHE_LINE_SIZE);
	c->tunnels = calloc(n, sizeof(*c->tunnels));
	c->active = calloc(n, sizeof(*c->active));
	c->leaving = calloc(n, sizeof(*c->leaving));
	if (!c->dp.in || !c->dp.out || !c->dp.owner || !c->dp.cold || !c->dp.policy || !c->tunnels || !c->active || !c->leaving)
		return -ENOMEM;
	return pool_init(&c->keys, keys_count(n));
}

// Main's client is not to wait for ever.
static void on_lost(void *who, enum msg_number number, const union msg_any *msg)
{
	struct control *c = who;
	struct msg_tunnel_reply reply = { .tunnel = msg->tunnel_add.tunnel, .text = "it has no descriptor left for a lane" };

	if (number != MSG_TUNNEL_ADD)
		return;
	draft_forget(&c->draft);
	MAIN_SEND(c, TUNNEL_REPLY, &reply);
}

int control_init(struct control *c, uint32_t tunnels_max, uint16_t udp_port, const struct cpu_list *cpus, char *why)
{
	int ret;

	c->main.lost = on_lost;
	c->dp.tables = &c->tables;
	c->dp.networks = &c->networks;
	c->dp.tunnels_max = tunnels_max;
	c->dp.udp_port = rte_cpu_to_be_16(udp_port);
	c->dp.tsc_hz = rte_get_tsc_hz();
	c->dp.inner = c->ports.inner;
	c->dp.hosts = &c->ports.hosts;
	c->dp.n_ports = c->ports.n;
	for (unsigned i = 0; i < c->ports.n; i++)
		c->dp.ports[i] = &c->ports.all[i];
	for (unsigned i = 0; i < c->ports.n; i++)
		c->dp.bare |= (c->ports.all[i].kind == PORT_UDP ? 1u : 0u) << i;
	c->paths = (struct path_book){ &c->tables, c->dp.tsc_hz, tunnel_path_yields, c };
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0 || (c->main.fd >= 0 && watch(c, c->main.fd, MAIN_EVENT) < 0))
		return START_ERROR(why, errno, "epoll: %s", strerror(errno));
	ret = tables_init(&c->tables, tunnels_max, cpus->n);
	if (ret == 0)
		ret = networks_init(&c->networks, NETWORKS_MOST(tunnels_max));
	if (ret == 0)
		ret = store_init(c, tunnels_max);
	if (ret == 0)
		ret = peers_init(&c->peers, tunnels_max);
	if (ret == 0)
		ret = cores_init(c, cpus);
	if (ret == 0)
		ret = wake_init(c);
	if (ret == 0)
		ret = mirror_init(c);
	if (ret == 0)
		ret = lane_init(c);
	if (ret == 0)
		ret = watcher_init(c);
	if (ret < 0)
		return START_ERROR(why, -ret, "no room for %u tunnels (max-clients) on %u poll cores: %s", tunnels_max, cpus->n,
		                   strerror(-ret));
	c->now = c->sweep_began = rte_rdtsc();
	return 0;
}

void control_wipe(struct control *c)
{
	// Those that were never taken are no memory yet: to write there would make some of gigabytes, and take as long.
	if (c->keys.sets)
		secret_wipe(c->keys.sets, c->keys.touched * sizeof(*c->keys.sets));
}

// ------------------------------------------------------------------------------------------------------------------- main

bool main_offer(struct control *c, enum msg_number number, const void *msg)
{
	int ret = chan_send(&c->main, number, msg, NULL);

	if (ret < 0 && ret != -EAGAIN && ret != -EPIPE)
		log_err("%s: %s", msg_descs[number].name, strerror(-ret));
	return ret == 0;
}

void main_send(struct control *c, enum msg_number number, const void *msg)
{
	struct pollfd p = { .fd = c->main.fd, .events = POLLOUT };
	int ret;

	while ((ret = chan_send(&c->main, number, msg, NULL)) == -EAGAIN) {
		if (poll(&p, 1, MAIN_PATIENCE_MS) == 0) {
			log_err("main has read nothing for %d s: giving up", MAIN_PATIENCE_MS / 1000);
			c->stop = true;
			c->status = EXIT_FAILURE;
			return;
		}
	}
	if (ret < 0 && ret != -EPIPE)
		log_err("%s: %s", msg_descs[number].name, strerror(-ret));
}

static int on_tunnel_add(void *who, const struct msg_tunnel_add *m, const int *fds)
{
	struct control *c = who;
	struct msg_tunnel_reply reply = { .tunnel = m->tunnel, .ok = 1 };
	int lane = chan_take_fd(fds, 0);

	if (tunnel_add(c, m, lane, reply.text) < 0) {
		reply.ok = 0;
		close(lane);
	}
	draft_forget(&c->draft);
	MAIN_SEND(c, TUNNEL_REPLY, &reply);
	return 0;
}

static int on_tunnel_network(void *who, const struct msg_tunnel_network *m, const int *fds)
{
	draft_network(&((struct control *)who)->draft, m);
	return 0;
}

static int on_tunnel_target(void *who, const struct msg_tunnel_target *m, const int *fds)
{
	draft_target(&((struct control *)who)->draft, m);
	return 0;
}

static int on_tunnel_service(void *who, const struct msg_tunnel_service *m, const int *fds)
{
	draft_service(&((struct control *)who)->draft, m);
	return 0;
}

static int on_tunnel_port(void *who, const struct msg_tunnel_port *m, const int *fds)
{
	draft_port(&((struct control *)who)->draft, m);
	return 0;
}

static int on_inner_network(void *who, const struct msg_inner_network *m, const int *fds)
{
	struct control *c = who;
	char text[ADDR_TEXT];

	if (!m->there)
		networks_remove(&c->tables, &c->networks, &m->network, NETWORK_OWN);
	else if (networks_add(&c->networks, &m->network, NETWORK_OWN) < 0)
		log_err("no room for network %s", addr_text_prefix(&m->network, text));
	return 0;
}

static int on_dataplane_set(void *who, const struct msg_dataplane_set *m, const int *fds)
{
	struct control *c = who;

	// cores look at it once a burst
	__atomic_store_n(&c->dp.client_to_client, m->client_to_client, __ATOMIC_RELAXED);
	log_set_level((enum log_level)m->log_level);
	return 0;
}

static int on_tunnel_change(void *who, const struct msg_tunnel_change *m, const int *fds)
{
	struct control *c = who;
	struct msg_tunnel_changed reply = { .token = m->token, .tunnel = m->tunnel };

	reply.ok = tunnel_change(c, m, reply.text) == 0;
	draft_forget(&c->draft);
	MAIN_SEND(c, TUNNEL_CHANGED, &reply);
	return 0;
}

static int on_tunnel_del(void *who, const struct msg_tunnel_del *m, const int *fds)
{
	tunnel_del(who, m->tunnel);
	return 0;
}

static int on_tunnels_ask(void *who, const struct msg_tunnels_ask *m, const int *fds)
{
	inventory_begin(who);
	return 0;
}

static int on_dataplane_stats(void *who, const struct msg_dataplane_stats *m, const int *fds)
{
	report_stats(who, m->token, m->threads);
	return 0;
}

static int on_tunnel_ask(void *who, const struct msg_tunnel_ask *m, const int *fds)
{
	view_tell(who, m->token, m->tunnel);
	return 0;
}

static int on_watch_start(void *who, const struct msg_watch_start *m, const int *fds)
{
	watcher_start(who, m);
	return 0;
}

static int on_watch_stop(void *who, const struct msg_watch_stop *m, const int *fds)
{
	watcher_stop(who, m->token);
	return 0;
}

static int on_telemetry_client(void *who, const struct msg_telemetry_client *m, const int *fds)
{
	struct control *c = who;
	int fd = chan_take_fd(fds, 0), place = telemetry_greet(&c->telemetry, fd);

	if (place < 0)
		log_warn("telemetry client %u: %s", m->client, strerror(-place));
	else if (watch(c, fd, TELEMETRY_EVENT + (unsigned)place) < 0)
		telemetry_drop(&c->telemetry, (unsigned)place);
	return 0;
}

static int on_dataplane_ping(void *who, const struct msg_dataplane_ping *m, const int *fds)
{
	struct control *c = who;

	MAIN_SEND(c, DATAPLANE_PONG, &(struct msg_dataplane_pong){ .number = m->number });
	return 0;
}

#define HANDLERS from_main
#define ON_MAIN_DATAPLANE(...) __VA_ARGS__
#include "proto/handlers.h"

static unsigned serve_main(struct control *c)
{
	int ret = chan_serve(&c->main, from_main, c, MAIN_BURST);

	if (ret > 0)
		return (unsigned)ret;
	if (ret == -EAGAIN)
		return 0;
	c->stop = true;
	if (ret < 0)
		c->status = EXIT_FAILURE;
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------- turn

static unsigned serve_event(struct control *c, uint64_t what)
{
	switch (what) {
	case MAIN_EVENT:
		return serve_main(c);
	case WAKE_EVENT:
		return 1;
	case LINK_EVENT:
		portlink_read(c->links, &c->ports);
		return 0;
	case NEWS_EVENT:
		mirror_read_news(&c->mirror);
		return 0;
	case DUMP_EVENT:
		mirror_read_dump(&c->mirror);
		return 0;
	case TELEMETRY_EVENT ... TELEMETRY_EVENT + TELEMETRY_CLIENTS - 1:
		telemetry_serve(c, (unsigned)(what - TELEMETRY_EVENT));
		return 0;
	default:
		// Its core has to catch up: lanes wait in their sockets.
		if (lane_congested(c, &c->tunnels[what])) {
			usleep(WAIT_MOVING_NS / 1000);
			return 1;
		}
		return lane_read(c, &c->tunnels[what]);
	}
}

static unsigned serve_events(struct control *c, int64_t wait_ns)
{
	struct timespec ts = { 0, wait_ns };
	struct epoll_event events[EVENTS_MAX];
	unsigned moved = 0;
	int n;

	n = epoll_pwait2(c->epoll, events, EVENTS_MAX, &ts, NULL);
	c->now = rte_rdtsc();
	for (int i = 0; i < n; i++)
		moved += serve_event(c, events[i].data.u64);
	return moved;
}

int control_turn(struct control *c, int64_t wait_ns)
{
	unsigned moved;

	moved = serve_events(c, RTE_MIN(wait_ns, sweep_wait_ns(c)));
	moved += lane_turn(c);
	moved += tunnel_turn(c);
	moved += inventory_turn(c);
	sweep_turn(c);
	mirror_turn(&c->mirror, c->now);
	watcher_turn(c);
	report_sample(c);
	report_latency(c);
	cores_wake(c);
	return (int)moved;
}

static bool nothing_waits(const struct control *c)
{
	for (unsigned i = 0; i < c->dp.n_cores; i++)
		if (!rte_ring_empty(c->dp.cores[i]->to_control) || !rte_ring_empty(c->dp.cores[i]->released))
			return false;
	return c->tables.limbo.n == 0;
}

static int turn_asleep(struct control *c)
{
	bool nothing;
	int moved;

	wake_arm(&c->wake);
	nothing = nothing_waits(c);
	moved = control_turn(c, nothing ? WAIT_ASLEEP_NS : 0);
	wake_disarm(&c->wake);
	return moved;
}

int control_run(struct control *c)
{
	const uint64_t ms = c->dp.tsc_hz / 1000;
	uint64_t quiet;
	int moved;

	while (!c->stop) {
		quiet = (c->now - c->moved) / ms;
		if (quiet > AWAKE_MS && !c->dp.watched)
			moved = turn_asleep(c);
		else
			moved = control_turn(c, quiet < MOVING_MS ? WAIT_MOVING_NS : WAIT_IDLE_NS);
		if (moved > 0)
			c->moved = c->now;
	}
	return c->status;
}
