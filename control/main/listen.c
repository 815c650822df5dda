#include "control/main/listen.h"

#include <linux/filter.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/activation.h"
#include "control/main/config.h"
#include "control/main/conn.h"
#include "control/main/netlist.h"
#include "control/main/handover.h"
#include "control/main/nic.h"
#include "control/main/supervise.h"
#include "control/main/upgrade.h"
#include "proto/err.h"
#include "proto/netns.h"
#include "proto/snapshot.h"

#define BACKLOG 1024
#define ACCEPT_BURST 32 // then the others get their turn
#define PAUSE_MS 200    // after running out of descriptors or memory
// The dataplane of a penstockd that was killed has its UDP port until it has ended, too. Nothing else runs yet while we wait.
#define UDP_TRY_MS 50
#define UDP_TRIES 60

struct listener {
	TAILQ_ENTRY(listener) all;
	struct gateway *g;
	struct event readable;
	int tcp, udp; // one of them, the other is -1
	struct addr local;
	bool foreign; // systemd has opened it, and has it too
	int next;     // at another tcp-port, which a reload is about to bring; -1
};

// Where to listen, as the configuration has it. host NULL: every address.
struct place {
	enum opt option; // that says so
	const char *host;
	struct sockaddr_storage sa;
	socklen_t len;
	bool may_be_absent;
};

// ------------------------------------------------------------------------------------------------------------------ bind

// The interface beside a NIC comes with the dataplane, and goes and comes with it: sockets are there before.
static void allow_absent(int fd, int family)
{
	static const int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
}

