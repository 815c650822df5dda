// Everything that one penstockd hands over to another: what the second one has is what the first one had, and a state that is not
// whole, or says what cannot be, is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "config_rig.h"
#include "control/main/admin.h"
#include "control/main/handover.h"
#include "control/main/inner.h"
#include "control/main/listen.h"
#include "control/main/options.h"
#include "control/main/session.h"
#include "control/main/supervise.h"

#define EVERYTHING                                                                                                          \
	GOOD "ipv6-network = fd00:5::/112\nmax-ban-score = 30\nroute = 10.0.0.0/8\nroute = 10.1.0.0/16\ndns = 192.0.2.53\n" \
	     "key-pin = 1234\n[vhost:www.example.com]\nipv4-network = 10.8.0.0/24\nbanner = hello\n"

// One of before, with all that there can be; they are never ended, because their descriptors are one another's.
static struct gateway old;
static struct handover_process process = { .pid_file = "/run/test.pid",
	                                   .pid_fd = -1,
	                                   .program = "/usr/sbin/penstockd",
	                                   .version = "0.0.1",
	                                   .keeper_fd = -1,
	                                   .page_fd = -1 };
static const struct options options = { .debug = -1 };
static struct session *anna, *bert;

static int a_descriptor(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(fd > 2);
	return fd;
}

static struct child *child_of(struct gateway *g, const struct child_kind *kind, int pid)
{
	struct child *c = calloc(1, sizeof(*c));
	int fds[2];

	assert_int_equal(chan_pair(fds), 0);
	chan_init(&c->link.chan, fds[0], ROLE_MAIN, kind->role, CHAN_PLAIN, "%s", kind->name);
	c->link.chan.used[200] = 3;
	c->g = g;
	c->kind = kind;
	c->pid = pid;
	c->ready = true;
	c->since_ms = 5;
	strcpy(c->version, "0.0.1");
	STAILQ_INIT(&c->link.queue);
	TAILQ_INSERT_TAIL(&g->children, c, all);
	return c;
}

static struct session *session_of(struct gateway *g, const char *user, const char *vhost)
{
	struct msg_session_reply m = { .ok = 1, .sid_len = SID_SIZE, .created = 1700000000 };
	struct session *s;

	memset(m.sid, user[0], SID_SIZE);
	strcpy(m.user, user);
	strcpy(m.group, "staff");
	strcpy(m.vhost, vhost);
	s = session_get(g, &m);
	assert_int_equal(address_lend(s, policy_vhost(&g->policy, vhost)->terms, true, true), 0);
	return s;
}

// A connection that has come so far.
static struct conn *conn_of(struct gateway *g, uint64_t id, enum chan_state state)
{
	struct conn *c = calloc(1, sizeof(*c));
	int fds[2];

	assert_int_equal(chan_pair(fds), 0);
	chan_init(&c->link.chan, fds[0], ROLE_MAIN, ROLE_WORKER, state, "worker %u", (unsigned)id);
	c->link.chan.used[MSG_AUTH_COOKIE_REQ] = 1;
	c->link.deaf = state == MW_CLOSING;
	c->g = g;
	c->id = id;
	c->secmod_end = -1;
	c->nursery = g->nursery;
	c->pid = 4711;
	assert_int_equal(addr_parse("192.0.2.7", &c->client), 0);
	STAILQ_INIT(&c->link.queue);
	htab_insert(&g->conns_by_id, &c->by_id, htab_hash(&c->id, sizeof(c->id)));
	TAILQ_INSERT_TAIL(&g->conns, c, all);
	g->conns_count++;
	return c;
}

static struct tunnel *tunnel_of(struct session *s, struct conn *c, uint32_t number, enum tunnel_phase phase)
{
	struct gateway *g = s->g;
	struct tunnel *t = calloc(1, sizeof(*t));
	bool ends = phase == TUNNEL_DELETING;

	t->g = g;
	t->number = number;
	t->phase = phase;
	t->session = s;
	t->conn = ends ? NULL : c;
	t->terms = terms_get(policy_vhost(&g->policy, s->vhost)->terms);
	t->kept.where = t->terms;
	t->info = calloc(1, sizeof(*t->info));
	strcpy(t->info->user_agent, "test");
	strcpy(t->from, "worker 1");
	t->lane_fd = phase == TUNNEL_ADDING ? a_descriptor() : -1;
	t->now.bytes_in = 1ULL << 40;
	t->cipher = AEAD_AES_256_GCM;
	t->channel = CHANNEL_DTLS;
	memset(t->app_id, 9, APP_ID_SIZE);
	TAILQ_INIT(&t->iroutes);
	g->tunnels[number] = t;
	g->sessions_active += phase == TUNNEL_UP;
	s->tunnels++;
	if (ends)
		return t;
	s->tunnel = t;
	c->tunnel = t;
	return t;
}

