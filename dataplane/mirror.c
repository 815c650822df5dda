// Routes are read anew whenever one has changed: what a notification says of a list of routes with metrics, replacements and
// appendices is easily misread, and the kernel's answer is not. Neighbours change often, one by one, and are kept.
#include "mirror.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"

// So many datagrams of the kernel's, of its own size at most, before others have their turn.
#define READS 16
#define READ_ROOM 32768
// Changes come in heaps: routes are asked for so long after the first.
#define ASKS_A_SECOND 10
#define NEWS_BUFFER (1 << 20)
// Pictures that wait for their grace period; then changes wait.
#define UNBURIED_MAX 4

// -------------------------------------------------------------------------------------------------------------------- open

static int socket_open(unsigned groups)
{
	struct sockaddr_nl us = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), room = NEWS_BUFFER, ret;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&us, sizeof(us)) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

int mirror_open(struct mirror *m, struct forwarding *to, struct tables *tables, const struct port *tap, uint64_t hz)
{
	*m = (struct mirror){
		.to = to, .tables = tables, .index = tap->index, .hz = hz, .routes_due = true, .neighbours_due = true
	};
	to->nic = tap->beside;
	to->mtu = tap->beside->mtu;
	to->routes = fib_new(NULL, 0);
	to->neighbours = neighbours_new(NULL, 0);
	if (!to->routes || !to->neighbours)
		return -ENOMEM;
	m->dump = socket_open(0);
	if (m->dump < 0)
		return m->dump;
	m->news = socket_open(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	return m->news < 0 ? m->news : 0;
}

// ----------------------------------------------------------------------------------------------------------------- publish

static void bury_routes(void *who, void *what)
{
	((struct mirror *)who)->unburied--;
	fib_free(what);
}

static void bury_neighbours(void *who, void *what)
{
	((struct mirror *)who)->unburied--;
	neighbours_free(what);
}

static void publish_routes(struct mirror *m)
{
	struct fib *new = fib_new(m->routes, m->full ? 0 : m->n_routes);
	const struct fib *old = m->to->routes;

	free(m->routes);
	m->routes = NULL;
	m->n_routes = m->room = 0;
	if (!new) {
		log_err("no memory for the kernel's routes: those that were there stay in use");
		return;
	}
	m->unburied++;
	__atomic_store_n(&m->to->routes, new, __ATOMIC_RELEASE);
	limbo_put(m->tables, bury_routes, m, (void *)(uintptr_t)old);
}

static void publish_neighbours(struct mirror *m)
{
	struct neighbours *new = neighbours_new(m->neighbours, m->n_neighbours);
	const struct neighbours *old = m->to->neighbours;

	if (!new)
		return; // the next change tries again
	m->neighbours_new = false;
	m->unburied++;
	__atomic_store_n(&m->to->neighbours, new, __ATOMIC_RELEASE);
	limbo_put(m->tables, bury_neighbours, m, (void *)(uintptr_t)old);
}

// ------------------------------------------------------------------------------------------------------------ what is said

static void take_neighbour(struct mirror *m, const struct rtnl_neighbour *n, bool gone)
{
	unsigned i = 0;

	if (n->index != m->index)
		return;
	while (i < m->n_neighbours && (m->neighbours[i].family != n->family || memcmp(m->neighbours[i].ip, n->ip, 16) != 0))
		i++;
	m->neighbours_new = true;
	if (gone || !n->usable) {
		if (i < m->n_neighbours)
			m->neighbours[i] = m->neighbours[--m->n_neighbours];
		return;
	}
	if (i == NEIGHBOURS_MAX)
		return;
	m->n_neighbours += i == m->n_neighbours;
	m->neighbours[i] = (struct neighbour){ .family = n->family, .stale = n->stale };
	memcpy(m->neighbours[i].mac, n->mac, sizeof(n->mac));
	memcpy(m->neighbours[i].ip, n->ip, sizeof(n->ip));
}

static void take_route(struct mirror *m, const struct rtnl_route *r)
{
	struct fib_route *more;

	if ((!r->local && !r->main) || m->full)
		return;
	if (m->n_routes == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		more = m->room <= FIB_ROUTES_MAX ? realloc(m->routes, m->room * sizeof(*m->routes)) : NULL;
		if (!more) {
			m->full = true;
			log_warn("the kernel has more than %u routes: it forwards everything by itself", m->n_routes);
			return;
		}
		m->routes = more;
	}
	m->routes[m->n_routes] = (struct fib_route){
		.family = r->family,
		.prefix = r->prefix,
		.local = r->local,
		.ours = r->unicast && r->index == m->index,
		.direct = !r->has_via,
		.metric = r->metric,
	};
	memcpy(m->routes[m->n_routes].to, r->to, sizeof(r->to));
	memcpy(m->routes[m->n_routes++].via, r->via, sizeof(r->via));
}

void mirror_take_news(struct mirror *m, const struct rtnl *msg)
{
	if (msg->kind == RTNL_NEIGHBOUR)
		take_neighbour(m, &msg->neighbour, msg->gone);
	else if (msg->kind == RTNL_ROUTE || (msg->kind == RTNL_LINK && msg->link.index == m->index))
		m->routes_due = true;
}

static void dump_ends(struct mirror *m, bool routes)
{
	m->asking = false;
	if (m->torn && routes)
		m->routes_due = true;
	if (m->torn && !routes)
		m->neighbours_due = true;
	if (!m->torn && routes)
		publish_routes(m);
	free(m->routes);
	m->routes = NULL;
	m->n_routes = m->room = 0;
}

void mirror_take_dump(struct mirror *m, const struct rtnl *msg)
{
	if (!m->asking || msg->sequence != m->sequence)
		return;
	m->torn = m->torn || msg->interrupted || msg->kind == RTNL_ERROR;
	if (msg->kind == RTNL_NEIGHBOUR)
		take_neighbour(m, &msg->neighbour, false);
	else if (msg->kind == RTNL_ROUTE)
		take_route(m, &msg->route);
	else if (msg->kind == RTNL_DONE || msg->kind == RTNL_ERROR)
		dump_ends(m, m->sequence % 2);
}

// -------------------------------------------------------------------------------------------------------------------- read

// False: the kernel had more to say than the socket holds.
static bool socket_read(struct mirror *m, int fd, void (*take)(struct mirror *m, const struct rtnl *msg))
{
	uint8_t buf[READ_ROOM];
	struct rtnl msg;
	ssize_t n;
	size_t at;

	for (unsigned i = 0; i < READS; i++) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			return n == 0 || errno != ENOBUFS;
		for (at = 0; rtnl_next(buf, (size_t)n, &at, &msg);)
			take(m, &msg);
	}
	return true;
}

