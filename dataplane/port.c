#include "port.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include "eal.h"
#include "interrupts.h"
#include "lcore.h"
#include "portfd.h"
#include "portnic.h"
#include "portxdp.h"
#include "proto/addr.h"
#include "proto/log.h"
#include "proto/netns.h"

// Frames of an af_packet ring, header included, and how many: some 100 ms of a busy gigabit link.
#define FRAME_SIZE 2048
#define FRAMES 4096
#define FRAME_SIZE_JUMBO 16384
#define FRAMES_JUMBO 512
#define FRAME_BLOCK 65536
#define NIC_MTU_JUMBO 9000
#define VHOST "/dev/vhost-net"
#define VHOST_DESCRIPTORS 1024
#define PACKET_QUEUES_MAX 16u // of a packet port
#define PACKETS 16383
#define PACKETS_JUMBO 4095
// Each poll core after the first has packets of its own under way.
#define PACKETS_MORE 8192
#define PACKETS_MORE_JUMBO 2048
#define PACKETS_CACHE 256
#define DESCRIPTORS 1024
// DPDK's TAP takes a buffer for each descriptor, and reads into one.
#define DESCRIPTORS_TAP 8

static bool is_jumbo(const struct snapshot *s)
{
	return snapshot_number(s, "mtu") > LIMIT_MTU_PLAIN;
}

static uint16_t packet_room(const struct snapshot *s)
{
	return RTE_PKTMBUF_HEADROOM + (is_jumbo(s) ? FRAME_SIZE_JUMBO : FRAME_SIZE);
}

static unsigned packets_of(const struct snapshot *s, unsigned cores)
{
	return is_jumbo(s) ? PACKETS_JUMBO + (cores - 1) * PACKETS_MORE_JUMBO : PACKETS + (cores - 1) * PACKETS_MORE;
}

size_t ports_budget(const struct snapshot *s, unsigned cores)
{
	size_t one = RTE_CACHE_LINE_ROUNDUP(sizeof(struct rte_mbuf) + PACKET_PRIVATE + packet_room(s)) + 2 * RTE_CACHE_LINE_SIZE;

	return one * packets_of(s, cores);
}

// ------------------------------------------------------------------------------------------------------- which interfaces

static bool is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

static int add_host(struct hosts *h, const char *option, const char *name, char *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list, *i;
	struct addr a;
	int ret;

	ret = getaddrinfo(name, NULL, &hints, &list);
	if (ret != 0)
		return START_ERROR(why, ENOENT, "%s = %s: %s", option, name, gai_strerror(ret));
	for (i = list; i && h->n < HOSTS_MAX; i = i->ai_next) {
		addr_from_sockaddr(i->ai_addr, &a);
		if (a.family == 0)
			continue;
		h->any |= is_any(&a);
		h->addr[h->n++] = a;
	}
	freeaddrinfo(list);
	return 0;
}

// The addresses that datagrams will be sent to, as configured.
static int find_hosts(const struct snapshot *s, struct hosts *h, char *why)
{
	static const char *const options[] = { "udp-listen-host", "listen-host" };
	const char *name;
	int ret;

	h->n = 0;
	h->any = false;
	for (size_t i = 0; i < RTE_DIM(options) && h->n == 0; i++) {
		for (unsigned n = 0; (name = snapshot_nth(s, options[i], n)); n++) {
			if (!name[0] || strcmp(name, "any") == 0 || strcmp(name, "*") == 0) {
				h->any = true;
				continue;
			}
			ret = add_host(h, options[i], name, why);
			if (ret < 0)
				return ret;
		}
		if (h->any)
			return 0;
	}
	h->any = h->n == 0;
	return 0;
}

// Packet sockets hand over frames with an Ethernet header only where the interface has one.
static bool is_ethernet(const char *interface)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), type = -1;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	if (fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &ifr) == 0)
		type = ifr.ifr_hwaddr.sa_family;
	if (fd >= 0)
		close(fd);
	return type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
}

// ---------------------------------------------------------------------------------------------------------------- probing

struct opening {
	struct ports *ports;
	const struct snapshot *s;
	unsigned cores;
	unsigned outer; // opened so far
	unsigned af_packets, sockets, nics;
	char *why;
};

static bool has_interface(const struct ports *p, const char *interface)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->all[i].interface, interface) == 0)
			return true;
	return false;
}

