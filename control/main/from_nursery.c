// The nursery says which of its workers live.
#include "control/main/conn.h"
#include "control/main/peers.h"
#include "control/main/recover.h"
#include "control/main/supervise.h"
#include "proto/err.h"

#define HANDLERS from_nursery
#define ON_NURSERY_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

const chan_handler *const from_nursery_handlers = from_nursery;

static int on_nursery_ready(void *who, const struct msg_nursery_ready *m, const int *fds)
{
	child_ready(who, m->ok, m->text);
	return 0;
}

static int on_conn_forked(void *who, const struct msg_conn_forked *m, const int *fds)
{
	struct child *nursery = who;
	struct conn *c = conn_find(nursery->g, m->conn);

	if (!c || c->nursery != nursery)
		return 0;
	c->pid = m->pid;
	c->listed = true;
	conn_changed(c);
	return 0;
}

static int on_workers_told(void *who, const struct msg_workers_told *m, const int *fds)
{
	recover_told(who);
	return 0;
}

static int on_conn_exited(void *who, const struct msg_conn_exited *m, const int *fds)
{
	struct child *nursery = who;
	struct conn *c = conn_find(nursery->g, m->conn);

	if (c && c->nursery == nursery)
		conn_exited(c, m->code, m->signal);
	return 0;
}

static int on_conn_stopped(void *who, const struct msg_conn_stopped *m, const int *fds)
{
	struct child *nursery = who;
	struct conn *c = conn_find(nursery->g, m->conn);

	if (c && c->nursery == nursery)
		conn_hangs(c, "is stopped");
	return 0;
}

// That anything came at all is what counts (pulse.h).
static int on_nursery_pong(void *who, const struct msg_nursery_pong *m, const int *fds)
{
	return 0;
}
