// flood [OPTION]... ATTACK SERVER PORT: see usage().
#include "flood.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct wishes wish = { .seconds = 5, .connections = 500, .places = 1, .interface = "eth0", .user = "anna" };
struct counts counts;
double now;

static void usage(void)
{
	fputs("flood [-s SECONDS] [-n CONNECTIONS] [-r A_SECOND] [-p PLACES] [-i SESSION_ID]... [-d INTERFACE] [-u USER] [-1] "
	      "ATTACK SERVER PORT\n"
	      "\n"
	      "UDP, from addresses of 100.64.0.0/10 that are not its own:\n"
	      "  hello             DTLS ClientHellos with session ids that nobody has\n"
	      "  hello-known       with those of -i\n"
	      "  hello-fragments   in fragments of the handshake\n"
	      "  ip-fragments      in fragments of IP of which only the first come\n"
	      "  garbage           anything\n"
	      "TCP, from PLACES addresses of 198.18.0.0/15 or networks 2001:db8:4000:N::/64, CONNECTIONS at one time:\n"
	      "  silent            send nothing\n"
	      "  half-hello        half a ClientHello\n"
	      "  hellos            a ClientHello, and hang up on the answer\n"
	      "  handshakes        whole TLS handshakes, and hang up\n"
	      "  record            after the handshake the beginning of a TLS record\n"
	      "  headers body chunks  HTTP that comes byte by byte\n"
	      "  post              a body without end\n"
	      "  unread            requests whose answers are not read\n"
	      "  aborts            hang up when the password has been sent\n"
	      "  spray             wrong passwords\n"
	      "With -1 nobody comes a second time, and it ends when all have been sent away.\n"
	      "It prints what it did as one line of JSON.\n",
	      stderr);
	exit(2);
}

void clock_read(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

// The same numbers each time.
uint32_t random_below(uint32_t n)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return n ? (uint32_t)((x >> 32) % n) : 0;
}

socklen_t place(unsigned n, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = wish.server.ss_family;
	if (out->ss_family == AF_INET) {
		v4->sin_addr.s_addr = htonl(0xc6120001 + n);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, "2001:db8:4000::1", &v6->sin6_addr);
	v6->sin6_addr.s6_addr[6] = (uint8_t)(n >> 8);
	v6->sin6_addr.s6_addr[7] = (uint8_t)n;
	return sizeof(*v6);
}

static void take_id(const char *hex)
{
	if (wish.n_ids == IDS_MAX || strlen(hex) != 64)
		usage();
	for (int i = 0; i < 32; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &wish.ids[wish.n_ids][i]) != 1)
			usage();
	wish.n_ids++;
}

static void take_server(const char *host, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&wish.server;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&wish.server;

	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		wish.server_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(port));
		wish.server_len = sizeof(*v6);
	} else {
		usage();
	}
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n > 1000000)
		usage();
	return (unsigned)n;
}

static void report(const char *attack, double seconds)
{
	printf("{\"attack\": \"%s\", \"seconds\": %.1f, \"made\": %llu, \"a_second\": %.0f, \"bytes_out\": %llu, \"bytes_in\": "
	       "%llu, "
	       "\"refused\": %llu, \"ended\": %llu, \"answers\": %llu, \"let_in\": %llu, \"open\": %u, \"shortest\": %.1f, "
	       "\"longest\": %.1f}\n",
	       attack, seconds, (unsigned long long)counts.made, (double)counts.made / seconds,
	       (unsigned long long)counts.bytes_out, (unsigned long long)counts.bytes_in, (unsigned long long)counts.refused,
	       (unsigned long long)counts.ended, (unsigned long long)counts.answers, (unsigned long long)counts.let_in, counts.open,
	       counts.first_end, counts.last_end);
}

int main(int argc, char **argv)
{
	double began;
	int o, ret;

	while ((o = getopt(argc, argv, "s:n:r:p:i:d:u:1")) != -1) {
		switch (o) {
		case 's':
			wish.seconds = number(optarg);
			break;
		case 'n':
			wish.connections = number(optarg);
			break;
		case 'r':
			wish.rate = number(optarg);
			break;
		case 'p':
			wish.places = number(optarg);
			break;
		case 'i':
			take_id(optarg);
			break;
		case 'd':
			wish.interface = optarg;
			break;
		case '1':
			wish.once = true;
			break;
		case 'u':
			wish.user = optarg;
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 3 || !wish.seconds || !wish.places || !wish.connections)
		usage();
	take_server(argv[optind + 1], argv[optind + 2]);
	signal(SIGPIPE, SIG_IGN);
	alarm(wish.seconds + 30); // whatever happens
	clock_read();
	began = now;
	ret = datagrams_run(argv[optind]);
	if (ret < 0)
		ret = streams_run(argv[optind]);
	if (ret < 0)
		usage();
	clock_read();
	report(argv[optind], now - began);
	return 0;
}