static void networks_are_set(struct gateway *g)
{
	struct state_writer w;

	// as the kernel's interface and the dataplane would have them
	strcpy(g->inner, "vpns0");
	state_writer_init(&w);
	inner_save(g, &w);
	assert_true(w.used > 0);
	state_writer_fini(&w);
}

static void bans_and_numbers(struct gateway *g)
{
	struct addr who;

	assert_int_equal(addr_parse("198.51.100.1", &who), 0);
	ban_score(g->bans, &who, 10, clock_seconds());
	assert_int_equal(addr_parse("2001:db8:1::1", &who), 0);
	ban_score(g->bans, &who, 30, clock_seconds());
	ban_guess(g->bans, "root", 10, clock_seconds());
	g->stats.total.logins = 17;
	g->stats.total.refused[REFUSED_SAME] = 2;
	g->stats.before.bytes_in = 12;
	g->stats.up_since = 1700000000;
	g->conn_last = 99;
	g->keeps_sessions = true;
}

static struct terms *a_filter(const struct terms *like)
{
	struct terms *t = calloc(1, sizeof(*t));

	t->references = 1;
	t->ipv4_network = like->ipv4_network;
	t->ports = calloc(1, sizeof(*t->ports));
	t->ports->n = 1;
	t->ports->rule[0] = (struct port_rule){ 6, 443 };
	t->n_iroutes = 1;
	t->iroutes = calloc(LIMIT_NETWORKS, sizeof(*t->iroutes));
	assert_int_equal(addr_parse("10.200.0.0/16", &t->iroutes[0]), 0);
	return t;
}

// An address of a network that only his file names, and one of no network at all.
static void session_of_its_own(struct gateway *g)
{
	struct msg_session_reply m = { .ok = 1, .sid_len = SID_SIZE, .user = "dora", .sid = "dora" };
	struct terms *terms = calloc(1, sizeof(*terms));
	struct session *s = session_get(g, &m);

	assert_int_equal(addr_parse("10.77.0.0/24", &terms->ipv4_network), 0);
	assert_int_equal(addr_parse("fd77::7", &terms->explicit_ipv6), 0);
	assert_int_equal(address_lend(s, terms, true, true), 0);
	assert_string_equal(s->user, "dora");
	free(terms);
}

// As a client's connection is until its proxy's header has come.
static void proxied(struct conn *c)
{
	c->of_proxy = true;
	c->secmod_end = a_descriptor();
}

static int begin(void **state)
{
	struct conn *one, *two;
	struct heard heard;

	rig_set_up(state);
	old = (struct gateway){ .options = &options, .self = &process, .ready_fd = -1, .phase = GATEWAY_UP };
	assert_int_equal(load("test.conf", EVERYTHING, CONFIG_START, &heard, &old.config), 0);
	assert_int_equal(gateway_init(&old), 0);
	old.secmod = child_of(&old, &child_secmod, 1001);
	old.dataplane = child_of(&old, &child_dataplane, 1002);
	child_of(&old, &child_nursery, 1003)->leaving = true;
	old.nursery = child_of(&old, &child_nursery, 1004);
	assert_int_equal(tunnel_table_open(&old, 16), 0);
	old.tunnels_free_first = 3;
	old.tunnels_free_count = 13;
	anna = session_of(&old, "anna", "");
	bert = session_of(&old, "bert", "www.example.com");
	session_of(&old, "carl", ""); // nobody is connected
	one = conn_of(&old, 7, MW_UP);
	two = conn_of(&old, 8, MW_OPENING);
	conn_of(&old, 9, MW_FRESH)->login = calloc(1, sizeof(struct profile_login));
	conn_of(&old, 10, MW_CLOSING);
	proxied(conn_of(&old, 11, MW_PROXY));
	session_of_its_own(&old);
	tunnel_of(anna, one, 0, TUNNEL_UP);
	tunnel_of(anna, NULL, 1, TUNNEL_DELETING);
	tunnel_of(bert, two, 2, TUNNEL_ADDING);
	anna->changed.what = CHANGE_FILTER | CHANGE_RX_RATE;
	anna->changed.filter = a_filter(anna->tunnel->terms);
	anna->tunnel->kept.where = anna->changed.filter;
	anna->tunnel->kept.rx_rate = anna->changed.rx_rate = 1000;
	terms_put(anna->tunnel->terms);
	anna->tunnel->terms = terms_get(anna->changed.filter);
	assert_int_equal(iroute_claim(anna->tunnel), 0);
	networks_are_set(&old);
	bans_and_numbers(&old);
	return 0;
}

