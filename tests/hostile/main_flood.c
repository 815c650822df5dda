// The running penstockd, with its real sec-mod and dataplane, against workers that send as fast as they can, send descriptors that
// nobody takes, read nothing, spin, hang, or crash again and again (gateway.h). A bystander pings all the time, and others log in
// meanwhile.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "attack.h"
#include "flooder.h"
#include "gateway.h"

#define LOGINS 20        // while a flood goes on
#define FLOOD_US 1000000 // of what the receiver may take for ever
#define OFFENDERS_MAX 32
#define NOBODY 65534

static struct offender {
	struct worker w;
	struct flooder flood;
} offenders[OFFENDERS_MAX];
static int n_offenders;

// It is up, and from then on reads nothing: what main asks it lies there. Others are attacked meanwhile.
static struct worker hung = { .main.fd = -1 };
static uint64_t hung_us, hung_for_us;

static bool hung_is_ended(int timeout_ms)
{
	struct pollfd p = { .fd = hung.main.fd };

	if (hung.main.fd >= 0 && !hung_for_us && poll(&p, 1, timeout_ms) == 1 && p.revents & POLLHUP)
		hung_for_us = now_us() - hung_us;
	return hung_for_us != 0;
}

static void others_log_in(int times)
{
	hung_is_ended(0);
	for (int i = 0; i < times; i++) {
		uint64_t began = now_us();

		honest_session_works();
		measure_login(began);
	}
}

// Main gives a worker that it has sent away, or that has said goodbye, some seconds before it kills it.
static bool drops_within_grace(const struct worker *w)
{
	for (int i = 0; i < 12; i++)
		if (victim_drops(w->main.fd))
			return true;
	return false;
}

static struct offender *offender_new(void)
{
	assert_true(n_offenders < OFFENDERS_MAX);
	return &offenders[n_offenders++];
}

static void offender_floods(struct offender *o, int fd, const void *packet, size_t len)
{
	measure_attack();
	assert_int_equal(flooder_start(&o->flood, fd, packet, len), 0);
}

// Each loses what it has flooded; `kills`: and its channel to main.
static void offenders_end(bool kills)
{
	for (int i = 0; i < n_offenders; i++) {
		struct offender *o = &offenders[i];

		if (kills && !drops_within_grace(&o->w))
			fail_msg("offender %d keeps its channel", i);
		if (kills)
			measure_ended();
		flooder_stop(&o->flood);
		worker_close(&o->w);
	}
	n_offenders = 0;
}

// -------------------------------------------------------------------------------------------------------- floods of messages

static const uint32_t main_states[] = { MW_PROXY, MW_FRESH, MW_UP };
static void (*const main_reach[])(struct worker *) = { worker_open_proxied, worker_open, worker_connect };

static void flood_main(void *who, int number, size_t state)
{
	static struct attack a;
	struct offender *o = offender_new();

	main_reach[state](&o->w);
	attack_well_formed(&a, number, 1);
	offender_floods(o, o->w.main.fd, a.packet.buf, a.packet.len);
}

// After its goodbye nobody listens to it; it may say what it likes until its grace is over.
static void flood_after_goodbye(void)
{
	static struct attack a;
	struct offender *o = offender_new();

	worker_connect(&o->w);
	CHAN_SEND(&o->w.main, SESSION_END, &(struct msg_session_end){ .reason = END_BY_USER });
	for (int n = 1; n < MSG_NUMBERS; n++)
		if (msg_descs[n].name) {
			attack_well_formed(&a, n, 0);
			probe_send(o->w.main.fd, a.packet.buf, a.packet.len, PROBE_FDS_MAX);
		}
	offender_floods(o, o->w.main.fd, a.packet.buf, a.packet.len);
}

static void floods_of_main(void **state)
{
	measure_begin("to main: each message at full speed, and on after the goodbye");
	attacks_from_table(ROLE_WORKER, ROLE_MAIN, main_states, 3, flood_main, NULL);
	flood_after_goodbye();
	others_log_in(LOGINS);
	offenders_end(true);
	measure_end();
}

static void reach_signed(struct worker *w)
{
	worker_open(w);
	assert_true(login_sign(&w->login));
}

static void reach_asked(struct worker *w)
{
	reach_signed(w);
	assert_true(login_begin(&w->login, "alice"));
}

static const uint32_t secmod_states[] = { SW_HELLO, SW_SIGNED, SW_ASKED };
static void (*const secmod_reach[])(struct worker *) = { worker_open, reach_signed, reach_asked };

