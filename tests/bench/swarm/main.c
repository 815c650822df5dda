// Thousands of OpenConnect clients in one process, for testbeds: TLS, login, CONNECT, DTLS with the key of PSK-NEGOTIATE, packets.
// It works on any OpenConnect-compatible server.
//
//   swarm [OPTION...] HOST PORT USER PASSWORD
//     -n N          clients (100)
//     -a NETWORK    their addresses, as 198.18.0.0/15, local to this machine: ip route add local NETWORK dev lo
//     -e ADDRESS    what answers echoes behind the gateway (10.99.0.1)
//     -p N          logins at once (64); who has a cookie comes back whenever it likes
//     -d N          deeds a second while it churns (100)
//     -s SEED       of what it does at random; said at the beginning
//     -t S          patience with each command (120)
//     -c            CSTP only, no DTLS
//
// Then it reads commands, a line each, and answers each with a line of JSON when it is done or patience is over ("ok" says which):
//     up [N]        N clients (all) log in and get their DTLS
//     ping          each gets an answer to an echo through its tunnel, that is its own
//     return [N]    N (all) connections are cut off by the other side, and all clients come back by their cookies
//     cut           it cuts them all off itself, and all come back
//     churn [S]     S (10) seconds of deeds at random: then all who are to be up are up
//     udp           who has done without DTLS gets it again
//     down          all say goodbye
//     counts        nothing
// It goes when standard input ends.
#include "swarm.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 10

struct wishes wish = { .clients = 100, .at_once = 64, .deeds = 100, .patience = 120 };
struct counts counts;
struct client *swarm;

static int network_read(const char *text)
{
	char address[INET_ADDRSTRLEN] = "";
	struct in_addr in;
	unsigned bits = 0;

	if (sscanf(text, "%15[0-9.]/%u", address, &bits) != 2 || bits < 1 || bits > 30 || inet_pton(AF_INET, address, &in) != 1)
		return -1;
	wish.addresses = 1u << (32 - bits);
	wish.network = ntohl(in.s_addr) & ~(wish.addresses - 1);
	return 0;
}

static int options_read(int argc, char **argv)
{
	const char *network = "198.18.0.0/15", *echo = "10.99.0.1";
	int c;

	wish.seed = (uint64_t)time(NULL);
	while ((c = getopt(argc, argv, "n:a:e:p:d:s:t:c")) != -1) {
		wish.clients = c == 'n' ? (unsigned)atoi(optarg) : wish.clients;
		network = c == 'a' ? optarg : network;
		echo = c == 'e' ? optarg : echo;
		wish.at_once = c == 'p' ? (unsigned)atoi(optarg) : wish.at_once;
		wish.deeds = c == 'd' ? (unsigned)atoi(optarg) : wish.deeds;
		wish.seed = c == 's' ? strtoull(optarg, NULL, 0) : wish.seed;
		wish.patience = c == 't' ? (unsigned)atoi(optarg) : wish.patience;
		wish.no_dtls |= c == 'c';
		if (c == '?')
			return -1;
	}
	if (argc - optind != 4 || network_read(network) < 0 || inet_pton(AF_INET, echo, &wish.echo) != 1)
		return -1;
	argv += optind;
	wish.host = argv[0];
	wish.server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])) };
	wish.user = argv[2];
	wish.password = argv[3];
	if (wish.clients < 1 || wish.clients > wish.addresses || wish.at_once < 1 || wish.deeds < 1)
		return -1;
	return inet_pton(AF_INET, wish.host, &wish.server.sin_addr) == 1 ? 0 : -1;
}

static int prepare(void)
{
	struct rlimit files;
	unsigned i;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < wish.clients + 64)
		fprintf(stderr, "only %lu descriptors for %u clients: ulimit -n\n", files.rlim_max, wish.clients);
	signal(SIGPIPE, SIG_IGN);
	swarm = calloc(wish.clients, sizeof(*swarm));
	if (!swarm)
		return -1;
	for (i = 0; i < wish.clients; i++)
		swarm[i].fd = -1;
	return tls_prepare() < 0 || dtls_prepare() < 0 ? -1 : 0;
}

static void read_commands(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&in, 1, 0) > 0)
		command_read();
}

int main(int argc, char **argv)
{
	if (options_read(argc, argv) < 0) {
		fprintf(stderr,
		        "usage: %s [-n CLIENTS] [-a NETWORK] [-e ADDRESS] [-p AT_ONCE] [-d DEEDS] [-s SEED] [-t S] [-c] IPV4 PORT "
		        "USER PASSWORD\n",
		        argv[0]);
		return 2;
	}
	if (prepare() < 0) {
		perror("swarm");
		return 2;
	}
	fprintf(stderr, "seed %lu\n", wish.seed);
	while (!command_ended()) {
		loop_turn(TURN_MS);
		loop_tick();
		churn_tick();
		read_commands();
		command_tick();
	}
	return 0;
}