static int end(void **state)
{
	return rig_tear_down(state);
}

static void save(struct gateway *g, struct state_writer *w)
{
	state_writer_init(w);
	assert_int_equal(handover_save(g, &process, w), 0);
	state_write(w, "end", NULL, 0);
}

// ------------------------------------------------------------------------------------------------------------------ facts

// What the second one would hand over is, byte for byte, what it was handed over.
static void all_that_there_was(void **unused)
{
	static struct gateway new;
	static struct handover h;
	struct state_writer w, again;
	struct session *s;

	save(&old, &w);
	new = (struct gateway){ .options = &options, .self = &process, .ready_fd = -1 };
	h = (struct handover){ .g = &new };
	assert_int_equal(handover_restore(&h, w.buf, w.used), 0);
	save(&new, &again);
	assert_int_equal(again.used, w.used);
	assert_memory_equal(again.buf, w.buf, w.used);
	assert_int_equal(h.reader.n_fds, w.n_fds);

	assert_string_equal(h.process.version, "0.0.1");
	assert_string_equal(config_nth(new.config, OPT_ROUTE, 1), config_nth(old.config, OPT_ROUTE, 1));
	assert_string_equal(config_str(config_vhost(new.config, 1), OPT_BANNER), "hello");
	assert_string_equal(config_str(h.config_again, OPT_KEY_PIN), "1234");
	s = session_find(&new, anna->sid);
	assert_int_equal(s->tunnels, 2);
	assert_ptr_equal(s->tunnel, new.tunnels[0]);
	assert_ptr_equal(s->tunnel->kept.where, s->changed.filter);
	assert_int_equal(s->tunnel->now.bytes_in, 1ULL << 40);
	assert_int_equal(new.sessions_active, 1);
	assert_int_equal(new.nursery->pid, 1004);
	assert_ptr_equal(conn_find(&new, 8)->nursery, new.nursery);
	assert_true(conn_find(&new, 10)->link.deaf);
	assert_true(new.iroutes.count > 0);
	assert_int_equal(new.iroutes.count, old.iroutes.count);
	assert_int_equal(new.addresses.n_pools, old.addresses.n_pools);
	assert_true(conn_find(&new, 11)->of_proxy && conn_find(&new, 11)->secmod_end > 2);
	assert_int_equal(new.tunnels_free_count, 13);
	assert_int_equal(new.tunnels_free[0], 3);
	state_writer_fini(&w);
	state_writer_fini(&again);
}

// Nobody gets an address that somebody has.
static void no_address_twice(void **unused)
{
	static struct gateway new;
	static struct handover h;
	struct state_writer w;
	struct session *s, *other;
	char user[8];

	save(&old, &w);
	new = (struct gateway){ .options = &options, .self = &process, .ready_fd = -1 };
	h = (struct handover){ .g = &new };
	assert_int_equal(handover_restore(&h, w.buf, w.used), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(user, sizeof(user), "%c", 'A' + i);
		s = session_of(&new, user, "");
		TAILQ_FOREACH(other, &new.sessions, all)
		assert_true(other == s || !addr_equal(&other->ipv4, &s->ipv4));
	}
	state_writer_fini(&w);
}

static time_t set_by; // what somebody has set the wall clock by

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ ts.tv_sec + set_by, ts.tv_nsec / 1000 };
	return 0;
}

static uint64_t due_then;

static void on_moment(evutil_socket_t fd, short what, void *timer)
{
	set_by = *(const time_t *)event_get_callback_arg(timer);
	due_then = handover_due(timer);
}

static void never(evutil_socket_t fd, short what, void *arg) {}

