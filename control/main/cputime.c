#include "control/main/cputime.h"

#include <time.h>

#include "control/main/conn.h"
#include "control/main/rollcall.h"
#include "control/main/tunnel.h"

#define LOOK_SECONDS ROLLCALL_SECONDS
// A login costs some 10 ms; the rest is for what comes late in the counters.
#define CREDIT_MAX_US 5000000
// Keepalives, DPD and handshakes of an honest client need far below a thousandth.
#define PERCENT 5
// Twenty times what a packet in a record of its own costs a slow machine.
#define PACKET_US 200

void cputime_init(struct cputime *t)
{
	*t = (struct cputime){ .credit_us = CREDIT_MAX_US };
}

bool cputime_spend(struct cputime *t, uint64_t elapsed_ms, uint64_t used_us, uint64_t packets)
{
	uint64_t fresh = packets > t->packets ? packets - t->packets : 0;
	uint64_t spent = used_us > t->used_us ? used_us - t->used_us : 0;

	t->credit_us += (int64_t)(elapsed_ms * 1000 * PERCENT / 100 + fresh * PACKET_US);
	if (t->credit_us > CREDIT_MAX_US)
		t->credit_us = CREDIT_MAX_US;
	t->credit_us -= (int64_t)spent;
	t->used_us = used_us;
	t->packets = packets;
	return t->credit_us >= 0;
}

// Also what is none of its doing: packets that are lost, and what strangers send.
static uint64_t packets_of(const struct conn *c)
{
	const struct tunnel_totals *now = c->tunnel ? &c->tunnel->now : NULL;

	return now ? now->packets_in + now->packets_out + now->dropped + now->datagrams : 0;
}

static bool used_by(uint32_t pid, uint64_t *us)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		return false;
	*us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	return true;
}

static void look_at(struct conn *c, uint64_t elapsed_ms)
{
	uint64_t us;

	// one that is gone is about to be reported
	if (!c->pid || c->killed || !used_by(c->pid, &us) || cputime_spend(&c->cputime, elapsed_ms, us, packets_of(c)))
		return;
	log_warn("%s: has used %llu ms of CPU time, which its client's packets do not explain", c->link.chan.name,
	         (unsigned long long)us / 1000);
	conn_break(c);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	uint64_t now = clock_ms(), elapsed = now - g->cputime_ms;
	struct conn *c;

	g->cputime_ms = now;
	TAILQ_FOREACH(c, &g->conns, all)
	{
		look_at(c, elapsed);
		rollcall(c);
	}
}

void cputime_open(struct gateway *g)
{
	const struct timeval period = { .tv_sec = LOOK_SECONDS };

	g->cputime_ms = clock_ms();
	event_assign(&g->cputime_look, g->base, -1, EV_PERSIST, on_look, g);
	event_add(&g->cputime_look, &period);
}

void cputime_close(struct gateway *g)
{
	if (event_initialized(&g->cputime_look))
		event_del(&g->cputime_look);
}
