// Networks behind clients: whose each of them is.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/session.h"

static struct gateway *g;
static struct terms everybody;

static struct addr addr_of(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static int open_gateway(void **unused)
{
	g = calloc(1, sizeof(*g));
	gateway_tables_init(g);
	everybody = (struct terms){ .references = 1,
		                    .ipv4_network = addr_of("192.0.2.0/24"),
		                    .ipv6_network = addr_of("fd00::/48"),
		                    .ipv6_subnet_prefix = 64 };
	return address_pools(g, &(struct policy){ .vhost = { { .terms = &everybody } }, .n_vhosts = 1 });
}

static int shut(void **unused)
{
	session_free_all(g);
	gateway_tables_fini(g);
	free(g);
	return 0;
}

static struct session *session_of(int sid, const char *user)
{
	struct msg_session_reply m = { .ok = 1, .sid_len = SID_SIZE };

	memset(m.sid, sid, SID_SIZE);
	strcpy(m.user, user);
	return session_get(g, &m);
}

// A tunnel of that session with these networks in its user's file; not even its session has an address.
static struct tunnel *tunnel_of(struct session *s, const char *networks)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	char *words = strdup(networks), *word;

	t->g = g;
	t->session = s;
	t->terms = calloc(1, sizeof(*t->terms));
	t->terms->iroutes = calloc(16, sizeof(struct addr));
	TAILQ_INIT(&t->iroutes);
	for (word = strtok(words, " "); word; word = strtok(NULL, " "))
		t->terms->iroutes[t->terms->n_iroutes++] = addr_of(word);
	free(words);
	assert_int_equal(iroute_claim(t), 0);
	return t;
}

static void end(struct tunnel *t)
{
	iroute_release(t);
	free(t->terms->iroutes);
	free(t->terms);
	free(t);
}

static void has(const struct tunnel *t, const char *expect)
{
	const struct iroute *i;
	char all[512] = "", text[ADDR_TEXT];

	TAILQ_FOREACH(i, &t->iroutes, all)
	snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", all[0] ? " " : "", addr_text_prefix(&i->network, text));
	assert_string_equal(all, expect);
}

static void each_is_one_users(void **unused)
{
	struct tunnel *anna = tunnel_of(session_of(1, "anna"), "10.1.0.0/16 10.2.0.0/16"), *bert;

	has(anna, "10.1.0.0/16 10.2.0.0/16");
	bert = tunnel_of(session_of(2, "bert"), "10.2.0.0/16 10.2.3.0/24 10.0.0.0/8"); // other lengths are other networks
	has(bert, "10.2.3.0/24 10.0.0.0/8");
	end(anna);
	end(bert);
	bert = tunnel_of(session_of(2, "bert"), "10.2.0.0/16"); // now it is free
	has(bert, "10.2.0.0/16");
	end(bert);
}

static void the_newest_of_one_user(void **unused)
{
	struct tunnel *old = tunnel_of(session_of(1, "anna"), "10.1.0.0/16 10.2.0.0/16"), *new, *same;

	new = tunnel_of(session_of(2, "anna"), "10.2.0.0/16");
	has(old, "10.1.0.0/16");
	has(new, "10.2.0.0/16");
	same = tunnel_of(session_of(2, "anna"), "10.2.0.0/16"); // a second connection with one cookie
	has(new, "");
	has(same, "10.2.0.0/16");
	end(new); // takes nothing with it that is not its own
	has(same, "10.2.0.0/16");
	end(old);
	end(same);
}

static void twice_in_the_files(void **unused)
{
	struct tunnel *t = tunnel_of(session_of(1, "anna"), "10.1.0.0/16 10.1.0.0/16 10.1.0.0/24");

	has(t, "10.1.0.0/16 10.1.0.0/24");
	end(t);
}

static void what_nobody_may_have(void **unused)
{
	struct tunnel *t =
	        tunnel_of(session_of(1, "anna"), "192.0.2.0/24 192.0.2.128/25 192.0.2.7 fd00:0:0:1::/64 ::/0 192.0.0.0/16");

	has(t, "192.0.0.0/16"); // around the clients' network is fine
	end(t);
}

// A reload has widened the clients' network over one that is behind a client: nobody gets an address of that.
static void clients_around_it(void **unused)
{
	struct tunnel *t = tunnel_of(session_of(1, "anna"), "192.0.3.0/24 192.0.0.0/16");
	const struct addr behind = addr_of("192.0.3.0/24"), around = addr_of("192.0.2.0/23");
	struct session *s;

	everybody.ipv4_network = around;
	for (int i = 2; i < 60; i++) {
		s = session_of(i, "bert");
		assert_int_equal(address_lend(s, &everybody, true, false), 0);
		assert_true(addr_in(&s->ipv4, &around));
		assert_false(addr_in(&s->ipv4, &behind));
	}
	end(t);
}

static void what_is_the_sessions_anyway(void **unused)
{
	struct session *s = session_of(1, "anna");
	struct tunnel *t;
	const struct iroute *i;

	everybody.explicit_ipv4 = addr_of("203.0.113.7"); // in no network of ours
	everybody.explicit_ipv6 = addr_of("fd00:0:0:5::1");
	assert_int_equal(address_lend(s, &everybody, true, true), 0);
	t = tunnel_of(s, "10.1.0.0/16");
	has(t, "203.0.113.7/32 fd00:0:0:5::/64 10.1.0.0/16");
	i = TAILQ_FIRST(&t->iroutes);
	assert_int_equal(i->kind, IROUTE_HOST);
	assert_int_equal(TAILQ_NEXT(i, all)->kind, IROUTE_SUBNET);
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_is_one_users, open_gateway, shut),
		cmocka_unit_test_setup_teardown(the_newest_of_one_user, open_gateway, shut),
		cmocka_unit_test_setup_teardown(twice_in_the_files, open_gateway, shut),
		cmocka_unit_test_setup_teardown(what_nobody_may_have, open_gateway, shut),
		cmocka_unit_test_setup_teardown(clients_around_it, open_gateway, shut),
		cmocka_unit_test_setup_teardown(what_is_the_sessions_anyway, open_gateway, shut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