// main takes stock in a turn of its loop, and somebody has just set the clock.
static void timers_know_no_wall_clock(void **unused)
{
	static time_t table[] = { 3600, -3600, 315360000, -315360000 };
	struct timeval at_once = { 0 }, minute = { .tv_sec = 60 };
	struct event_base *base;
	struct event timer;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		base = event_base_new();
		evtimer_assign(&timer, base, never, &table[i]);
		evtimer_add(&timer, &minute);
		event_base_once(base, -1, EV_TIMEOUT, on_moment, &timer, &at_once);
		event_base_loop(base, EVLOOP_ONCE);
		assert_in_range(due_then, clock_ms() + 59000, clock_ms() + 60100);
		evtimer_del(&timer);
		event_base_free(base);
		set_by = 0;
	}
}

static void timers_go_on(void **unused)
{
	struct event_base *base = event_base_new();
	struct event timer, again;
	uint64_t due, later;

	evtimer_assign(&timer, base, NULL, NULL);
	evtimer_assign(&again, base, NULL, NULL);
	assert_int_equal(handover_due(&timer), 0);
	handover_arm(&timer, 0);
	assert_int_equal(handover_due(&timer), 0);
	handover_arm(&timer, clock_ms() + 60000);
	due = handover_due(&timer);
	assert_in_range(due, clock_ms() + 59000, clock_ms() + 60000);
	handover_arm(&again, due);
	later = handover_due(&again);
	assert_in_range(later, due - 20, due + 20);
	handover_arm(&again, 1); // long over: at once
	assert_in_range(handover_due(&again), clock_ms() - 1000, clock_ms());
	evtimer_del(&timer);
	evtimer_del(&again);
	event_base_free(base);
}

// In a process of its own, which leaves nothing behind. The exit status: 0 it was taken, 1 refused; anything else has failed.
static int try(const uint8_t *buf, size_t len)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct gateway new = { .options = &options, .self = &process, .ready_fd = -1 };
		struct handover h = { .g = &new };

		log_set_level(LOG_LEVEL_ERR);
		_exit(handover_restore(&h, buf, len) < 0);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void what_is_cut_off_is_refused(void **unused)
{
	struct state_writer w;

	save(&old, &w);
	assert_int_equal(try(w.buf, w.used), 0);
	for (size_t cut = 1; cut < w.used; cut += cut < 64 ? 1 : w.used / 100)
		assert_int_equal(try(w.buf, w.used - cut), 1);
	state_writer_fini(&w);
}

// Whatever a byte of it is: it is refused or taken, and nothing falls over.
static void what_is_changed_falls_over_nowhere(void **unused)
{
	struct state_writer w;
	unsigned seed = 1, refused = 0;

	save(&old, &w);
	for (int i = 0; i < 400; i++) {
		size_t at = (size_t)rand_r(&seed) % w.used;
		uint8_t was = w.buf[at];
		int ret;

		w.buf[at] ^= (uint8_t)(1 << rand_r(&seed) % 8);
		ret = try(w.buf, w.used);
		assert_in_range(ret, 0, 1);
		refused += ret == 1;
		w.buf[at] = was;
	}
	assert_in_range(refused, 200, 400);
	state_writer_fini(&w);
}

// Each field of the state that stands there as text, with another name.
static void renamed(struct state_writer *w, const char *from, const char *to)
{
	uint8_t *at = memmem(w->buf, w->used, from, strlen(from));

	assert_non_null(at);
	memcpy(at, to, strlen(to));
	assert_int_equal(try(w->buf, w->used), 1);
	memcpy(at, from, strlen(from));
}

static void changed(struct state_writer *w, const char *behind, size_t by)
{
	uint8_t *at = memmem(w->buf, w->used, behind, strlen(behind));

	assert_non_null(at);
	at[by] ^= 2;
	assert_int_equal(try(w->buf, w->used), 1);
	at[by] ^= 2;
}

static void what_this_version_does_not_know(void **unused)
{
	struct state_writer w;

	save(&old, &w);
	renamed(&w, "session_last", "session_lost"); // a field
	renamed(&w, "terms-item", "terms-idem");     // a record
	renamed(&w, "ipv6-network", "ipv7-network"); // an option
	changed(&w, "generation", 13);               // what the parts have between them
	changed(&w, "\4hash", 12);                   // likewise, the first message
	state_writer_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_there_was),
		cmocka_unit_test(no_address_twice),
		cmocka_unit_test(timers_go_on),
		cmocka_unit_test(timers_know_no_wall_clock),
		cmocka_unit_test(what_is_cut_off_is_refused),
		cmocka_unit_test(what_is_changed_falls_over_nowhere),
		cmocka_unit_test(what_this_version_does_not_know),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