static void flood_secmod(void *who, int number, size_t state)
{
	static struct attack a;
	struct offender *o = offender_new();

	secmod_reach[state](&o->w);
	attack_well_formed(&a, number, 1);
	offender_floods(o, o->w.login.chan.fd, a.packet.buf, a.packet.len);
}

static void floods_of_secmod(void **state)
{
	measure_begin("to sec-mod: each message at full speed");
	attacks_from_table(ROLE_WORKER, ROLE_SECMOD, secmod_states, 3, flood_secmod, NULL);
	others_log_in(LOGINS);
	for (int i = 0; i < n_offenders; i++) {
		if (!victim_drops(offenders[i].w.login.chan.fd))
			fail_msg("flood %d: sec-mod keeps its channel", i);
		measure_ended();
	}
	offenders_end(false);
	measure_end();
}

// ------------------------------------------------------------------------------------------------------------ floods of packets

static const uint8_t inside[4] = { 10, 77, 0, 1 }, nobodys[4] = { 10, 77, 99, 99 };

static void flood_lane(const char *name, const uint8_t *from, bool own)
{
	struct offender *o = offender_new();
	uint8_t packet[PING_SIZE];
	uint64_t until;

	measure_begin(name);
	worker_connect(&o->w);
	ping_make(packet, own ? o->w.session.ipv4.ip : from, inside);
	offender_floods(o, o->w.lane, packet, sizeof(packet));
	for (until = now_us() + FLOOD_US; now_us() < until;)
		others_log_in(1);
	offenders_end(false);
	measure_end();
}

static void floods_of_the_lane(void **state)
{
	flood_lane("lane: its client's packets at full speed, and no answer read", NULL, true);
	flood_lane("lane: packets of somebody else's address at full speed", nobodys, false);
}

// The kernel behind the inner port sends to a client whose worker reads nothing: 40 Mbit/s, which every machine carries. What is
// more than that is in everybody's way before it is known whose it is.
static void a_lane_that_never_reads(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct offender *o = offender_new();
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	static const uint8_t packet[1000];
	uint64_t until;

	measure_begin("lane: never read, while the LAN sends its client 40 Mbit/s");
	worker_connect(&o->w);
	o->flood.gently = true;
	memcpy(&to.sin_addr, o->w.session.ipv4.ip, 4);
	assert_int_equal(connect(udp, (struct sockaddr *)&to, sizeof(to)), 0);
	offender_floods(o, udp, packet, sizeof(packet));
	for (until = now_us() + FLOOD_US; now_us() < until;)
		others_log_in(1);
	o->flood.gently = false;
	offenders_end(false);
	close(udp);
	measure_end();
}

// --------------------------------------------------------------------------------------------------------------- descriptors