static int queues_set_up(struct opening *o, const struct port *p, bool tap)
{
	uint16_t rx = tap ? DESCRIPTORS_TAP : DESCRIPTORS, tx = DESCRIPTORS;
	struct rte_mempool *pool;
	int ret;

	ret = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx, &tx);
	for (uint16_t q = 0; q < p->rx_queues && ret == 0; q++) {
		pool = ports_pool(o->ports, (int)rte_lcore_to_socket_id(LCORE_POLL + q % o->cores));
		ret = rte_eth_rx_queue_setup(p->id, q, rx, (unsigned)rte_eth_dev_socket_id(p->id), NULL, pool);
	}
	for (uint16_t q = 0; q < p->tx_queues && ret == 0; q++)
		ret = rte_eth_tx_queue_setup(p->id, q, tx, (unsigned)rte_eth_dev_socket_id(p->id), NULL);
	return ret;
}

static uint16_t at_most(unsigned a, unsigned b)
{
	return (uint16_t)RTE_MIN(a, b);
}

// As many queues as there are poll cores, where the port has them and can spread flows over them.
static void queues_choose(const struct opening *o, const struct rte_eth_dev_info *info, struct port *p, struct rte_eth_conf *conf)
{
	const uint64_t flows = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP;

	p->rx_queues = at_most(at_most(info->max_rx_queues, QUEUES_MAX), o->cores);
	p->tx_queues = at_most(at_most(info->max_tx_queues, QUEUES_MAX), o->cores);
	if (p->rx_queues > 1 && (info->flow_type_rss_offloads & flows)) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & flows;
	}
}

static bool may_sleep(const struct snapshot *s)
{
	const char *mode = snapshot_get(s, "poll-mode");

	return !mode || strcmp(mode, "busy") != 0;
}

static int device_start(struct opening *o, const struct port *p, const struct rte_eth_conf *conf, bool tap)
{
	int ret = rte_eth_dev_configure(p->id, p->rx_queues, p->tx_queues, conf);

	if (ret == 0)
		ret = queues_set_up(o, p, tap);
	return ret == 0 ? rte_eth_dev_start(p->id) : ret;
}

static int configure(struct opening *o, struct port *p, const char *word)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = { 0 };
	bool tap;
	int ret;

	ret = rte_eth_dev_info_get(p->id, &info);
	if (ret < 0)
		return ret;
	tap = strcmp(info.driver_name, "net_tap") == 0;
	conf.intr_conf.rxq = may_sleep(o->s) && (eal_is_pci(word) || strcmp(info.driver_name, "net_virtio_user") == 0);
	if (!tap && p->outer)
		conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	p->tx_udp_csum = conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	queues_choose(o, &info, p, &conf);
	if (tap) // its receive and transmit queues are the same descriptors
		p->rx_queues = p->tx_queues = RTE_MIN(p->rx_queues, p->tx_queues);
	if (eal_is_pci(word) && info.max_mtu >= NIC_MTU_JUMBO && is_jumbo(o->s))
		conf.rxmode.mtu = NIC_MTU_JUMBO;
	ret = device_start(o, p, &conf, tap);
	if (ret < 0 && conf.intr_conf.rxq) { // not with every driver in every machine
		conf.intr_conf.rxq = 0;
		ret = device_start(o, p, &conf, tap);
	}
	p->interrupts = conf.intr_conf.rxq;
	if (ret == 0)
		ret = rte_eth_macaddr_get(p->id, &p->mac);
	if (ret == 0)
		ret = rte_eth_dev_get_mtu(p->id, &p->mtu);
	if (ret == 0 && info.if_index > 0 && !p->interface[0])
		if_indextoname(info.if_index, p->interface);
	return ret;
}

// A port that takes an interface from the kernel shares it again, unless the operator has brought an XDP program.
static int share(struct opening *o, const struct port *p, const char *devargs, const char *option, const char *word)
{
	int ret;

	if (strncmp(devargs, "net_af_xdp", 10) != 0 || strstr(devargs, "xdp_prog="))
		return 0;
	ret = portxdp_share(p->interface, (uint16_t)snapshot_number(o->s, "udp-port"));
	if (ret < 0)
		return START_ERROR(o->why, -ret, "%s = %s: no XDP program of ours: %s", option, word, strerror(-ret));
	return 0;
}

