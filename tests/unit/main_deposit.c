// What main leaves with its keeper gets there whole, or not yet, wherever the socket takes no more: this test plays the keeper, and
// the socket.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config_rig.h"
#include "control/main/deposit.h"
#include "control/main/gateway.h"
#include "control/main/handover.h"
#include "control/main/keeper.h"
#include "control/main/options.h"
#include "control/main/state.h"
#include "control/main/terms.h"

#define ROUTES 1000 // one record of them is more than one packet, and less than two
#define ROUTE_LEN 80
#define SENDS 3    // two pieces of it, and the commit
#define TURNS 1000 // more than any of it takes

static struct gateway g;
static struct handover_process process = {
	.pid_fd = -1, .program = "/usr/sbin/penstockd", .version = "0.0.1", .keeper_fd = -1, .page_fd = -1
};
static const struct options options = { .debug = -1, .syslog_facility = -1 };
static struct vault vault;
static int mains_end, keepers_end;

// ------------------------------------------------------------------------------------------------------------------ socket

// The next sends that go well before one does not, and why it does not; 0: all do.
static unsigned sends_before;
static int refusal;

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (fd == mains_end && refusal && sends_before-- == 0) {
		errno = refusal;
		refusal = 0;
		return -1;
	}
	return syscall(SYS_sendmsg, fd, m, flags);
}

static void refuse_one(unsigned before, int why)
{
	sends_before = before;
	refusal = why;
}

// ------------------------------------------------------------------------------------------------------------------ keeper

