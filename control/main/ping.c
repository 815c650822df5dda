#include "control/main/ping.h"

#include <event2/event.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "control/main/gateway.h"
#include "proto/err.h"
#include "proto/secret.h"

#define ANSWER_MS 300     // in a LAN an answer takes a few, with ARP before it
#define INTERFACES_MAX 16 // that are asked
#define READ_BURST 32

// Both families have the same header: type, code, checksum, id, sequence.
struct echo {
	struct icmphdr header;
	uint64_t nonce; // who does not hear the question cannot answer it
};

struct ping {
	TAILQ_ENTRY(ping) all;
	struct gateway *g;
	struct addr ip;
	struct echo echo;
	struct event timer;
	void (*ended)(void *who, bool answered);
	void *who;
};

// A socket for each family while it is needed.
struct pings {
	TAILQ_HEAD(ping_list, ping) list;
	struct side {
		struct gateway *g;
		int fd; // -1: closed
		struct event readable;
		unsigned users;
	} side[2]; // IPv4, IPv6
	uint16_t id, sequence;
};

static struct side *side_of(struct pings *all, int family)
{
	return &all->side[family == 6];
}

// --------------------------------------------------------------------------------------------------------------- sockets

// Only answers with our id: a stranger's flood stays in the kernel.
static int filter_set(int fd, int family, uint16_t id)
{
	struct sock_filter v4[] = {
		{ BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0 }, // over the IP header
		{ BPF_LD | BPF_B | BPF_IND, 0, 0, 0 },  { BPF_JMP | BPF_JEQ | BPF_K, 0, 3, ICMP_ECHOREPLY },
		{ BPF_LD | BPF_H | BPF_IND, 0, 0, 4 },  { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, id },
		{ BPF_RET | BPF_K, 0, 0, UINT32_MAX },  { BPF_RET | BPF_K, 0, 0, 0 },
	};
	struct sock_filter v6[] = {
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0, 0 }, { BPF_JMP | BPF_JEQ | BPF_K, 0, 3, ICMP6_ECHO_REPLY },
		{ BPF_LD | BPF_H | BPF_ABS, 0, 0, 4 }, { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, id },
		{ BPF_RET | BPF_K, 0, 0, UINT32_MAX }, { BPF_RET | BPF_K, 0, 0, 0 },
	};
	const struct sock_fprog answers = family == 6 ? (struct sock_fprog){ 6, v6 } : (struct sock_fprog){ 7, v4 };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &answers, sizeof(answers)) < 0 ? -errno : 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg);