void mirror_read_news(struct mirror *m)
{
	if (socket_read(m, m->news, mirror_take_news))
		return;
	m->routes_due = true;
	m->neighbours_due = true;
}

void mirror_read_dump(struct mirror *m)
{
	if (!socket_read(m, m->dump, mirror_take_dump))
		m->torn = true;
}

// --------------------------------------------------------------------------------------------------------------------- ask

// Odd numbers ask for routes, even ones for neighbours.
static void ask(struct mirror *m, bool routes)
{
	struct {
		struct nlmsghdr head;
		union {
			struct rtmsg route;
			struct ndmsg neighbour;
		} body;
	} q = { .head = { .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };

	q.head.nlmsg_type = routes ? RTM_GETROUTE : RTM_GETNEIGH;
	q.head.nlmsg_len = NLMSG_LENGTH(routes ? sizeof(q.body.route) : sizeof(q.body.neighbour));
	q.head.nlmsg_seq = m->sequence = (m->sequence | 1) + (routes ? 2 : 1);
	if (send(m->dump, &q, q.head.nlmsg_len, MSG_DONTWAIT) < 0)
		return; // the next turn tries again
	m->asking = true;
	m->torn = m->full = false;
	if (routes) {
		m->routes_due = false;
		return;
	}
	m->neighbours_due = false;
	m->neighbours_new = true;
	m->n_neighbours = 0;
}

void mirror_turn(struct mirror *m, uint64_t now)
{
	if (!m->to || m->unburied > UNBURIED_MAX)
		return;
	if (m->neighbours_new)
		publish_neighbours(m);
	if (m->asking || (!m->routes_due && !m->neighbours_due) || now < m->ask_at)
		return;
	m->ask_at = now + m->hz / ASKS_A_SECOND;
	ask(m, !m->neighbours_due);
}