static bool hears_one(void)
{
	static uint8_t packet[VAULT_PACKET];
	char control[CMSG_SPACE(VAULT_FDS * sizeof(int))];
	struct iovec iov = { packet, sizeof(packet) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(keepers_end, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = len > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int fds[VAULT_FDS];
	unsigned n = 0;

	if (len <= 0)
		return false;
	if (c) {
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	assert_false(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	assert_int_equal(vault_take(&vault, packet, (size_t)len, fds, n), 0);
	return true;
}

static void main_turns(void)
{
	event_base_loop(g.base, EVLOOP_NONBLOCK);
}

// -------------------------------------------------------------------------------------------------------------------- terms

static struct terms *large_terms(char letter)
{
	struct terms *t = calloc(1, sizeof(*t));

	t->references = 1;
	t->n_items = ROUTES;
	t->items = calloc(ROUTES, sizeof(*t->items));
	for (size_t i = 0; i < ROUTES; i++) {
		t->items[i].kind = ITEM_ROUTE;
		t->items[i].text = calloc(1, ROUTE_LEN + 1);
		memset(t->items[i].text, letter, ROUTE_LEN);
	}
	return t;
}

static void they_become(struct terms *t, char letter)
{
	for (size_t i = 0; i < t->n_items; i++)
		memset(t->items[i].text, letter, ROUTE_LEN);
	deposit_changed(&g, &t->mark);
}

// As the keeper has to have them.
static bool keeper_has(struct terms *t)
{
	const struct vault_record *r = vault_find(&vault, VAULT_TERMS, t->kept);
	struct state_writer w;
	const uint8_t *bytes;
	size_t len;
	bool same;

	state_writer_init(&w);
	w.kept = true;
	handover_part(&g, VAULT_TERMS, t, &w);
	bytes = state_records(&w, &len);
	assert_in_range(len, VAULT_PACKET + 1, 2 * VAULT_PACKET);
	same = r && r->len == len && memcmp(r->bytes, bytes, len) == 0;
	state_writer_fini(&w);
	return same;
}

// All that main has to say; meanwhile the keeper has what it had before, until it has what is now.
static void all_is_said(struct terms *t, size_t len_before)
{
	const struct vault_record *r;
	unsigned turns = 0;

	for (main_turns(); hears_one(); main_turns()) {
		assert_in_range(++turns, 1, TURNS);
		r = t ? vault_find(&vault, VAULT_TERMS, t->kept) : NULL;
		if (t && !keeper_has(t))
			assert_int_equal(r ? r->len : 0, len_before);
	}
	assert_true(TAILQ_EMPTY(&vault.waiting));
}

static struct terms *terms_that_it_has(void)
{
	struct terms *t = large_terms('a');

	terms_keep(&g, t);
	all_is_said(t, 0);
	assert_true(keeper_has(t));
	return t;
}

// ------------------------------------------------------------------------------------------------------------------- facts

static void half_of_it_never_counts(void **unused)
{
	struct terms *t = terms_that_it_has();
	size_t len = vault_find(&vault, VAULT_TERMS, t->kept)->len;

	for (unsigned before = 0; before < SENDS; before++) {
		they_become(t, (char)('b' + before));
		refuse_one(before, EAGAIN);
		all_is_said(t, len);
		assert_int_equal(refusal, 0);
		assert_true(keeper_has(t));
	}
	terms_put(t);
	all_is_said(NULL, 0);
}

static void half_of_a_new_one_neither(void **unused)
{
	for (unsigned before = 0; before < SENDS; before++) {
		struct terms *t = large_terms('a');

		terms_keep(&g, t);
		refuse_one(before, EAGAIN);
		all_is_said(t, 0);
		assert_int_equal(refusal, 0);
		assert_true(keeper_has(t));
		terms_put(t);
		all_is_said(NULL, 0);
	}
}

static void who_leaves_meanwhile_is_dropped(void **unused)
{
	size_t count = vault.count;

	for (unsigned before = 0; before < SENDS; before++) {
		struct terms *t = large_terms('a');

		terms_keep(&g, t);
		refuse_one(before, EAGAIN);
		main_turns();
		assert_int_equal(refusal, 0);
		terms_put(t);
		all_is_said(NULL, 0);
		assert_int_equal(vault.count, count);
	}
}

static void it_may_be_more_than_the_socket_takes(void **unused)
{
	const int one_packet = VAULT_PACKET / 2 + 256; // the kernel doubles it
	struct terms *t = large_terms('a');
	size_t len;

	assert_int_equal(setsockopt(mains_end, SOL_SOCKET, SO_SNDBUF, &one_packet, sizeof(one_packet)), 0);
	terms_keep(&g, t);
	all_is_said(t, 0);
	assert_true(keeper_has(t));
	len = vault_find(&vault, VAULT_TERMS, t->kept)->len;
	they_become(t, 'b');
	main_turns();
	they_become(t, 'c'); // half of the other is with the keeper
	all_is_said(t, len);
	assert_true(keeper_has(t));
	terms_put(t);
	all_is_said(NULL, 0);
}

static void without_memory_it_goes_with_the_next_beat(void **unused)
{
	struct terms *t = terms_that_it_has();
	const struct keeper_page *page = deposit_page(&g);
	uint64_t beat;

	they_become(t, 'b');
	refuse_one(1, ENOBUFS);
	main_turns();
	assert_int_equal(refusal, 0);
	for (beat = page->beat; page->beat == beat;)
		event_base_loop(g.base, EVLOOP_ONCE);
	all_is_said(t, vault_find(&vault, VAULT_TERMS, t->kept)->len);
	assert_true(keeper_has(t));
	assert_int_equal(page->phase, KEEPER_UP);
	terms_put(t);
}

// -------------------------------------------------------------------------------------------------------------------- life

static int up(void **unused)
{
	struct keeper_link link = { .page_fd = -1 };
	struct heard heard;
	int fds[2];

	g = (struct gateway){ .options = &options, .self = &process, .ready_fd = -1, .phase = GATEWAY_UP };
	assert_int_equal(load("test.conf", GOOD, CONFIG_TEST, &heard, &g.config), 0);
	assert_int_equal(gateway_init(&g), 0);
	assert_int_equal(vault_init(&vault), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	mains_end = link.fd = fds[0];
	keepers_end = fds[1];
	link.page = mmap(NULL, sizeof(*link.page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(link.page != MAP_FAILED);
	assert_int_equal(deposit_open(&g, &link), 0);
	deposit_begin(&g, false);
	all_is_said(NULL, 0);
	assert_non_null(vault_find(&vault, VAULT_BASE, 0));
	return 0;
}

static int down(void **unused)
{
	refusal = 0;
	deposit_close(&g);
	mains_end = -1;
	close(keepers_end);
	vault_fini(&vault);
	gateway_fini(&g);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(half_of_it_never_counts),
		TEST(half_of_a_new_one_neither),
		TEST(who_leaves_meanwhile_is_dropped),
		TEST(it_may_be_more_than_the_socket_takes),
		TEST(without_memory_it_goes_with_the_next_beat),
	};

	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