static int side_open(struct pings *all, struct gateway *g, int family)
{
	struct side *s = side_of(all, family);
	int ret;

	if (s->users++)
		return 0;
	s->g = g;
	s->fd = family == 6 ? socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6)
	                    : socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	ret = s->fd < 0 ? -errno : filter_set(s->fd, family, all->id);
	if (ret == 0) {
		event_assign(&s->readable, g->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
		if (event_add(&s->readable, NULL) == 0)
			return 0;
		ret = -ENOMEM;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->users--;
	return ret;
}

static void side_close(struct pings *all, int family)
{
	struct side *s = side_of(all, family);

	if (--s->users)
		return;
	event_del(&s->readable);
	close(s->fd);
}

// -------------------------------------------------------------------------------------------------------------- question

static uint16_t checksum(const struct echo *e)
{
	uint16_t words[sizeof(*e) / 2];
	uint32_t sum = 0;

	memcpy(words, e, sizeof(*e));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

// By this interface, whatever routes say of the others. An interface without a way there is no error.
static void ask_by(const struct ping *p, int fd, unsigned interface)
{
	struct sockaddr_storage to;
	struct iovec data = { (void *)&p->echo, sizeof(p->echo) };
	union {
		struct cmsghdr aligned;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct msghdr m = { .msg_name = &to,
		            .msg_namelen = addr_to_sockaddr(&p->ip, &to),
		            .msg_iov = &data,
		            .msg_iovlen = 1,
		            .msg_control = &control,
		            .msg_controllen = sizeof(control) };
	struct in_pktinfo v4 = { .ipi_ifindex = (int)interface };
	struct in6_pktinfo v6 = { .ipi6_ifindex = interface };
	bool is6 = p->ip.family == 6;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = is6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = is6 ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = is6 ? CMSG_LEN(sizeof(v6)) : CMSG_LEN(sizeof(v4));
	memcpy(CMSG_DATA(c), is6 ? (void *)&v6 : (void *)&v4, is6 ? sizeof(v6) : sizeof(v4));
	m.msg_controllen = is6 ? CMSG_SPACE(sizeof(v6)) : CMSG_SPACE(sizeof(v4));
	sendmsg(fd, &m, MSG_DONTWAIT);
}

static void ask(const struct ping *p, int fd)
{
	struct if_nameindex *all = if_nameindex();
	unsigned n = 0;

	for (struct if_nameindex *i = all; i && i->if_index && n < INTERFACES_MAX; i++) {
		if (strcmp(i->if_name, "lo") == 0 || strcmp(i->if_name, p->g->inner) == 0)
			continue;
		ask_by(p, fd, i->if_index);
		n++;
	}
	if (all)
		if_freenameindex(all);
}

// ---------------------------------------------------------------------------------------------------------------- answer

static void over(struct ping *p, bool answered)
{
	void (*ended)(void *who, bool answered) = p->ended;
	void *who = p->who;

	ping_cancel(p);
	ended(who, answered);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	over(arg, false);
}

static void answer_take(struct gateway *g, const uint8_t *data, size_t len, const struct addr *from)
{
	struct ping *p;
	struct echo e;

	if (from->family == 4 && len > 0) {
		size_t header = (size_t)(data[0] & 15) * 4;

		if (header > len)
			return;
		data += header;
		len -= header;
	}
	if (len < sizeof(e))
		return;
	memcpy(&e, data, sizeof(e));
	TAILQ_FOREACH(p, &g->pings->list, all)
	if (p->echo.header.un.echo.sequence == e.header.un.echo.sequence && p->echo.nonce == e.nonce && addr_equal(&p->ip, from)) {
		over(p, true);
		return;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct side *s = arg;
	struct gateway *g = s->g;
	struct sockaddr_storage sa;
	uint8_t data[512];
	struct addr from;
	ssize_t n;

	// each answer may be the last that anybody waits for
	for (int i = 0; i < READ_BURST && g->pings && s->users; i++) {
		socklen_t size = sizeof(sa);

		n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&sa, &size);
		if (n < 0)
			return;
		addr_from_sockaddr((struct sockaddr *)&sa, &from);
		answer_take(g, data, (size_t)n, &from);
	}
}

// ------------------------------------------------------------------------------------------------------------------- all

static struct pings *pings_get(struct gateway *g)
{
	struct pings *all = g->pings ? g->pings : calloc(1, sizeof(*all));

	if (!all || g->pings)
		return all;
	if (secret_random(&all->id, sizeof(all->id)) < 0) {
		free(all);
		return NULL;
	}
	TAILQ_INIT(&all->list);
	g->pings = all;
	return all;
}

struct ping *ping_start(struct gateway *g, const struct addr *ip, void (*ended)(void *who, bool answered), void *who)
{
	const struct timeval limit = { .tv_usec = ANSWER_MS * 1000 };
	struct pings *all = pings_get(g);
	struct ping *p = all ? calloc(1, sizeof(*p)) : NULL;
	int ret = p ? secret_random(&p->echo.nonce, sizeof(p->echo.nonce)) : -ENOMEM;

	if (ret == 0)
		ret = side_open(all, g, ip->family);
	if (ret < 0) {
		free(p);
		errno = -ret;
		return NULL;
	}
	p->g = g;
	p->ip = *ip;
	p->ended = ended;
	p->who = who;
	p->echo.header.type = ip->family == 6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	p->echo.header.un.echo.id = htons(all->id);
	p->echo.header.un.echo.sequence = htons(++all->sequence);
	p->echo.header.checksum = ip->family == 6 ? 0 : checksum(&p->echo); // the kernel does IPv6's
	TAILQ_INSERT_TAIL(&all->list, p, all);
	ask(p, side_of(all, ip->family)->fd);
	evtimer_assign(&p->timer, g->base, on_timer, p);
	evtimer_add(&p->timer, &limit);
	return p;
}

void ping_cancel(struct ping *p)
{
	if (!p)
		return;
	evtimer_del(&p->timer);
	TAILQ_REMOVE(&p->g->pings->list, p, all);
	side_close(p->g->pings, p->ip.family);
	free(p);
}

void pings_close(struct gateway *g)
{
	struct ping *p;

	if (!g->pings)
		return;
	while ((p = TAILQ_FIRST(&g->pings->list)))
		ping_cancel(p);
	free(g->pings);
	g->pings = NULL;
}