// As an unprivileged worker with its limits, as much as the kernel lets it have on the way; whether that came to an end.
static bool fills_with_descriptors(const int *fds, int n)
{
	struct rlimit files = { 16, 16 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		long sent = 0;
		int ret = 0;

		probe_send(-1, "", 0, 0); // opens what it sends
		if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(2);
		for (int i = 0; i < n; i++)
			while (sent < 1000000 && (ret = probe_send(fds[i], "x", 1, PROBE_FDS_MAX)) == 0)
				sent++;
		_exit(ret == -ETOOMANYREFS ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Sec-mod's end lies with main, unread, until main knows whose connection it is.
static void descriptors_that_nobody_takes(void **state)
{
	struct worker w[4];
	int unread[4];

	measure_begin("descriptors: 253 in each packet, where nobody reads, until the kernel lets that user send no more");
	for (int i = 0; i < 4; i++) {
		worker_open_proxied(&w[i]);
		unread[i] = w[i].login.chan.fd;
		measure_attack();
	}
	assert_true(fills_with_descriptors(unread, 4));
	others_log_in(LOGINS);
	for (int i = 0; i < 4; i++)
		worker_close(&w[i]);
	measure_end();
}

static void descriptors_at_full_speed(void **state)
{
	struct worker w;
	int fd;

	measure_begin("descriptors: 253 in each packet, to main, to sec-mod, on the lane");
	for (int i = 0; i < 21; i++) {
		worker_connect(&w);
		measure_attack();
		fd = i % 3 == 0 ? w.main.fd : i % 3 == 1 ? w.login.chan.fd : w.lane;
		fills_with_descriptors(&fd, 1);
		assert_true(victim_drops(fd));
		measure_ended();
		worker_close(&w);
		others_log_in(1);
	}
	measure_end();
}

// ------------------------------------------------------------------------------------------------------------------ silence

static void breaking_a_rule_on_the_lane(void **state)
{
	struct worker w;

	measure_begin("lane: what is neither a packet nor a message");
	for (int i = 0; i < 5; i++) {
		worker_connect(&w);
		measure_attack();
		assert_int_equal(probe_send(w.lane, "\x91\x7f", 2, 0), 0);
		assert_true(victim_drops(w.lane));
		assert_true(victim_drops(w.main.fd));
		measure_ended();
		worker_close(&w);
		others_log_in(1);
	}
	measure_end();
}

// Its configuration has more lines than its socket takes, and it reads none.
static void one_that_never_reads(void **state)
{
	struct worker w;

	measure_begin("to main: a session is asked for, and its answer never read");
	measure_attack();
	worker_open(&w);
	assert_true(login_all(&w.login, "alice"));
	worker_show_cookie(&w);
	others_log_in(LOGINS);
	worker_close(&w);
	measure_end();
}

// Half of it: its words still come, ours cannot go; and the other way round.
static void one_that_hangs_up_half(void **state)
{
	struct worker w;

	measure_begin("channels that are shut down one way, or by an empty packet");
	for (int how = 0; how < 6; how++) {
		worker_connect(&w);
		measure_attack();
		if (how < 4) {
			shutdown(how & 1 ? w.lane : w.main.fd, how & 2 ? SHUT_RD : SHUT_WR);
		} else {
			assert_int_equal(probe_send(how & 1 ? w.lane : w.main.fd, "", 0, PROBE_FDS_MAX), 0);
		}
		others_log_in(2);
		worker_close(&w);
	}
	measure_end();
}

static void one_that_hangs_begins(void **state)
{
	worker_connect(&hung);
	chan_fini(&hung.login.chan);
	hung_us = now_us();
	for (int i = 0; i < n_measured; i++) {
		measured[i].spare = i != MEASURED_SECMOD; // its channel, and its lane
		measured[i].fds += measured[i].spare;
	}
}

static void one_that_hangs_is_ended(void **state)
{
	measure_begin("a worker that hangs, with a session that is up");
	while (now_us() - hung_us < 120 * 1000000UL && !hung_is_ended(1000))
		;
	assert_true(hung_for_us > 0);
	worker_close(&hung);
	for (int i = 0; i < n_measured; i++) {
		measured[i].fds -= measured[i].spare;
		measured[i].spare = 0;
	}
	row.cases = 1;
	row.ended_us = hung_for_us;
	others_log_in(1);
	measure_end();
}

// ------------------------------------------------------------------------------------------------------- the operator's socket

#define SESSIONS_LISTED 400 // more rows than a channel has room for
#define HANG_UPS 20         // more than sec-mod lets main ask for at once

static int rows_seen;
static bool answer_ok;

static int on_cell(void *who, const void *m, const int *fds)
{
	rows_seen += strcmp(((const struct msg_admin_value *)m)->key, "Full session") == 0;
	return 0;
}

static int on_answer(void *who, const void *m, const int *fds)
{
	answer_ok = ((const struct msg_admin_end *)m)->ok;
	return 0;
}

static const chan_handler to_operator[MSG_NUMBERS] = { [MSG_ADMIN_VALUE] = on_cell, [MSG_ADMIN_END] = on_answer };

static void operator_asks(struct chan *c, const char *command)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct msg_admin_req m = { 0 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%.80s/admin", dir);
	snprintf(m.command, sizeof(m.command), "%s", command);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	chan_init(c, fd, ROLE_CTL, ROLE_MAIN, CHAN_PLAIN, "main");
	assert_int_equal(CHAN_SEND(c, ADMIN_REQ, &m), 0);
}

static void part_sleeps(const struct measured *m, bool on)
{
	kill(m->pid, on ? SIGSTOP : SIGCONT);
	assert_true(!on || probe_stops(m->pid));
}

// Who asks for a long list and does not wait for it, many times, holds up nobody who does.
static void lists_that_nobody_waits_for(void **state)
{
	struct worker w;
	struct chan c;

	measure_begin("operator's socket: 20 lists of 400 sessions are asked for by who hangs up at once");
	for (int i = 0; i < SESSIONS_LISTED; i++) {
		worker_open(&w);
		assert_true(login_all(&w.login, "alice"));
		worker_close(&w);
	}
	part_sleeps(&measured[MEASURED_SECMOD], true);
	for (int i = 0; i < HANG_UPS; i++) {
		measure_attack();
		operator_asks(&c, "show sessions");
		chan_fini(&c);
		assert_true(measure_fds_settle(&measured[0])); // main has read it, and seen the end
	}
	operator_asks(&c, "show sessions");
	part_sleeps(&measured[MEASURED_SECMOD], false);
	assert_int_equal(chan_await(&c, to_operator, NULL, MSG_ADMIN_END, 20000), 0);
	assert_true(answer_ok);
	assert_in_range(rows_seen, SESSIONS_LISTED, SESSIONS_LISTED + 100);
	chan_fini(&c);
	others_log_in(1);
	measure_end();
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

// Its client sends nothing, and yet it uses all the CPU time there is. One that works for nobody, but sleeps, stays: the bystander.
static void one_that_spins(void **state)
{
	pid_t pid = process_that_spins();
	uint64_t next = NEXT_PID | (uint64_t)pid;
	unsigned long used = 0;
	bool dropped = false;
	struct worker w;

	measure_begin("a worker that uses all the CPU time there is");
	assert_int_equal(send(puppet_fd, &next, sizeof(next), 0), sizeof(next));
	worker_connect(&w);
	measure_attack();
	for (; used < 15000 && !dropped; used = cpu_ms(pid)) // however busy the machine is
		dropped = victim_drops(w.main.fd);
	measure_ended();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(dropped);
	assert_in_range(used, 4000, 15000);
	worker_close(&w);
	others_log_in(1);
	measure_end();
}

// Whose workers die again and again gets no more of them; its neighbours do.
static void one_that_crashes_again_and_again(void **state)
{
	struct worker w;
	int i;

	measure_begin("a client whose workers crash one after the other, until it is banned");
	for (i = 0; i < 20; i++) {
		measure_attack();
		worker_open_proxied(&w);
		worker_names(&w, 66);
		w.told = false;
		if (login_sign(&w.login)) {
			worker_end(&w, CRASHED);
			others_log_in(1);
			continue;
		}
		assert_int_equal(chan_await(&w.main, from_main, &w, MSG_TERMINATE, 10000), 0);
		worker_close(&w);
		break;
	}
	assert_in_range(i, 2, 6); // 20 points each, and one for the connection
	others_log_in(1);
	measure_end();
}

// It says that sec-mod is a worker, and dies: main, whose child that would then be, is not to kill it in its place.
static void a_nursery_that_names_sec_mod(void **state)
{
	const pid_t nursery = gateway_part("penstock-worker"), secmod = measured[MEASURED_SECMOD].pid;
	uint64_t next = NEXT_PID | (uint64_t)secmod;
	struct pollfd p = { .fd = puppet_listener, .events = POLLIN };
	struct worker w;

	bystander_stop(); // workers end with this nursery: they were its idle child
	assert_int_equal(send(puppet_fd, &next, sizeof(next), 0), sizeof(next));
	worker_connect(&w);
	kill(nursery, SIGKILL);
	assert_int_equal(poll(&p, 1, 20000), 1);
	close(puppet_fd);
	puppet_fd = accept4(puppet_listener, NULL, NULL, SOCK_CLOEXEC);
	probe_send(w.main.fd, "x", 1, 0); // a rule is broken
	assert_true(drops_within_grace(&w));
	chan_fini(&w.main);
	chan_fini(&w.login.chan);
	honest_session_works();
	assert_int_equal(gateway_part("penstock-secmod"), secmod);
}

static void it_is_still_the_same(void **state)
{
	assert_true(gateway_lives());
	assert_int_equal(child_of(gateway.pid, "penstockd"), main_part.pid);
	bystander_stop();
	assert_int_equal(gateway_stop(), 0);
}

static int setup(void **state)
{
	return gateway_setup("main_flood", "ban-exempt = 203.0.113.7\n", 500) < 0 || gateway_measure() < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_hangs_begins),
		cmocka_unit_test(floods_of_main),
		cmocka_unit_test(floods_of_secmod),
		cmocka_unit_test(floods_of_the_lane),
		cmocka_unit_test(a_lane_that_never_reads),
		cmocka_unit_test(descriptors_that_nobody_takes),
		cmocka_unit_test(descriptors_at_full_speed),
		cmocka_unit_test(breaking_a_rule_on_the_lane),
		cmocka_unit_test(one_that_never_reads),
		cmocka_unit_test(one_that_hangs_up_half),
		cmocka_unit_test(lists_that_nobody_waits_for),
		cmocka_unit_test(one_that_spins),
		cmocka_unit_test(one_that_crashes_again_and_again),
		cmocka_unit_test(one_that_hangs_is_ended),
		cmocka_unit_test(a_nursery_that_names_sec_mod),
		cmocka_unit_test(it_is_still_the_same),
	};

	if (strstr(argv[0], "/penstock-worker"))
		return puppet_main(argv[0]);
	if (geteuid() != 0) {
		fprintf(stderr, "main_flood: needs root, for a network namespace of its own\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, gateway_teardown);
}