static int socket_bind(const struct place *p, int type)
{
	static const int on = 1;
	int fd = socket(p->sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (fd < 0)
		return -errno;
	// one socket a family: a dual-stack one would take the other's address
	if (p->sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (p->may_be_absent)
		allow_absent(fd, p->sa.ss_family);
	if (bind(fd, (const struct sockaddr *)&p->sa, p->len) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

// The kernel has to think that somebody listens, or it answers each DTLS packet with port unreachable.
static int silence(int fd)
{
	static struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	static const struct sock_fprog program = { 1, &drop_all };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int udp_hold(const struct place *p, bool silent)
{
	int fd = socket_bind(p, SOCK_DGRAM), ret;

	for (int i = 1; fd == -EADDRINUSE && i < UDP_TRIES; i++) {
		usleep(UDP_TRY_MS * 1000);
		fd = socket_bind(p, SOCK_DGRAM);
	}
	if (fd < 0)
		return fd;
	ret = silent ? silence(fd) : 0;
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

static void on_accept(evutil_socket_t fd, short what, void *arg);

static void port_set(struct sockaddr *sa, uint16_t port)
{
	if (sa->sa_family == AF_INET)
		((struct sockaddr_in *)sa)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)sa)->sin6_port = htons(port);
}

static int bind_failed(const struct place *p, enum opt port_option, uint16_t port, int why)
{
	char text[ADDR_TEXT];
	struct addr a;

	addr_from_sockaddr((const struct sockaddr *)&p->sa, &a);
	return errno_log(-why, "%s%s%s, %s %u: cannot listen on %s: %s", p->host ? config_name(p->option) : "", p->host ? " " : "",
	                 p->host ? p->host : "every address", config_name(port_option), port, addr_text(&a, text), strerror(-why));
}

// Where DTLS arrives through the kernel's sockets, each dataplane gets them from us: the port is never closed, not while one is
// dead either. Else its clients would be told so by ICMP, and try no DTLS for a minute.
static bool dataplane_reads(const struct config *c)
{
	const char *word;

	for (unsigned n = 0; (word = config_nth(c, OPT_OUTER, n)); n++)
		if (strcmp(word, "udp") == 0 || strcmp(word, "auto") == 0)
			return true;
	return false;
}

static void listener_free(struct listener *l)
{
	if (l->tcp >= 0) {
		event_del(&l->readable);
		// systemd waits there for who comes next
		if (l->foreign)
			listen(l->tcp, BACKLOG);
		else
			shutdown(l->tcp, SHUT_RD); // the keeper has it, too
		close(l->tcp);
	}
	if (l->udp >= 0)
		close(l->udp);
	if (l->next >= 0)
		close(l->next);
	free(l);
}

static int listener_add(struct gateway *g, int tcp, int udp, const struct addr *local, bool foreign)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(tcp >= 0 ? tcp : udp);
		return errno_log(ENOMEM, "out of memory");
	}
	*l = (struct listener){ .g = g, .tcp = tcp, .udp = udp, .local = *local, .foreign = foreign, .next = -1 };
	if (tcp >= 0)
		event_assign(&l->readable, g->base, tcp, EV_READ | EV_PERSIST, on_accept, l);
	TAILQ_INSERT_TAIL(&g->listeners, l, all);
	return 0;
}

static int place_open(struct gateway *g, struct place place, enum opt port_option)
{
	uint16_t port = port_option == OPT_TCP_PORT ? g->policy.tcp_port : g->policy.udp_port;
	bool ours = dataplane_reads(g->config);
	struct addr local;
	int fd;

	place.may_be_absent = nic_wanted(g->config) || (ours && port_option == OPT_UDP_PORT);
	port_set((struct sockaddr *)&place.sa, port);
	addr_from_sockaddr((struct sockaddr *)&place.sa, &local);
	fd = port_option == OPT_TCP_PORT ? socket_bind(&place, SOCK_STREAM) : udp_hold(&place, !ours);
	if (fd < 0)
		return bind_failed(&place, port_option, port, fd);
	return port_option == OPT_TCP_PORT ? listener_add(g, fd, -1, &local, false) : listener_add(g, -1, fd, &local, false);
}

// ---------------------------------------------------------------------------------------------------------------- places

struct places {
	struct place *all;
	size_t n;
};

static int place_add(struct places *p, enum opt option, const char *host, const struct addrinfo *ai)
{
	struct place *grown = realloc(p->all, (p->n + 1) * sizeof(*grown));

	if (!grown)
		return errno_log(ENOMEM, "out of memory");
	p->all = grown;
	grown[p->n] = (struct place){ .option = option, .host = host, .len = ai->ai_addrlen };
	memcpy(&grown[p->n++].sa, ai->ai_addr, ai->ai_addrlen);
	return 0;
}

// Without a host a kernel without IPv6 is no error.
static bool family_missing(const struct addrinfo *ai)
{
	int probe = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (probe < 0)
		return errno == EAFNOSUPPORT;
	close(probe);
	return false;
}

static int places_of(struct places *p, enum opt option, const char *host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *list, *ai;
	int ret = getaddrinfo(host, "0", &hints, &list);

	if (ret != 0)
		return errno_log(EADDRNOTAVAIL, "%s %s: %s", config_name(option), host ? host : "(every address)",
		                 gai_strerror(ret));
	for (ai = list; ai && ret == 0; ai = ai->ai_next)
		if (host || !family_missing(ai))
			ret = place_add(p, option, host, ai);
	freeaddrinfo(list);
	return ret;
}

static bool is_every(const struct place *p)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&p->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&p->sa;

	return p->sa.ss_family == AF_INET ? in->sin_addr.s_addr == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

// Named before, or part of "every address" that is named anywhere: the kernel gives a port of it once.
static bool is_covered(const struct places *p, size_t nth)
{
	const struct place *place = &p->all[nth], *other;

	for (size_t i = 0; i < p->n; i++) {
		other = &p->all[i];
		if (i == nth || other->sa.ss_family != place->sa.ss_family)
			continue;
		if (is_every(other) && !is_every(place))
			return true;
		if (i < nth && other->len == place->len && memcmp(&other->sa, &place->sa, place->len) == 0)
			return true;
	}
	return false;
}

static int places_open(struct gateway *g, enum opt host_option, enum opt port_option)
{
	unsigned hosts = config_count(g->config, host_option);
	struct places p = { 0 };
	int ret = 0;

	if (!hosts)
		ret = places_of(&p, host_option, NULL);
	for (unsigned i = 0; i < hosts && ret == 0; i++)
		ret = places_of(&p, host_option, config_nth(g->config, host_option, i));
	for (size_t i = 0; i < p.n && ret == 0; i++)
		if (!is_covered(&p, i))
			ret = place_open(g, p.all[i], port_option);
	free(p.all);
	return ret;
}

// Clients are told the port of udp-port, wherever the socket comes from.
static int udp_given(struct gateway *g, int fd, const struct addr *local)
{
	char text[ADDR_TEXT];

	if (local->port != g->policy.udp_port)
		return errno_log(EINVAL, "udp-port is %u, but systemd has opened %s for UDP", g->policy.udp_port,
		                 addr_text_port(local, text));
	return dataplane_reads(g->config) ? 0 : silence(fd);
}

static int given_add(struct gateway *g, enum activation kind, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char text[ADDR_TEXT];
	struct addr local;
	int ret;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0) {
		close(fd);
		return errno_log(errno, "a socket of systemd's: %s", strerror(errno));
	}
	addr_from_sockaddr((struct sockaddr *)&ss, &local);
	log_info("systemd has opened %s for %s", addr_text_port(&local, text), kind == ACTIVATION_TCP ? "TCP" : "UDP");
	ret = kind == ACTIVATION_UDP ? udp_given(g, fd, &local) : 0;
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return kind == ACTIVATION_TCP ? listener_add(g, fd, -1, &local, true) : listener_add(g, -1, fd, &local, true);
}

// How many, or -errno.
static int given_open(struct gateway *g, enum activation kind)
{
	int n = 0, fd, ret = 0;

	while (ret == 0 && (fd = activation_next(kind)) >= 0) {
		ret = given_add(g, kind, fd);
		n++;
	}
	return ret < 0 ? ret : n;
}

static unsigned sockets_held(const struct gateway *g)
{
	const struct listener *l;
	unsigned n = 0;

	TAILQ_FOREACH(l, &g->listeners, all)
	n += l->udp >= 0;
	return n;
}

// More than can be handed over: then each dataplane opens them by itself.
static void sockets_leave(struct gateway *g)
{
	struct listener *l, *next;

	for (l = TAILQ_FIRST(&g->listeners); l; l = next) {
		next = TAILQ_NEXT(l, all);
		if (l->udp < 0 || l->foreign)
			continue;
		TAILQ_REMOVE(&g->listeners, l, all);
		listener_free(l);
	}
}

// What systemd has opened takes the place of what the configuration says.
static int open_all(struct gateway *g)
{
	enum opt udp_hosts = config_count(g->config, OPT_UDP_LISTEN_HOST) ? OPT_UDP_LISTEN_HOST : OPT_LISTEN_HOST;
	int ret = given_open(g, ACTIVATION_TCP);

	if (ret == 0)
		ret = places_open(g, OPT_LISTEN_HOST, OPT_TCP_PORT);
	if (ret >= 0)
		ret = given_open(g, ACTIVATION_UDP);
	if (ret == 0 && g->policy.udp_port)
		ret = places_open(g, udp_hosts, OPT_UDP_PORT);
	if (ret >= 0 && dataplane_reads(g->config) && sockets_held(g) > CHILD_SOCKETS_MAX)
		sockets_leave(g);
	return ret < 0 ? ret : 0;
}

unsigned listen_sockets(const struct gateway *g, int *fds, unsigned most)
{
	const struct listener *l;
	unsigned n = 0;

	if (!dataplane_reads(g->config))
		return 0;
	TAILQ_FOREACH(l, &g->listeners, all)
	if (l->udp >= 0 && n < most)
		fds[n++] = l->udp;
	return n;
}

int listen_open(struct gateway *g)
{
	const char *netns = config_str(g->config, OPT_LISTEN_NETNS);
	int back, ret = netns_enter(netns, &back);

	if (ret < 0)
		return errno_log(-ret, "listen-netns %s: %s", netns, strerror(-ret));
	ret = open_all(g);
	netns_leave(back);
	if (ret < 0)
		listen_close(g);
	return ret;
}

int listen_start(struct gateway *g)
{
	struct listener *l;
	char text[ADDR_TEXT];

	TAILQ_FOREACH(l, &g->listeners, all)
	if (l->tcp >= 0 && listen(l->tcp, BACKLOG) < 0)
		return errno_log(errno, "tcp-port %u: cannot listen on %s: %s", g->policy.tcp_port, addr_text(&l->local, text),
		                 strerror(errno));
	return 0;
}

void listen_close(struct gateway *g)
{
	struct listener *l;

	listen_pause(g);
	lobby_clear(g);
	while ((l = TAILQ_FIRST(&g->listeners))) {
		TAILQ_REMOVE(&g->listeners, l, all);
		listener_free(l);
	}
	if (evtimer_initialized(&g->accept_pause))
		evtimer_del(&g->accept_pause);
}

// ---------------------------------------------------------------------------------------------------------------- accept

void listen_pause(struct gateway *g)
{
	struct listener *l;

	g->accepting = false;
	TAILQ_FOREACH(l, &g->listeners, all)
	if (l->tcp >= 0)
		event_del(&l->readable);
}

static bool ready(const struct child *c)
{
	return c && c->ready;
}

bool listen_serves(const struct gateway *g)
{
	return g->phase == GATEWAY_UP && !g->recovery && !upgrade_holds(g) && ready(g->secmod) && ready(g->dataplane) &&
	       ready(g->nursery) && !(evtimer_initialized(&g->accept_pause) && evtimer_pending(&g->accept_pause, NULL));
}

void listen_resume(struct gateway *g)
{
	struct listener *l;

	lobby_pump(g);
	if (g->accepting || g->door.shut || !listen_serves(g) || lobby_is_full(g))
		return;
	g->accepting = true;
	TAILQ_FOREACH(l, &g->listeners, all)
	if (l->tcp >= 0 && event_add(&l->readable, NULL) < 0)
		g->accepting = false;
	if (!g->accepting) // half a second later the pulse tries again
		listen_pause(g);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	listen_resume(arg);
}

static void pause_for(struct gateway *g, uint32_t ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	listen_pause(g);
	evtimer_assign(&g->accept_pause, g->base, on_pause_over, g);
	evtimer_add(&g->accept_pause, &tv);
}

void listen_rest(struct gateway *g, int why)
{
	if (clock_ms() - g->pause_logged_ms > 10000 || !g->pause_logged_ms) {
		log_err("cannot accept: %s; pausing", strerror(why));
		g->pause_logged_ms = clock_ms();
	}
	g->figures.pauses[PAUSE_RESOURCES]++;
	pause_for(g, PAUSE_MS);
}

static void pause_for_logins(struct gateway *g)
{
	g->figures.pauses[PAUSE_LOGINS]++;
	pause_for(g, g->policy.rate_limit_ms);
}

static void refuse_stranger(struct gateway *g, const struct addr *peer)
{
	char text[ADDR_TEXT];

	stats_refused(g, REFUSED_PROXY);
	if (g->stranger_logged_ms && g->stranger_logged_ms + 10000 > clock_ms())
		return;
	log_warn("%s is refused: listen-proxy-proto takes connections from proxies only, and proxy-from does not name it",
	         addr_text(peer, text));
	g->stranger_logged_ms = clock_ms();
}

// Who is banned is closed at once, and no worker is started for him. Where all come by proxies, that is seen once their header has
// said who they are.
static bool admitted(struct gateway *g, const struct addr *peer)
{
	if (!g->policy.proxies)
		return abuse_admits(g, peer);
	if (netlist_has(g->policy.proxies, peer, clock_seconds(), g->inner))
		return true;
	refuse_stranger(g, peer);
	return false;
}

static void client_take(struct gateway *g, int fd, const struct sockaddr_storage *from)
{
	static const int on = 1;
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	struct addr client, local = { 0 };

	addr_from_sockaddr((const struct sockaddr *)from, &client);
	if (getsockname(fd, (struct sockaddr *)&to, &len) == 0)
		addr_from_sockaddr((struct sockaddr *)&to, &local);
	if (!client.family || !local.family || !admitted(g, &client)) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	lobby_take(g, fd, &client, &local, g->policy.proxies != NULL);
}

static int client_accept(struct gateway *g, int listen_fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd = accept4(listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	client_take(g, fd, &from);
	return 0;
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *l = arg;
	struct gateway *g = l->g;

	for (int i = 0; i < ACCEPT_BURST && g->accepting; i++) {
		int ret = client_accept(g, listen_fd);

		if (ret == -EAGAIN)
			return;
		if (ret == -EMFILE || ret == -ENFILE || ret == -ENOBUFS || ret == -ENOMEM)
			listen_rest(g, -ret);
		else if (g->logins_wait && g->policy.rate_limit_ms)
			pause_for_logins(g);
		if (lobby_is_full(g))
			listen_pause(g);
		// anything else is that client's network trouble: the next one
		door_settle(g);
	}
}

void listen_shut(struct gateway *g, bool take_waiting)
{
	struct listener *l;

	TAILQ_FOREACH(l, &g->listeners, all)
	{
		if (l->tcp < 0)
			continue;
		for (int i = 0; i < BACKLOG && take_waiting && g->accepting && client_accept(g, l->tcp) == 0; i++)
			;
		shutdown(l->tcp, SHUT_RD);
	}
	if (!take_waiting)
		lobby_clear(g);
	listen_pause(g);
}

// ---------------------------------------------------------------------------------------------------------------- reload

// What is bound by itself or by systemd stays where it is.
static int next_open(struct listener *l, uint16_t port)
{
	struct place p = { .may_be_absent = nic_wanted(l->g->config) };
	struct addr local = l->local;
	char text[ADDR_TEXT];

	local.port = port;
	p.len = addr_to_sockaddr(&local, &p.sa);
	l->next = socket_bind(&p, SOCK_STREAM);
	if (l->next >= 0)
		return 0;
	errno = -l->next;
	l->next = -1;
	return errno_log(errno, "tcp-port %u: cannot listen on %s: %s", port, addr_text(&local, text), strerror(errno));
}

int listen_prepare(struct gateway *g, const struct policy *p)
{
	struct listener *l;
	int back, ret;

	if (p->tcp_port == g->policy.tcp_port)
		return 0;
	ret = netns_enter(config_str(g->config, OPT_LISTEN_NETNS), &back);
	if (ret < 0)
		return errno_log(-ret, "listen-netns: %s", strerror(-ret));
	TAILQ_FOREACH(l, &g->listeners, all)
	if (ret == 0 && l->tcp >= 0 && !l->foreign)
		ret = next_open(l, p->tcp_port);
	netns_leave(back);
	if (ret < 0)
		listen_forget(g);
	return ret;
}

void listen_forget(struct gateway *g)
{
	struct listener *l;

	TAILQ_FOREACH(l, &g->listeners, all)
	{
		if (l->next >= 0)
			close(l->next);
		l->next = -1;
	}
}

// Who has come to the old one is served still.
static void next_take(struct listener *l)
{
	struct gateway *g = l->g;

	for (int i = 0; i < BACKLOG && g->accepting && client_accept(g, l->tcp) == 0; i++)
		;
	event_del(&l->readable);
	shutdown(l->tcp, SHUT_RD); // the keeper has it, too
	close(l->tcp);
	l->tcp = l->next;
	l->next = -1;
	l->local.port = g->policy.tcp_port;
	event_assign(&l->readable, g->base, l->tcp, EV_READ | EV_PERSIST, on_accept, l);
	if (g->accepting && event_add(&l->readable, NULL) < 0)
		listen_pause(g);
}

int listen_ready(struct gateway *g)
{
	struct listener *l;

	TAILQ_FOREACH(l, &g->listeners, all)
	if (l->next >= 0 && !g->door.shut && listen(l->next, BACKLOG) < 0)
		return errno_log(errno, "tcp-port: cannot listen: %s", strerror(errno));
	return 0;
}

void listen_switch(struct gateway *g)
{
	struct listener *l;

	TAILQ_FOREACH(l, &g->listeners, all)
	if (l->next >= 0)
		next_take(l);
}

// -------------------------------------------------------------------------------------------------------------- handover

static const struct state_field fields[] = {
	STATE_FD(struct listener, tcp),
	STATE_FD(struct listener, udp),
	STATE_ADDR(struct listener, local),
	STATE_NUMBER(struct listener, foreign),
};

STATE_COVERS(struct listener, 192);

void listen_save(const struct gateway *g, struct state_writer *w)
{
	const struct listener *l;

	TAILQ_FOREACH(l, &g->listeners, all)
	state_write(w, "listener", STATE_PARTS(STATE_PART("", fields, l)));
}

// Clients that have come meanwhile wait in the kernel's queue.
int listen_restore(struct handover *h, const struct state_record *rec)
{
	struct listener *l = calloc(1, sizeof(*l));
	int ret = l ? state_read(rec, STATE_PARTS(STATE_PART("", fields, l))) : -ENOMEM;

	if (ret == 0 && l->tcp < 0 && l->udp < 0)
		ret = -EBADMSG;
	if (ret < 0) {
		free(l);
		return ret;
	}
	l->g = h->g;
	l->next = -1;
	if (l->tcp >= 0)
		event_assign(&l->readable, h->g->base, l->tcp, EV_READ | EV_PERSIST, on_accept, l);
	TAILQ_INSERT_TAIL(&h->g->listeners, l, all);
	return 0;
}
