// A running penstockd with its real sec-mod and dataplane, in a network namespace of the test's own, and workers that the test
// plays (puppet.h): of main, of sec-mod, and on their lanes.
#pragma once
#include <limits.h>
#include <sys/stat.h>

#include "login.h"
#include "measure.h"
#include "netns.h"
#include "ping.h"
#include "puppet.h"

#define TCP_PORT 4443
#define MEASURED_SECMOD 1

static struct victim gateway, main_part; // what was started, the keeper; and its child
static char dir[] = "/tmp/penstock-hostile-XXXXXX";
static int puppet_listener = -1, puppet_fd = -1, first_client = -1;

struct worker {
	uint64_t conn;
	int client, served; // the client's end of its TCP connection, and ours
	struct chan main;
	struct login login;
	int lane;
	struct msg_auth_cookie_rep session;
	uint16_t denied; // HTTP status
	char profile[16];
	bool told; // to say goodbye
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

// Who says nothing gets no worker.
static int connect_tcp(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(TCP_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && write(fd, "\x16", 1) == 1)
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

static void worker_names(struct worker *w, uint8_t host)
{
	struct msg_proxy_source m = { .client = { .family = 4, .prefix = 32, .port = 4711, .ip = { 203, 0, 113, host } } };

	assert_int_equal(CHAN_SEND(&w->main, PROXY_SOURCE, &m), 0);
}

static void worker_names_client(struct worker *w)
{
	worker_names(w, 7);
}

static void worker_open(struct worker *w)
{
	worker_open_proxied(w);
	worker_names_client(w);
}

// Its process ends, of itself or by a crash.
static void worker_end(struct worker *w, uint64_t how)
{
	uint64_t word = w->conn | how;

	chan_fini(&w->main);
	chan_fini(&w->login.chan);
	close(w->client);
	close(w->served);
	if (w->lane >= 0)
		close(w->lane);
	assert_int_equal(send(puppet_fd, &word, sizeof(word), 0), sizeof(word));
}

static void worker_close(struct worker *w)
{
	worker_end(w, 0);
}

static int on_item(void *who, const void *m, const int *fds)
{
	return 0;
}

static int on_told(void *who, const void *m, const int *fds)
{
	((struct worker *)who)->told = true;
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
	[MSG_AUTH_COOKIE_REP] = on_session, [MSG_AUTH_COOKIE_DENIED] = on_denied, [MSG_TERMINATE] = on_told,
	[MSG_WORKER_PING] = on_item,
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

// ----------------------------------------------------------------------------------------------------------------- set-up

// More of it, and where 500 routes make more lines than a socket takes.
static int write_config(const char *more, int routes)
{
	static char text[65536];
	size_t n;
	int i;

	n = (size_t)snprintf(text, sizeof(text),
	                     "auth = \"plain[passwd=%s/passwd]\"\nserver-cert = %s/cert.pem\nserver-key = %s/key.pem\n"
	                     "tcp-port = %d\nudp-port = %d\nlisten-host = 127.0.0.1\nouter = lo\nhuge-pages = no\ndevice = vpns\n"
	                     "ipv4-network = 10.77.0.0/16\nmax-clients = 1000\n"
	                     "listen-proxy-proto = true\nproxy-from = 127.0.0.1\n"
	                     "pid-file = %s/pid\nsession-file = %s/sessions\nlog-level = 0\nconfig-per-user = %s/users\n"
	                     "occtl-socket-file = %s/admin\n%s",
	                     dir, dir, dir, TCP_PORT, TCP_PORT, dir, dir, dir, dir, more);
	for (i = 0; i < routes; i++)
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
	first_client = fd; // main hands this one out too
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
	close(first_client);
	return 0;
}

// A child of that process, by its name; -1.
static pid_t child_of(pid_t of, const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	char path[300], line[256];
	pid_t found = -1;

	while (proc && found < 0 && (e = readdir(proc))) {
		FILE *f;
		int pid, parent;
		char comm[64];

		snprintf(path, sizeof(path), "/proc/%.20s/stat", e->d_name);
		f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		if (f && fgets(line, sizeof(line), f) && sscanf(line, "%d (%63[^)]) %*c %d", &pid, comm, &parent) == 3 &&
		    parent == of && strncmp(comm, name, strlen(comm)) == 0)
			found = pid;
		if (f)
			fclose(f);
	}
	if (proc)
		closedir(proc);
	return found;
}

// Signals go to what this finds: nobody is no answer.
static PROBE_UNUSED pid_t gateway_part(const char *name)
{
	pid_t pid = child_of(main_part.pid, name);

	if (pid <= 0)
		fail_msg("main has no %s", name);
	return pid;
}

static PROBE_UNUSED int gateway_setup(const char *test, const char *more, int routes)
{
	log_init(test, LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	signal(SIGPIPE, SIG_IGN);
	alarm(900); // a hang is a failure
	if (netns_enter() < 0 || !mkdtemp(dir) || chmod(dir, 0755) < 0 || login_write_files(dir) < 0 ||
	    write_config(more, routes) < 0 || write_profile() < 0 || install_programs() < 0 || listen_for_puppet() < 0 ||
	    start_gateway() < 0 || forget_first_connection() < 0)
		return -1;
	honest_session_works();
	usleep(300000); // it has seen the worker go
	main_part.pid = child_of(gateway.pid, "penstockd");
	main_part.fds = probe_count_fds(main_part.pid);
	return main_part.pid > 0 ? 0 : -1;
}

// From here on somebody looks on, and what comes is a row of the table.
static PROBE_UNUSED int gateway_measure(void)
{
	static const uint8_t gateway_ip[4] = { 10, 77, 0, 1 };
	static struct worker w;

	worker_connect(&w);
	main_part.fds++;                        // its channel
	measure_process("main", main_part.pid); // in this order: MEASURED_SECMOD
	measure_process("sec-mod", gateway_part("penstock-secmod"));
	measure_process("dataplane", gateway_part("penstock-dataplane"));
	return bystander_start(w.lane, w.session.ipv4.ip, gateway_ip, &w.main, from_main);
}

static PROBE_UNUSED bool gateway_lives(void)
{
	return victim_lives(&gateway) && kill(main_part.pid, 0) == 0;
}

// Its exit status, or -1.
static PROBE_UNUSED int gateway_stop(void)
{
	int status = -1, i;

	kill(gateway.pid, SIGTERM);
	for (i = 0; i < 2000 && waitpid(gateway.pid, &status, WNOHANG) == 0; i++)
		usleep(10000);
	gateway.pid = -1;
	return status;
}

static PROBE_UNUSED int gateway_teardown(void **state)
{
	char command[300];

	bystander_stop();
	if (gateway.pid > 0) {
		if (main_part.pid > 0)
			kill(main_part.pid, SIGCONT);
		kill(gateway.pid, SIGTERM);
		waitpid(gateway.pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}
