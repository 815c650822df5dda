#include "portfd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"

// The driver fills its ring at once; the default would let some 100 frames through.
#define PACKET_SEND_BUFFER (8 << 20)
#define SEEN_MAX 256

void portfd_each(void (*visit)(int fd, void *arg), void *arg)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			visit(atoi(e->d_name), arg);
	if (d)
		closedir(d);
}

// Frames for this host that are UDP to our port, and fragments of UDP to any: their first ones tell which datagrams are ours.
// Whole, else nothing.
static void attach_filter(int fd, uint16_t port)
{
	struct sock_filter code[] = {
		/*  0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		/*  1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 18),
		/*  2 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		/*  3 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 7),
		/*  4 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
		/*  5 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 14),
		/*  6 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
		/*  7 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 11, 0),
		/*  8 */ BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
		/*  9 */ BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
		/* 10 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 8, 9),
		/* 11 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 0, 8),
		/* 12 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
		/* 13 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 3, 0),
		/* 14 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_FRAGMENT, 0, 5),
		/* 15 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
		/* 16 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 2, 3),
		/* 17 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 56),
		/* 18 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		/* 19 */ BPF_STMT(BPF_RET | BPF_K, 0x40000),
		/* 20 */ BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	// Without the filter everything works, with more copies.
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		log_warn("packet socket: no filter: %s", strerror(errno));
}

static bool is_socket(int fd, int wanted)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == wanted;
}

static bool is_tap(int fd)
{
	char link[32], target[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = 0;
	return strcmp(target, "/dev/net/tun") == 0;
}

static void tune_packet_socket(int fd, void *arg)
{
	int room = PACKET_SEND_BUFFER;

	if (!is_socket(fd, AF_PACKET))
		return;
	attach_filter(fd, *(uint16_t *)arg);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

void portfd_tune_packet_sockets(uint16_t udp_port)
{
	portfd_each(tune_packet_socket, &udp_port);
}

static void quiet_tap(int fd, void *arg)
{
	int flags;

	if (!is_tap(fd))
		return;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_ASYNC) < 0)
		log_warn("TAP: %s", strerror(errno));
}

void portfd_quiet_taps(void)
{
	portfd_each(quiet_tap, NULL);
}

// What the ports opened so far have.
static struct {
	int fd[SEEN_MAX];
	unsigned n;
} seen;

static bool is_new(int fd)
{
	for (unsigned i = 0; i < seen.n; i++)
		if (seen.fd[i] == fd)
			return false;
	if (seen.n < SEEN_MAX)
		seen.fd[seen.n++] = fd;
	return true;
}

struct collecting {
	int fd[SEEN_MAX];
	unsigned n;
};

static void collect(int fd, void *arg)
{
	struct collecting *c = arg;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (c->n == SEEN_MAX || !(is_socket(fd, AF_PACKET) || is_socket(fd, AF_XDP) || is_tap(fd)) || !is_new(fd))
		return;
	// The driver keeps one descriptor that only holds the TAP: no queue, and forever in error.
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR))
		return;
	c->fd[c->n++] = fd;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void portfd_of_port(struct port *p)
{
	struct collecting c = { .n = 0 };

	portfd_each(collect, &c);
	// Receive queues were set up first, one after the other; what follows are copies for sending.
	qsort(c.fd, c.n, sizeof(*c.fd), by_number);
	for (unsigned q = 0; q < QUEUES_MAX; q++)
		p->wait[q] = q < p->rx_queues && q < c.n ? c.fd[q] : -1;
}

static void pass_over(int fd, void *arg)
{
	is_new(fd);
}

void portfd_pass_over(void)
{
	portfd_each(pass_over, NULL);
}