// option: what in the configuration asked for it; word: its value.
static int open_port(struct opening *o, bool outer, const char *devargs, const char *interface, const char *option,
                     const char *word)
{
	struct ports *all = o->ports;
	struct port *p = &all->all[all->n];
	bool existed = interface[0] && if_nametoindex(interface) != 0;
	int ret;

	if (all->n == PORTS_MAX)
		return START_ERROR(o->why, E2BIG, "%s = %s: more than %d ports", option, word, PORTS_MAX);
	memset(p, 0, sizeof(*p));
	p->number = (uint8_t)all->n;
	p->outer = outer;
	snprintf(p->name, sizeof(p->name), "%.*s", (int)strcspn(devargs, ","), devargs);
	snprintf(p->interface, sizeof(p->interface), "%s", interface);
	ret = rte_dev_probe(devargs);
	if (ret < 0 && ret != -EEXIST) {
		if (!outer && existed)
			return START_ERROR(o->why, EBUSY, "%s = %s: the interface %s is there already and in use", option, word,
			                   interface);
		return START_ERROR(o->why, -ret, "%s = %s: DPDK has no device for \"%s\": %s", option, word, devargs,
		                   strerror(-ret));
	}
	if (rte_eth_dev_get_port_by_name(p->name, &p->id) < 0)
		return START_ERROR(o->why, ENODEV, "%s = %s: the device %s has no port", option, word, p->name);
	ret = configure(o, p, word);
	if (ret < 0)
		return START_ERROR(o->why, -ret, "%s = %s: the port %s does not start: %s", option, word, p->name, strerror(-ret));
	ret = share(o, p, devargs, option, word);
	if (ret < 0)
		return ret;
	portfd_of_port(p);
	p->carrier = p->wait[0];
	p->interrupts = p->interrupts && interrupts_open(p);
	if (outer)
		o->outer++;
	else if (!all->inner)
		all->inner = p;
	all->n++;
	return 0;
}

static int open_packet_port(struct opening *o, const char *interface, const char *word)
{
	char devargs[160];
	bool jumbo = is_jumbo(o->s);

	if (has_interface(o->ports, interface))
		return 0;
	if (o->sockets)
		return START_ERROR(o->why, EINVAL,
		                   "outer = %s: with the kernel's sockets beside it every datagram would come twice", word);
	if (!is_ethernet(interface))
		return START_ERROR(o->why, ENODEV, "outer = %s: %s is no Ethernet interface", word, interface);
	snprintf(devargs, sizeof(devargs), "net_af_packet%u,iface=%s,qpairs=%u,blocksz=%d,framesz=%d,framecnt=%d", o->af_packets++,
	         interface, RTE_MIN(o->cores, PACKET_QUEUES_MAX), FRAME_BLOCK, jumbo ? FRAME_SIZE_JUMBO : FRAME_SIZE,
	         jumbo ? FRAMES_JUMBO : FRAMES);
	return open_port(o, true, devargs, interface, "outer", word);
}

// ---------------------------------------------------------------------------------------------------------------- sockets

// By itself, or with every address of its family.
int ports_socket(const struct ports *p, const struct addr *local)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->all[i].kind == PORT_UDP && p->all[i].udp->local.family == local->family &&
		    (p->all[i].udp->any || addr_equal(&p->all[i].udp->local, local)))
			return (int)i;
	return -ENOENT;
}

static int open_socket(struct opening *o, struct udp_wish wish, const char *word)
{
	struct ports *all = o->ports;
	struct port *p = &all->all[all->n];
	struct addr local = wish.local;
	char text[ADDR_TEXT];
	int ret;

	wish.port = (uint8_t)all->n;
	wish.queues = at_most(o->cores, QUEUES_MAX);
	wish.local.port = (uint16_t)snapshot_number(o->s, "udp-port");
	wish.whole = snapshot_bool(o->s, "try-mtu-discovery");
	if (ports_socket(all, &wish.local) >= 0)
		return 0;
	if (all->n == PORTS_MAX)
		return START_ERROR(o->why, E2BIG, "outer = %s: more than %d ports", word, PORTS_MAX);
	*p = (struct port){
		.number = wish.port, .kind = PORT_UDP, .outer = true, .up = true, .rx_queues = wish.queues, .tx_queues = wish.queues
	};
	ret = udp_open(&wish, &p->udp);
	if (ret == -EAFNOSUPPORT && is_any(&local) && o->outer > 0) {
		log_notice("outer = %s: this kernel has no IPv6: DTLS over IPv4 only", word);
		return 0;
	}
	if (ret < 0)
		return START_ERROR(o->why, -ret, "listen-host %s, udp-port %u: cannot listen: %s", addr_text(&local, text),
		                   wish.local.port, strerror(-ret));
	snprintf(p->name, sizeof(p->name), "udp %s", addr_text_port(&wish.local, text));
	if (p->udp->queue[0].whole)
		log_notice("outer = %s: this kernel cuts no datagrams for us (UDP_SEGMENT): %s sends them one by one", word,
		           p->name);
	for (uint16_t q = 0; q < QUEUES_MAX; q++)
		p->wait[q] = q < wish.queues ? p->udp->queue[q].fd : -1;
	o->outer++;
	o->sockets++;
	all->n++;
	return 0;
}

