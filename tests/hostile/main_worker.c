// The running penstockd, with its real sec-mod and dataplane, against hostile workers, in a network namespace of its own.
//
// In the place of its nursery it finds a puppet (this very program under the name of penstock-worker), which hands each worker's
// descriptors to the test:  TCP client ── penstockd ── puppet ── the test as a worker of main, of sec-mod, and on its lane.
//
// Each attack costs the offender its channel and its session; the same penstockd then logs another worker in, whose client pings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <libgen.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>

#include "attack.h"
#include "login.h"
#include "netns.h"
#include "ping.h"
#include "proto/log.h"
#include "victim.h"

#define TCP_PORT 4443

// ------------------------------------------------------------------------------------------------------------- the puppet

static struct {
	struct chan main;
	int test;   // a socket to the test: connections out, ends of workers in
	pid_t idle; // a process that does nothing: what workers are as main sees them
	pid_t next; // what the next one is instead; 0: nothing
} puppet;

#define NEXT_PID (1ULL << 63) // not the end of a worker, but such a process

// What the test has said so far.
static void puppet_heed(void)
{
	uint64_t gone;

	while (recv(puppet.test, &gone, sizeof(gone), MSG_DONTWAIT) == sizeof(gone)) {
		if (gone & NEXT_PID)
			puppet.next = (pid_t)(gone & ~NEXT_PID);
		else
			CHAN_SEND(&puppet.main, CONN_EXITED, &(struct msg_conn_exited){ .conn = gone });
	}
}

// The test says who is next before it connects: that word is there, even where main's is read first.
static int puppet_on_start(void *who, const void *m, const int *fds)
{
	const struct msg_conn_start *start = m;
	struct chan pass;
	struct msg_conn_forked forked = { .conn = start->conn, .pid = (uint32_t)puppet.idle };

	puppet_heed();
	if (puppet.next)
		forked.pid = (uint32_t)puppet.next;
	puppet.next = 0;
	chan_init(&pass, puppet.test, ROLE_MAIN, ROLE_NURSERY, CHAN_PLAIN, "test");
	chan_send(&pass, MSG_CONN_START, start, fds);
	return CHAN_SEND(&puppet.main, CONN_FORKED, &forked);
}

static int puppet_on_kill(void *who, const void *m, const int *fds)
{
	struct msg_conn_exited gone = { .conn = ((const struct msg_conn_kill *)m)->conn, .signal = SIGKILL };

	return CHAN_SEND(&puppet.main, CONN_EXITED, &gone);
}

static int puppet_on_drain(void *who, const void *m, const int *fds)
{
	_exit(0);
}

static int puppet_on_ping(void *who, const void *m, const int *fds)
{
	struct msg_nursery_pong pong = { .number = ((const struct msg_nursery_ping *)m)->number };

	CHAN_SEND(&puppet.main, NURSERY_PONG, &pong);
	return 0;
}

static const chan_handler puppet_handlers[MSG_NUMBERS] = {
	[MSG_CONN_START] = puppet_on_start,
	[MSG_CONN_KILL] = puppet_on_kill,
	[MSG_NURSERY_DRAIN] = puppet_on_drain,
	[MSG_NURSERY_PING] = puppet_on_ping,
};

static int puppet_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char copy[256];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(to.sun_path, sizeof(to.sun_path), "%.80s/puppet", dirname(copy));
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -1 : fd;
}

static pid_t puppet_idle(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(3, ~0u, 0);
		for (;;)
			pause();
	}
	return pid;
}

static int puppet_main(const char *path)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int ret;

	log_init("puppet", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	signal(SIGPIPE, SIG_IGN);
	puppet.idle = puppet_idle();
	puppet.test = puppet_connect(path);
	chan_init(&puppet.main, CHILD_FD_MAIN, ROLE_NURSERY, ROLE_MAIN, CHAN_PLAIN, "main");
	CHAN_SEND(&puppet.main, NURSERY_READY, &(struct msg_nursery_ready){ .ok = puppet.test >= 0 });
	p[0].fd = CHILD_FD_MAIN;
	p[1].fd = puppet.test;
	for (;;) {
		poll(p, 2, -1);
		ret = chan_serve(&puppet.main, puppet_handlers, NULL, 100);
		if (ret <= 0 && ret != -EAGAIN)
			return 0;
		puppet_heed();
		if (p[1].revents & POLLHUP)
			return 0;
	}
}

