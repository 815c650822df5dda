// A gateway of main's whose peers the test plays. Included by one test; it runs rig_begin() and rig_end() for the whole group.
#pragma once
#include "config_rig.h"
#include "control/main/gateway.h"
#include "control/main/link.h"

static struct gateway g;
static struct config *config;
static const chan_handler deaf[MSG_NUMBERS]; // main hears nobody: the tests call its handlers

// One end is main's, the other the test's.
static void rig_peer(struct link *l, struct chan *other, enum role role, uint32_t mine, uint32_t theirs, unsigned queue)
{
	int fds[2];

	assert_int_equal(chan_pair(fds), 0);
	chan_init(&l->chan, fds[0], ROLE_MAIN, role, mine, "peer");
	chan_init(other, fds[1], role, ROLE_MAIN, theirs, "main");
	l->handlers = deaf;
	assert_int_equal(link_open(l, g.base, queue), 0);
}

static int rig_begin(void **state)
{
	struct heard h;

	rig_set_up(state);
	return load("test.conf", GOOD, CONFIG_TEST, &h, &config);
}

static int rig_end(void **state)
{
	config_free(config);
	return rig_tear_down(state);
}