// One for both families has IPv4 as another kind of IPv6: with a socket of its own, which the kernel prefers, it is what it is.
static int open_given(struct opening *o, const int *fd, const char *word)
{
	struct udp_wish wish = { .given = fd };
	bool both;
	int ret = udp_where(*fd, &wish.local, &both);

	if (ret < 0)
		return START_ERROR(o->why, -ret, "a UDP socket that was handed over: %s", strerror(-ret));
	ret = open_socket(o, wish, word);
	if (ret == 0 && both)
		ret = open_socket(o, (struct udp_wish){ .local = { .family = 4 }, .shared = true }, word);
	return ret;
}

static int open_sockets(struct opening *o, const char *word)
{
	static const struct addr any[] = { { .family = 4 }, { .family = 6 } };
	struct hosts *hosts = calloc(1, sizeof(*hosts));
	int ret;

	if (!hosts)
		return START_ERROR(o->why, ENOMEM, "out of memory");
	if (o->af_packets)
		ret = START_ERROR(o->why, EINVAL, "outer = %s: with an interface beside it every datagram would come twice", word);
	else if (o->ports->n_given > 0)
		ret = 0;
	else
		ret = find_hosts(o->s, hosts, o->why);
	if (ret == 0 && hosts->any && hosts->n == 0) {
		memcpy(hosts->addr, any, sizeof(any));
		hosts->n = RTE_DIM(any);
	}
	for (unsigned i = 0; i < o->ports->n_given && ret == 0; i++)
		ret = open_given(o, &o->ports->given[i], word);
	for (unsigned i = 0; i < hosts->n && ret == 0; i++)
		if (is_any(&hosts->addr[i]))
			ret = open_socket(o, (struct udp_wish){ .local = hosts->addr[i] }, word);
	for (unsigned i = 0; i < hosts->n && ret == 0; i++)
		ret = open_socket(o, (struct udp_wish){ .local = hosts->addr[i] }, word);
	free(hosts);
	return ret;
}

// A TAP of ours as the next port; mac NULL: any.
static int add_tap(struct opening *o, const char *interface, const struct rte_ether_addr *mac, bool offloads)
{
	struct ports *all = o->ports;
	struct port *p = &all->all[all->n];
	struct tap_wish wish = {
		.interface = interface, .queues = at_most(o->cores, QUEUES_MAX), .mac = mac, .offloads = offloads
	};
	int ret;

	if (all->n == PORTS_MAX)
		return -E2BIG;
	*p = (struct port){ .number = (uint8_t)all->n, .kind = PORT_TAP, .rx_queues = wish.queues, .tx_queues = wish.queues };
	ret = tap_open(&wish, &p->tap);
	if (ret < 0)
		return ret;
	snprintf(p->name, sizeof(p->name), "tap");
	snprintf(p->interface, sizeof(p->interface), "%s", interface);
	p->mac = p->tap->mac;
	for (uint16_t q = 0; q < QUEUES_MAX; q++)
		p->wait[q] = q < wish.queues ? p->tap->queue[q].fd : -1;
	portfd_pass_over();
	all->n++;
	return 0;
}