// ------------------------------------------------------------------------------------------------------- a worker of main's

static struct victim gateway;
static char dir[] = "/tmp/penstock-hostile-XXXXXX";
static int puppet_listener = -1, puppet_fd = -1;
static long attacks;

struct worker {
	uint64_t conn;
	int client, served; // the client's end of its TCP connection, and ours
	struct chan main;
	struct login login;
	int lane;
	struct msg_auth_cookie_rep session;
	uint16_t denied; // HTTP status
	char profile[16];
};

static int on_start(void *who, const void *m, const int *fds)
{
	struct worker *w = who;

	w->conn = ((const struct msg_conn_start *)m)->conn;
	w->served = chan_take_fd(fds, 0);
	chan_init(&w->main, chan_take_fd(fds, 1), ROLE_WORKER, ROLE_MAIN, WM_IDLE, "main");
	login_init(&w->login, chan_take_fd(fds, 2));
	return 0;
}

static const chan_handler from_puppet[MSG_NUMBERS] = { [MSG_CONN_START] = on_start };

static int connect_tcp(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(TCP_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

// A proxy has brought it, and has yet to say whose connection it is.
static void worker_open_proxied(struct worker *w)
{
	struct chan from;

	*w = (struct worker){ .lane = -1, .client = connect_tcp() };
	assert_true(w->client >= 0);
	chan_init(&from, puppet_fd, ROLE_NURSERY, ROLE_MAIN, CHAN_PLAIN, "puppet");
	assert_int_equal(chan_await(&from, from_puppet, w, MSG_CONN_START, 10000), 0);
}

static void worker_names_client(struct worker *w)
{
	struct msg_proxy_source m = { .client = { .family = 4, .prefix = 32, .port = 4711, .ip = { 203, 0, 113, 7 } } };

	assert_int_equal(CHAN_SEND(&w->main, PROXY_SOURCE, &m), 0);
}

static void worker_open(struct worker *w)
{
	worker_open_proxied(w);
	worker_names_client(w);
}

static void worker_close(struct worker *w)
{
	chan_fini(&w->main);
	chan_fini(&w->login.chan);
	close(w->client);
	close(w->served);
	if (w->lane >= 0)
		close(w->lane);
	assert_int_equal(send(puppet_fd, &w->conn, sizeof(w->conn), 0), sizeof(w->conn));
}

static int on_item(void *who, const void *m, const int *fds)
{
	return 0;
}

static int on_session(void *who, const void *m, const int *fds)
{
	struct worker *w = who;

	w->session = *(const struct msg_auth_cookie_rep *)m;
	w->lane = chan_take_fd(fds, 0);
	return 0;
}

static int on_denied(void *who, const void *m, const int *fds)
{
	((struct worker *)who)->denied = ((const struct msg_auth_cookie_denied *)m)->status;
	return 0;
}

static int on_profile(void *who, const void *m, const int *fds)
{
	struct worker *w = who;
	ssize_t n = read(fds[0], w->profile, sizeof(w->profile) - 1);

	w->profile[n < 0 ? 0 : n] = '\0';
	return 0;
}

static const chan_handler from_main[MSG_NUMBERS] = {
	[MSG_PROFILE_REP] = on_profile,     [MSG_PROFILE_NONE] = on_item,         [MSG_SESSION_ITEM] = on_item,
	[MSG_AUTH_COOKIE_REP] = on_session, [MSG_AUTH_COOKIE_DENIED] = on_denied, [MSG_TERMINATE] = on_item,
};

static void worker_show_cookie(struct worker *w)
{
	struct msg_auth_cookie_req m = { .cookie_len = COOKIE_SIZE, .user_agent = "hostile", .want_ipv4 = 1 };

	memcpy(m.cookie, w->login.cookie.cookie, COOKIE_SIZE);
	chan_enter(&w->main, WM_ASKED);
	assert_int_equal(CHAN_SEND(&w->main, AUTH_COOKIE_REQ, &m), 0);
}

static void worker_connect(struct worker *w)
{
	worker_open(w);
	assert_true(login_all(&w->login, "alice"));
	worker_show_cookie(w);
	assert_int_equal(chan_await(&w->main, from_main, w, MSG_AUTH_COOKIE_REP, 10000), 0);
	assert_true(w->lane >= 0);
	chan_enter(&w->main, WM_UP);
}

static void worker_disconnect(struct worker *w)
{
	assert_int_equal(CHAN_SEND(&w->main, SESSION_END, &(struct msg_session_end){ .reason = END_BY_USER }), 0);
	worker_close(w);
}

static bool worker_pings(const struct worker *w)
{
	static const uint8_t gateway_ip[4] = { 10, 77, 0, 1 };

	return ping(w->lane, w->session.ipv4.ip, gateway_ip);
}

static void honest_session_works(void)
{
	struct worker w;

	worker_connect(&w);
	assert_true(worker_pings(&w));
	worker_disconnect(&w);
}

// ----------------------------------------------------------------------------------------------------------------- states

// Main is made to sleep while the worker shows its cookie and attacks, so that both are there when it wakes: sec-mod's answer
// cannot come in between.
static void gateway_sleeps(bool on)
{
	int status;

	kill(gateway.pid, on ? SIGSTOP : SIGCONT);
	if (on)
		assert_int_equal(waitpid(gateway.pid, &status, WUNTRACED), gateway.pid);
}

static void reach_opening(struct worker *w)
{
	worker_open(w);
	assert_true(login_all(&w->login, "alice"));
	gateway_sleeps(true);
	worker_show_cookie(w);
}

static const struct place {
	const char *name;
	uint32_t state;
	void (*reach)(struct worker *);
} proxied = { "MW_PROXY", MW_PROXY, worker_open_proxied }, fresh = { "MW_FRESH", MW_FRESH, worker_open },
  opening = { "MW_OPENING", MW_OPENING, reach_opening }, up = { "MW_UP", MW_UP, worker_connect };

static void attack_from(void *arg, const struct attack *a)
{
	const struct place *p = arg;
	struct worker w;

	p->reach(&w);
	assert_int_equal(probe_send(w.main.fd, a->packet.buf, a->packet.len, a->fds), 0);
	if (p == &opening)
		gateway_sleeps(false);
	if (!victim_drops(w.main.fd))
		fail_msg("%s in %s: the offender keeps its channel", a->name, p->name);
	worker_close(&w);
	if (!victim_lives(&gateway))
		fail_msg("%s in %s: penstockd died", a->name, p->name);
	if (!victim_fds_settle(&gateway))
		fail_msg("%s in %s: %d descriptors, not %d", a->name, p->name, probe_count_fds(gateway.pid), gateway.fds);
	honest_session_works();
	attacks++;
}

static void out_of_place_when_proxied(void **state)
{
	attacks_out_of_place(ROLE_WORKER, ROLE_MAIN, proxied.state, attack_from, (void *)&proxied);
}

static void out_of_place_when_fresh(void **state)
{
	attacks_out_of_place(ROLE_WORKER, ROLE_MAIN, fresh.state, attack_from, (void *)&fresh);
}

static void out_of_place_when_opening(void **state)
{
	attacks_out_of_place(ROLE_WORKER, ROLE_MAIN, opening.state, attack_from, (void *)&opening);
}

static void out_of_place_when_up(void **state)
{
	attacks_out_of_place(ROLE_WORKER, ROLE_MAIN, up.state, attack_from, (void *)&up);
}

static void without_head(void **state)
{
	attacks_without_head(attack_from, (void *)&fresh);
}

static const struct {
	int number;
	const struct place *place;
	size_t step;
} malformed[] = { { MSG_AUTH_COOKIE_REQ, &fresh, 19 },
	          { MSG_SESSION_INFO, &up, 5 },
	          { MSG_SESSION_END, &up, 1 },
	          { MSG_PROFILE_ASK, &fresh, 1 },
	          { MSG_PROXY_SOURCE, &proxied, 1 } };

static void with_wrong_descriptors(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		attacks_by_fds(malformed[i].number, attack_from, (void *)malformed[i].place);
}

static void with_wrong_lengths(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		attacks_by_length(malformed[i].number, malformed[i].step, attack_from, (void *)malformed[i].place);
}

static void with_wrong_fields(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		attacks_by_field(malformed[i].number, attack_from, (void *)malformed[i].place);
}

// ------------------------------------------------------------------------------------------- what the table cannot forbid

static void a_cookie_of_nobody(void **state)
{
	struct worker w;
	int i;

	for (i = 0; i < 10; i++) {
		worker_open(&w);
		memset(w.login.cookie.cookie, i, COOKIE_SIZE);
		worker_show_cookie(&w);
		assert_int_equal(chan_await(&w.main, from_main, &w, MSG_AUTH_COOKIE_DENIED, 10000), 0);
		assert_int_equal(w.denied, 401);
		assert_true(w.lane < 0);
		worker_close(&w);
		honest_session_works();
	}
}

// It opens its channel to sec-mod before main has heard whose it is: nothing of that is read before.
static void asking_before_the_header(void **state)
{
	struct victim busy = gateway;
	struct worker w;

	worker_open_proxied(&w);
	assert_int_equal(login_ask_signature(&w.login), 0);
	assert_int_equal(poll(&(struct pollfd){ .fd = w.login.chan.fd, .events = POLLIN }, 1, 300), 0);
	busy.fds += 2; // its channel, and sec-mod's end of the other
	assert_true(victim_fds_settle(&busy));
	worker_names_client(&w);
	assert_int_equal(login_await(&w.login, MSG_SIGN_REP), 0);
	busy.fds--;
	assert_true(victim_fds_settle(&busy));
	worker_names_client(&w); // twice
	assert_true(victim_drops(w.main.fd));
	worker_close(&w);
	honest_session_works();
	assert_true(victim_fds_settle(&gateway));
}

static void ask_profile(struct worker *w)
{
	assert_int_equal(CHAN_SEND(&w->main, PROFILE_ASK, &(struct msg_profile_ask){}), 0);
}

// Whose it is sec-mod alone says: nobody's before a login, and his who has then logged in. Nothing of it stays with main.
static void a_profile_of_nobody(void **state)
{
	struct victim busy = gateway;
	struct worker w;

	busy.fds++; // a worker's channel
	for (int login = 0; login <= 2; login++) {
		worker_open(&w);
		if (login == 2)
			assert_true(login_all(&w.login, "alice"));
		ask_profile(&w);
		if (login < 2)
			assert_int_equal(poll(&(struct pollfd){ .fd = w.main.fd, .events = POLLIN }, 1, 300), 0);
		if (login == 1)
			assert_true(login_all(&w.login, "alice"));
		if (login > 0) {
			assert_int_equal(chan_await(&w.main, from_main, &w, MSG_PROFILE_REP, 10000), 0);
			assert_string_equal(w.profile, "<of alice/>");
		}
		assert_true(victim_fds_settle(&busy));
		if (login < 2) {
			ask_profile(&w); // once a connection
			assert_true(victim_drops(w.main.fd));
		}
		worker_close(&w);
		assert_true(victim_fds_settle(&gateway));
		honest_session_works();
	}
	assert_true(victim_fds_settle(&gateway));
}

// Main gives a worker that it has sent away, or that has said goodbye, some seconds before it kills it.
static bool drops_within_grace(const struct worker *w)
{
	int i;

	for (i = 0; i < 12; i++)
		if (victim_drops(w->main.fd))
			return true;
	return false;
}

// After its goodbye nobody listens to it; it may say what it likes until its grace is over.
static void talking_on_after_the_goodbye(void **state)
{
	static struct attack a;
	struct worker w;
	int n, i;

	worker_connect(&w);
	CHAN_SEND(&w.main, SESSION_END, &(struct msg_session_end){ .reason = END_BY_USER });
	for (i = 0; i < 20; i++)
		for (n = 1; n < MSG_NUMBERS; n++)
			if (msg_descs[n].name) {
				attack_well_formed(&a, n, 0);
				probe_send(w.main.fd, a.packet.buf, a.packet.len, i == 0 ? PROBE_FDS_MAX : a.fds);
			}
	honest_session_works();
	assert_true(drops_within_grace(&w));
	worker_close(&w);
	assert_true(victim_fds_settle(&gateway));
}

static void floods(void **state)
{
	static struct attack a;
	struct worker w;
	size_t i;
	int n;

	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		malformed[i].place->reach(&w);
		attack_well_formed(&a, malformed[i].number, 1);
		for (n = 0; n < 100000; n++)
			if (probe_send(w.main.fd, a.packet.buf, a.packet.len, 0) < 0)
				break;
		assert_true(drops_within_grace(&w));
		worker_close(&w);
		honest_session_works();
	}
	assert_true(victim_fds_settle(&gateway));
}

static void breaking_a_rule_on_the_lane(void **state)
{
	struct worker w;
	int i;

	for (i = 0; i < 5; i++) {
		worker_connect(&w);
		assert_int_equal(probe_send(w.lane, "\x91\x7f", 2, 0), 0);
		assert_true(victim_drops(w.lane));
		assert_true(victim_drops(w.main.fd));
		worker_close(&w);
		honest_session_works();
	}
	assert_true(victim_fds_settle(&gateway));
}

// Its configuration has more lines than its socket takes, and it reads none.
static void one_that_never_reads(void **state)
{
	struct worker w;
	int i;

	worker_open(&w);
	assert_true(login_all(&w.login, "alice"));
	worker_show_cookie(&w);
	for (i = 0; i < 20; i++)
		honest_session_works();
	worker_close(&w);
	assert_true(victim_fds_settle(&gateway));
}

static pid_t process_that_spins(void)
{
	const pid_t parent = getpid();
	pid_t pid = fork();

	while (pid == 0)
		if (getppid() != parent)
			_exit(0);
	return pid;
}

// Of a process that still is.
static unsigned long cpu_ms(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return (unsigned long)ts.tv_sec * 1000 + (unsigned long)ts.tv_nsec / 1000000;
}

// Its client sends nothing, and yet it uses all the CPU time there is. One that works for nobody, but sleeps, stays.
static void one_that_spins(void **state)
{
	struct worker w, idle;
	pid_t pid = process_that_spins();
	uint64_t next = NEXT_PID | (uint64_t)pid;
	unsigned long used = 0;
	bool dropped = false;

	worker_connect(&idle);
	assert_int_equal(send(puppet_fd, &next, sizeof(next), 0), sizeof(next));
	worker_connect(&w);
	for (; used < 15000 && !dropped; used = cpu_ms(pid)) // however busy the machine is
		dropped = victim_drops(w.main.fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(dropped);
	assert_in_range(used, 4000, 15000);
	worker_close(&w);
	assert_true(worker_pings(&idle));
	worker_disconnect(&idle);
	honest_session_works();
	assert_true(victim_fds_settle(&gateway));
}

static void leaving_in_every_state(void **state)
{
	struct worker w;

	worker_open_proxied(&w);
	worker_close(&w);
	worker_open(&w);
	worker_close(&w);
	reach_opening(&w);
	worker_close(&w);
	gateway_sleeps(false);
	honest_session_works();
	worker_connect(&w);
	worker_close(&w);
	honest_session_works();
	assert_true(victim_fds_settle(&gateway));
}

static void it_is_still_the_same(void **state)
{
	int status = -1, i;

	assert_true(victim_lives(&gateway));
	print_message("%ld attacks; peak of penstockd's memory %ld KiB\n", attacks, probe_status_kib(gateway.pid, "VmHWM:"));
	kill(gateway.pid, SIGTERM);
	for (i = 0; i < 2000 && waitpid(gateway.pid, &status, WNOHANG) == 0; i++)
		usleep(10000);
	gateway.pid = -1;
	assert_int_equal(status, 0);
}

// ----------------------------------------------------------------------------------------------------------------- set-up

static int write_config(void)
{
	static char text[65536];
	size_t n;
	int i;

	n = (size_t)snprintf(text, sizeof(text),
	                     "auth = \"plain[passwd=%s/passwd]\"\nserver-cert = %s/cert.pem\nserver-key = %s/key.pem\n"
	                     "tcp-port = %d\nudp-port = %d\nlisten-host = 127.0.0.1\nouter = lo\nhuge-pages = no\ndevice = vpns\n"
	                     "ipv4-network = 10.77.0.0/16\nmax-clients = 1000\nmax-ban-score = 0\nuse-occtl = false\n"
	                     "listen-proxy-proto = true\nproxy-from = 127.0.0.1\n"
	                     "pid-file = %s/pid\nsession-file = %s/sessions\nlog-level = 0\nconfig-per-user = %s/users\n",
	                     dir, dir, dir, TCP_PORT, TCP_PORT, dir, dir, dir);
	for (i = 0; i < 500; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "route = 10.%d.%d.0/24\n", 100 + i / 250, i % 250);
	return login_write_file(dir, "conf", text);
}

static int write_profile(void)
{
	char users[300];

	snprintf(users, sizeof(users), "%s/users", dir);
	return mkdir(users, 0755) < 0 || login_write_file(users, "alice", "user-profile = alice.xml\n") < 0 ||
	                       login_write_file(users, "alice.xml", "<of alice/>") < 0
	               ? -1
	               : 0;
}

// penstockd looks for the others beside itself; only its own path has to be a file, not a link.
static int install_programs(void)
{
	char to[300], from[PATH_MAX], command[1000];
	static const char *const links[] = { "penstock-secmod", "penstock-dataplane" };
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(to, sizeof(to), "%s/%s", dir, links[i]);
		if (!realpath(victim_path(links[i]), from) || symlink(from, to) < 0)
			return -1;
	}
	snprintf(command, sizeof(command), "cp '%s' '%s/penstockd'", victim_path("penstockd"), dir);
	snprintf(to, sizeof(to), "%s/penstock-worker", dir);
	return system(command) == 0 && realpath("/proc/self/exe", from) && symlink(from, to) == 0 ? 0 : -1;
}

static int listen_for_puppet(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%.80s/puppet", dir);
	puppet_listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(puppet_listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(puppet_listener, 1) < 0)
		return -1;
	return 0;
}

static int start_gateway(void)
{
	char path[300], conf[300];
	struct pollfd p = { .fd = puppet_listener, .events = POLLIN };
	int i, fd = -1;

	snprintf(path, sizeof(path), "%s/penstockd", dir);
	snprintf(conf, sizeof(conf), "%s/conf", dir);
	gateway.pid = fork();
	if (gateway.pid == 0) {
		execl(path, path, "-f", "--log-stderr", "-c", conf, NULL);
		_exit(127);
	}
	if (poll(&p, 1, 60000) != 1)
		return -1;
	puppet_fd = accept4(puppet_listener, NULL, NULL, SOCK_CLOEXEC);
	for (i = 0; i < 500 && fd < 0; i++) {
		usleep(10000);
		fd = connect_tcp();
	}
	if (fd < 0)
		return -1;
	close(fd); // main hands this one out too
	return 0;
}

static int forget_first_connection(void)
{
	struct worker w = { .lane = -1, .client = -1 };
	struct chan from;

	chan_init(&from, puppet_fd, ROLE_NURSERY, ROLE_MAIN, CHAN_PLAIN, "puppet");
	if (chan_await(&from, from_puppet, &w, MSG_CONN_START, 10000) < 0)
		return -1;
	worker_close(&w);
	return 0;
}

static int setup(void **state)
{
	log_init("main_worker", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	signal(SIGPIPE, SIG_IGN);
	alarm(900); // a hang is a failure
	if (netns_enter() < 0 || !mkdtemp(dir) || chmod(dir, 0755) < 0 || login_write_files(dir) < 0 || write_config() < 0 ||
	    write_profile() < 0 || install_programs() < 0 || listen_for_puppet() < 0 || start_gateway() < 0 ||
	    forget_first_connection() < 0)
		return -1;
	honest_session_works();
	usleep(300000); // it has seen the worker go
	gateway.fds = probe_count_fds(gateway.pid);
	return 0;
}

static int teardown(void **state)
{
	char command[300];

	if (gateway.pid > 0) {
		kill(gateway.pid, SIGCONT);
		kill(gateway.pid, SIGTERM);
		waitpid(gateway.pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_of_place_when_proxied),
		cmocka_unit_test(out_of_place_when_fresh),
		cmocka_unit_test(out_of_place_when_opening),
		cmocka_unit_test(out_of_place_when_up),
		cmocka_unit_test(without_head),
		cmocka_unit_test(with_wrong_descriptors),
		cmocka_unit_test(with_wrong_lengths),
		cmocka_unit_test(with_wrong_fields),
		cmocka_unit_test(a_cookie_of_nobody),
		cmocka_unit_test(asking_before_the_header),
		cmocka_unit_test(a_profile_of_nobody),
		cmocka_unit_test(talking_on_after_the_goodbye),
		cmocka_unit_test(floods),
		cmocka_unit_test(breaking_a_rule_on_the_lane),
		cmocka_unit_test(one_that_never_reads),
		cmocka_unit_test(one_that_spins),
		cmocka_unit_test(leaving_in_every_state),
		cmocka_unit_test(it_is_still_the_same),
	};

	if (strstr(argv[0], "/penstock-worker"))
		return puppet_main(argv[0]);
	if (geteuid() != 0) {
		fprintf(stderr, "main_worker: needs root, for a network namespace of its own\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
