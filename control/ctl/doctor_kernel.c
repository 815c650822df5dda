// The doctor on the kernel: what it forwards and translates, its limits, and what it can do.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_tree.h"

#define CLIENTS_DEFAULT 8192
#define FILES_OF_CLIENT 4 // main has three of each, and some to spare
#define CONNTRACK_FULL 80 // percent

static long long max_clients(const struct doctor *d)
{
	char text[32];
	long long n = conf_nth(d->conf, "max-clients", 0, text, sizeof(text)) ? atoll(text) : 0;

	return n > 0 ? n : CLIENTS_DEFAULT;
}

// ------------------------------------------------------------------------------------------------------------- forwarding

static void say_forwarding(struct doctor *d, const char *option, const char *family, const char *sysctl, const char *path)
{
	char network[64], fix[128];

	if (!conf_any(d->conf, option, 0, network, sizeof(network)))
		return;
	snprintf(fix, sizeof(fix), "sysctl %s=1, and the same in /etc/sysctl.d/", sysctl);
	if (tree_number(d, "%s", path) == 1)
		doctor_say(d, DOCTOR_OK, "", "the kernel forwards %s", family);
	else
		doctor_say(d, DOCTOR_WARN, fix, "the kernel does not forward %s: clients reach this machine and nothing behind it",
		           family);
}

// What comes in by one of several ways out may not go back by it.
static void say_rp_filter(struct doctor *d)
{
	char device[16], name[32];

	if (tree_number(d, "/proc/sys/net/ipv4/conf/all/rp_filter") != 1)
		return;
	snprintf(name, sizeof(name), "%s0", conf_nth(d->conf, "device", 0, device, sizeof(device)) ? device : "vpns");
	doctor_say(d, DOCTOR_WARN, "sysctl net.ipv4.conf.all.rp_filter=2",
	           "net.ipv4.conf.all.rp_filter is strict: with several ways out, or networks behind clients, packets of %s are "
	           "dropped without a word",
	           name);
}

void doctor_forwarding(struct doctor *d)
{
	say_forwarding(d, "ipv4-network", "IPv4", "net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward");
	say_forwarding(d, "ipv6-network", "IPv6", "net.ipv6.conf.all.forwarding", "/proc/sys/net/ipv6/conf/all/forwarding");
	say_rp_filter(d);
}

// RFC 1918, and what RFC 6598 has for carriers.
static bool is_private(const char *network)
{
	struct in_addr in;
	char ip[INET_ADDRSTRLEN];
	uint32_t a;

	snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(network, "/"), network);
	if (inet_pton(AF_INET, ip, &in) != 1)
		return false;
	a = ntohl(in.s_addr);
	return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 22 == 0x64400000 >> 22;
}

void doctor_nat(struct doctor *d)
{
	char *const argv[] = { "nft", "list", "ruleset", NULL };
	char network[64], *text;
	int status = 0;

	if (!d->run || !conf_any(d->conf, "ipv4-network", 0, network, sizeof(network)) || !is_private(network))
		return;
	text = d->run(argv, &status);
	if (!text || status != 0)
		doctor_say(d, DOCTOR_OK, "", "%s is private, and nft cannot be asked whether it is translated", network);
	else if (strstr(text, "masquerade") || strstr(text, "snat") || strstr(text, "MASQUERADE") || strstr(text, "SNAT"))
		doctor_say(d, DOCTOR_OK, "", "there is a rule for source NAT");
	else
		doctor_say(d, DOCTOR_WARN, "a route back from the networks behind, or a masquerade rule (doc/operations.md)",
		           "%s is private, and no rule translates it: answers come back only where there is a route to it",
		           network);
	free(text);
}

void doctor_conntrack(struct doctor *d)
{
	long long count = tree_number(d, "/proc/sys/net/netfilter/nf_conntrack_count");
	long long max = tree_number(d, "/proc/sys/net/netfilter/nf_conntrack_max");

	if (count < 0 || max <= 0)
		doctor_say(d, DOCTOR_OK, "", "the kernel tracks none");
	else if (count * 100 >= max * CONNTRACK_FULL)
		doctor_say(d, DOCTOR_WARN, "sysctl net.netfilter.nf_conntrack_max=1048576, and the same in /etc/sysctl.d/",
		           "%lld of %lld connections: the next ones are dropped", count, max);
	else
		doctor_say(d, DOCTOR_OK, "", "%lld of %lld connections", count, max);
}

// ---------------------------------------------------------------------------------------------------------------- limits

void doctor_limits(struct doctor *d)
{
	long long clients = max_clients(d), files = tree_number(d, "/proc/sys/fs/nr_open"),
	          pids = tree_number(d, "/proc/sys/kernel/pid_max");
	bool enough = true;

	if (files >= 0 && files < clients * FILES_OF_CLIENT) {
		doctor_say(d, DOCTOR_FAIL, "sysctl fs.nr_open=1048576", "fs.nr_open is %lld: too few descriptors for %lld clients",
		           files, clients);
		enough = false;
	}
	if (pids >= 0 && pids < clients + clients / 4) {
		doctor_say(d, DOCTOR_FAIL, "sysctl kernel.pid_max=4194304",
		           "kernel.pid_max is %lld: each of %lld clients has a process", pids, clients);
		enough = false;
	}
	if (enough)
		doctor_say(d, DOCTOR_OK, "", "descriptors and processes are enough for %lld clients", clients);
}

void doctor_kernel(struct doctor *d)
{
	char release[64], kernel[16];
	int major = 0, minor = 0;

	if (!tree_has(d, "/dev/net/tun"))
		doctor_say(d, DOCTOR_FAIL, "modprobe tun; in a container: give it /dev/net/tun",
		           "there is no /dev/net/tun: no interface can be made");
	if (conf_nth(d->conf, "nic-kernel", 0, kernel, sizeof(kernel)) && strcmp(kernel, "vhost") == 0 &&
	    !tree_has(d, "/dev/vhost-net"))
		doctor_say(d, DOCTOR_FAIL, "modprobe vhost_net", "nic-kernel = vhost, and there is no /dev/vhost-net");
	if (!tree_read(d, release, sizeof(release), "/proc/sys/kernel/osrelease") || sscanf(release, "%d.%d", &major, &minor) != 2)
		return;
	if (major > 6 || (major == 6 && minor >= 2))
		doctor_say(d, DOCTOR_OK, "", "Linux %s, with segments of TCP and UDP on TAPs (TSO, USO)", release);
	else
		doctor_say(d, DOCTOR_OK, "", "Linux %s, with segments of TCP on TAPs (TSO); those of UDP come with 6.2", release);
}