// What the kernel has of a NIC, through rings that its vhost-net serves: it needs no call for each frame.
static int open_vhost(struct opening *o, const struct port *nic, const char *interface)
{
	struct port *tap = &o->ports->all[o->ports->n];
	char devargs[192], mac[RTE_ETHER_ADDR_FMT_SIZE];
	int ret;

	if (access(VHOST, R_OK | W_OK) < 0)
		return START_ERROR(o->why, errno, "nic-kernel = vhost: " VHOST ": %s (modprobe vhost_net)", strerror(errno));
	rte_ether_format_addr(mac, sizeof(mac), &nic->mac);
	snprintf(devargs, sizeof(devargs), "virtio_user%u,path=" VHOST ",iface=%s,mac=%s,queues=%u,queue_size=%d", o->nics,
	         interface, mac, o->cores, VHOST_DESCRIPTORS);
	ret = open_port(o, nic->outer, devargs, interface, "nic-kernel", "vhost");
	if (ret < 0)
		return ret;
	// the kernel's thread reads the TAP: that is nothing for us to wait for
	for (unsigned q = 0; q < QUEUES_MAX && !tap->interrupts; q++)
		tap->wait[q] = -1;
	return 0;
}

static int open_beside(struct opening *o, const struct port *nic, const char *option, const char *word)
{
	const char *how = snapshot_get(o->s, "nic-kernel");
	struct port *tap = &o->ports->all[o->ports->n];
	char interface[IFNAMSIZ];
	int ret;

	snprintf(interface, sizeof(interface), "%.13s%u", snapshot_get(o->s, "nic-device"), o->nics);
	if (how && strcmp(how, "vhost") == 0)
		return open_vhost(o, nic, interface);
	ret = add_tap(o, interface, &nic->mac, false);
	if (ret < 0)
		return START_ERROR(o->why, -ret, "%s = %s: the TAP %s beside it does not open: %s", option, word, interface,
		                   strerror(-ret));
	tap->carrier = tap->tap->queue[0].fd;
	return 0;
}

// A NIC of our own, and beside it what the kernel has instead of it: a TAP with its MAC address.
static int open_nic(struct opening *o, bool outer, const char *option, const char *word)
{
	struct port *nic = &o->ports->all[o->ports->n], *tap = nic + 1;
	int ret;

	ret = find_hosts(o->s, &o->ports->hosts, o->why);
	if (ret == 0)
		ret = open_port(o, outer, word, "", option, word);
	if (ret == 0)
		ret = open_beside(o, nic, option, word);
	if (ret < 0)
		return ret;
	o->nics++;
	tap->outer = outer;
	tap->kernel = true;
	tap->beside = nic;
	nic->beside = tap;
	portnic_start(nic);
	return 0;
}

static int open_outer(struct opening *o, const char *word)
{
	if (strcmp(word, "auto") == 0 || strcmp(word, "udp") == 0)
		return open_sockets(o, word);
	if (if_nametoindex(word) != 0)
		return open_packet_port(o, word, word);
	if (eal_is_pci(word))
		return open_nic(o, true, "outer", word);
	if (!strchr(word, ',') && strncmp(word, "net_", 4) != 0)
		return START_ERROR(o->why, ENODEV, "outer = %s: there is no such interface", word);
	return open_port(o, true, word, "", "outer", word);
}

static int open_tap(struct opening *o, const char *interface, const char *device, bool offloads)
{
	bool existed = if_nametoindex(interface) != 0;
	int ret = add_tap(o, interface, NULL, offloads);

	if (ret < 0 && existed)
		return START_ERROR(o->why, EBUSY, "device = %s: the interface %s is there already and in use", device, interface);
	if (ret < 0)
		return START_ERROR(o->why, -ret, "device = %s: the TAP %s does not open: %s", device, interface, strerror(-ret));
	o->ports->inner = &o->ports->all[o->ports->n - 1];
	return 0;
}

static int open_inner(struct opening *o)
{
	const char *word = snapshot_get(o->s, "inner"), *device = snapshot_get(o->s, "device");
	char interface[64], devargs[96];
	bool plain;

	if (!word || !word[0])
		word = "tap";
	if (!device || !device[0])
		device = "vpns";
	snprintf(interface, sizeof(interface), "%s0", device);
	plain = strcmp(word, "tap,plain") == 0;
	if (!plain && strcmp(word, "tap") != 0 && strcmp(word, "net_tap") != 0 && !eal_is_pci(word))
		return open_port(o, false, word, "", "inner", word);
	if (strlen(interface) >= IFNAMSIZ)
		return START_ERROR(o->why, EINVAL, "device = %s: too long for an interface's name", device);
	if (strcmp(word, "net_tap") != 0)
		return open_tap(o, interface, device, !plain);
	snprintf(devargs, sizeof(devargs), "net_tap0,iface=%s", interface);
	return open_port(o, false, devargs, interface, "device", device);
}

// As rte_pktmbuf_pool_create(); but without huge pages that would put each packet into a page of its own, lest it crosses a page's
// border: no device that minds can be there then.
static struct rte_mempool *pool_new(const char *name, unsigned packets, uint16_t room, int node)
{
	struct rte_pktmbuf_pool_private private = { .mbuf_data_room_size = room, .mbuf_priv_size = PACKET_PRIVATE };
	unsigned flags = rte_eal_has_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	struct rte_mempool *p;

	p = rte_mempool_create_empty(name, packets, sizeof(struct rte_mbuf) + PACKET_PRIVATE + room, PACKETS_CACHE, sizeof(private),
	                             node, flags);
	if (!p)
		return NULL;
	if (rte_mempool_set_ops_byname(p, rte_mbuf_best_mempool_ops(), NULL) == 0) {
		rte_pktmbuf_pool_init(p, &private);
		if (rte_mempool_populate_default(p) >= (int)packets) {
			rte_mempool_obj_iter(p, rte_pktmbuf_init, NULL);
			return p;
		}
	}
	rte_mempool_free(p);
	return NULL;
}

// One for each NUMA node that has a poll core, of a size that befits how many.
static int pools_make(struct opening *o)
{
	unsigned cores[NUMA_MAX] = { 0 };
	char name[32];

	for (unsigned i = 0; i < o->cores; i++)
		cores[rte_lcore_to_socket_id(LCORE_POLL + i) % NUMA_MAX]++;
	for (unsigned node = 0; node < NUMA_MAX; node++) {
		if (cores[node] == 0)
			continue;
		snprintf(name, sizeof(name), "packets%u", node);
		o->ports->pool[node] = pool_new(name, packets_of(o->s, cores[node]), packet_room(o->s), (int)node);
		if (!o->ports->pool[node])
			return START_ERROR(o->why, ENOMEM, "not enough memory for packets");
	}
	return 0;
}

struct rte_mempool *ports_pool(const struct ports *p, int node)
{
	if (node >= 0 && node < NUMA_MAX && p->pool[node])
		return p->pool[node];
	for (unsigned i = 0; i < NUMA_MAX; i++)
		if (p->pool[i])
			return p->pool[i];
	return NULL;
}

int ports_check(const struct snapshot *s, char *why)
{
	static const char *const options[] = { "outer", "inner" };
	const char *word;
	int ret = 0;

	for (size_t i = 0; i < RTE_DIM(options); i++)
		for (unsigned n = 0; ret == 0 && (word = snapshot_nth(s, options[i], n)); n++)
			if (eal_is_pci(word))
				ret = portnic_check("", options[i], word, why);
	return ret;
}

// Where clients are may be another network namespace than where their packets come out.
static int open_outers(struct opening *o)
{
	const char *netns = snapshot_get(o->s, "listen-netns"), *word;
	unsigned first = o->ports->n, n;
	int back, ret = netns_enter(netns, &back);

	if (ret < 0)
		return START_ERROR(o->why, -ret, "listen-netns = %s: %s", netns, strerror(-ret));
	for (n = 0; ret == 0 && (word = snapshot_nth(o->s, "outer", n)); n++)
		ret = open_outer(o, word);
	if (ret == 0 && n == 0)
		ret = open_outer(o, "auto");
	netns_leave(back);
	for (; back >= 0 && first < o->ports->n; first++)
		o->ports->all[first].elsewhere = o->ports->all[first].up = true;
	return ret;
}

int ports_open(struct ports *p, const struct snapshot *s, unsigned cores, char *why)
{
	struct opening o = { .ports = p, .s = s, .cores = cores, .why = why };
	uint16_t udp_port = (uint16_t)snapshot_number(s, "udp-port");
	const char *word;
	int ret;

	ret = pools_make(&o);
	if (ret == 0)
		ret = open_inner(&o);
	if (ret == 0 && udp_port != 0)
		ret = open_outers(&o);
	word = snapshot_get(s, "inner");
	if (ret == 0 && word && eal_is_pci(word)) // beside the kernel's interface
		ret = open_nic(&o, false, "inner", word);
	if (ret < 0)
		return ret;
	portfd_tune_packet_sockets(udp_port);
	portfd_quiet_taps();
	return 0;
}
