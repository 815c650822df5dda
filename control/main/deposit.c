#include "control/main/deposit.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/main/daemon.h"
#include "control/main/gateway.h"
#include "control/main/handover.h"
#include "control/main/keeper.h"
#include "control/main/notify.h"
#include "control/main/options.h"
#include "control/main/supervise.h"
#include "proto/err.h"
#include "proto/sandbox.h"

#define BEAT_MS 500
#define LOST_MS 100
#define TELLS_MAX 64
#define HEARD_MAX 256

TAILQ_HEAD(mark_list, deposit_mark);

enum deposit_where { NOWHERE, CHANGED, IN_PACKET, SENT, WHERES };

struct key {
	enum vault_kind kind;
	uint64_t id;
};

struct deposit {
	struct gateway *g;
	struct keeper_link link;
	struct event readable, writable, beat, flush, lost;
	struct mark_list marks[WHERES];
	struct deposit_mark part[VAULT_KINDS];
	struct key *dropped;
	size_t n_dropped, dropped_room;
	int heard[HEARD_MAX];
	unsigned n_heard;
	char *tells[TELLS_MAX];
	unsigned n_tells;
	bool begun;  // all may go
	bool reset;  // what the keeper has is of before
	bool dirty;  // something is to be committed
	bool unkept; // too much has gone wrong
	pid_t keeper;
	struct state_writer w;
	// the packet that is being made
	uint8_t packet[VAULT_PACKET];
	size_t used;
	int fds[VAULT_FDS];
	unsigned n_fds;
	size_t packet_drops; // the first of those dropped
	bool packet_resets;
	// a record that has not gone whole, as it is in w
	struct deposit_mark *large; // NULL: none
	struct vault_op large_op;   // for what is left of it
	size_t large_at;
	bool large_changed; // meanwhile
};

// ---------------------------------------------------------------------------------------------------------------- packets

static void mark_move(struct deposit *d, struct deposit_mark *m, enum deposit_where to)
{
	if (m->where != NOWHERE)
		TAILQ_REMOVE(&d->marks[m->where], m, list);
	m->where = (uint8_t)to;
	if (to != NOWHERE)
		TAILQ_INSERT_TAIL(&d->marks[to], m, list);
}

static void packet_sent(struct deposit *d)
{
	struct deposit_mark *m;

	while ((m = TAILQ_FIRST(&d->marks[IN_PACKET]))) {
		m->held = true;
		mark_move(d, m, SENT);
	}
	d->n_dropped -= d->packet_drops;
	if (d->packet_drops)
		memmove(d->dropped, d->dropped + d->packet_drops, d->n_dropped * sizeof(*d->dropped));
	d->reset = d->reset && !d->packet_resets;
}

// What was in it goes another time, descriptors too.
static void packet_stayed(struct deposit *d)
{
	struct deposit_mark *m;

	while ((m = TAILQ_FIRST(&d->marks[IN_PACKET]))) {
		m->hash = m->fds = 0;
		mark_move(d, m, CHANGED);
	}
}

static ssize_t packet_send_now(struct deposit *d)
{
	char control[CMSG_SPACE(VAULT_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { d->packet, d->used };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (d->n_fds) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(d->n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(d->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), d->fds, d->n_fds * sizeof(int));
	}
	return sendmsg(d->link.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

// 0, -EAGAIN, or -errno: there is no keeper any more. Empty afterwards.
static int packet_send(struct deposit *d)
{
	int ret = d->used ? (int)packet_send_now(d) : 0;

	if (ret == 0)
		packet_sent(d);
	else
		packet_stayed(d);
	d->used = d->n_fds = 0;
	d->packet_drops = 0;
	d->packet_resets = false;
	return ret;
}

static int room_make(struct deposit *d, size_t len, size_t n_fds)
{
	if (d->used + sizeof(struct vault_op) + len <= sizeof(d->packet) && d->n_fds + n_fds <= VAULT_FDS)
		return 0;
	return packet_send(d);
}

static void op_put(struct deposit *d, const struct vault_op *op, const void *bytes, const int *fds)
{
	memcpy(d->packet + d->used, op, sizeof(*op));
	d->used += sizeof(*op);
	if (op->len)
		memcpy(d->packet + d->used, bytes, op->len);
	d->used += op->len;
	if (op->n_fds)
		memcpy(d->fds + d->n_fds, fds, op->n_fds * sizeof(*fds));
	d->n_fds += op->n_fds;
}

// ------------------------------------------------------------------------------------------------------------------ flush

static int program_put(struct deposit *d, struct deposit_mark *m)
{
	const struct vault_op op = { .word = VAULT_PUT, .kind = VAULT_PROGRAM, .n_fds = 1 };
	int fd = m->held ? -1 : open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ret;

	if (m->held)
		mark_move(d, m, NOWHERE);
	if (m->held || fd < 0)
		return m->held ? 0 : -errno;
	ret = packet_send(d);
	if (ret == 0) {
		op_put(d, &op, NULL, &fd);
		mark_move(d, m, IN_PACKET);
		ret = packet_send(d); // before it is closed
	}
	close(fd);
	return ret;
}

// In pieces: where the socket takes no more it goes on with the next flush, since it may be larger than all that fits in there.
static int large_put(struct deposit *d)
{
	struct deposit_mark *m = d->large;
	struct vault_op *op = &d->large_op;
	const uint8_t *bytes;
	size_t len, left;
	int ret = packet_send(d);

	bytes = state_records(&d->w, &len);
	while (ret == 0 && d->large_at < len) {
		left = len - d->large_at;
		op->len = (uint32_t)(left < VAULT_PACKET - sizeof(*op) ? left : VAULT_PACKET - sizeof(*op));
		op_put(d, op, bytes + d->large_at, d->w.fds);
		ret = packet_send(d);
		if (ret < 0)
			break;
		d->large_at += op->len;
		*op = (struct vault_op){ .word = VAULT_MORE, .kind = op->kind, .id = op->id };
		m->held = true; // a piece waits there: who leaves meanwhile has to be dropped
	}
	if (ret == 0)
		mark_move(d, m, d->large_changed ? CHANGED : SENT);
	else if (d->large_at == 0) // descriptors may be others by then
		m->hash = m->fds = 0;
	if (ret == 0 || d->large_at == 0)
		d->large = NULL;
	return ret;
}

static int large_begin(struct deposit *d, struct deposit_mark *m, const struct vault_op *op)
{
	d->large = m;
	d->large_op = *op;
	d->large_at = 0;
	d->large_changed = false;
	return large_put(d);
}

// Into the packet, which goes where it is full.
static int record_put(struct deposit *d, struct deposit_mark *m)
{
	struct vault_op op = { .word = VAULT_PUT, .kind = (uint8_t)m->kind, .id = m->id };
	const uint8_t *bytes;
	uint64_t hash, fds;
	size_t len;
	int ret;

	state_writer_reset(&d->w);
	handover_part(d->g, m->kind, m->object, &d->w);
	if (d->w.error || d->w.n_fds > VAULT_FDS)
		return d->w.error ? d->w.error : -E2BIG;
	bytes = state_records(&d->w, &len);
	hash = len ? htab_hash(bytes, len) : 1;
	fds = d->w.n_fds ? htab_hash(d->w.fds, d->w.n_fds * sizeof(*d->w.fds)) : 1;
	if (m->held && hash == m->hash && fds == m->fds) {
		mark_move(d, m, NOWHERE);
		return 0;
	}
	if (m->held && fds == m->fds)
		op.flags = VAULT_SAME_FDS;
	else
		op.n_fds = (uint16_t)d->w.n_fds;
	m->hash = hash;
	m->fds = fds;
	op.len = (uint32_t)len;
	if (len > VAULT_PACKET / 2)
		return large_begin(d, m, &op);
	ret = room_make(d, len, op.n_fds);
	if (ret < 0)
		return ret;
	op_put(d, &op, bytes, d->w.fds);
	mark_move(d, m, IN_PACKET);
	return 0;
}

static int mark_put(struct deposit *d, struct deposit_mark *m)
{
	return m->kind == VAULT_PROGRAM ? program_put(d, m) : record_put(d, m);
}

static int small_put(struct deposit *d, enum vault_word word, enum vault_kind kind, uint64_t id)
{
	const struct vault_op op = { .word = (uint8_t)word, .kind = (uint8_t)kind, .id = id };
	int ret = room_make(d, 0, 0);

	if (ret == 0)
		op_put(d, &op, NULL, NULL);
	return ret;
}

static int reset_put(struct deposit *d)
{
	int ret = d->reset ? small_put(d, VAULT_RESET, VAULT_PROGRAM, 0) : 0;

	d->packet_resets = d->reset;
	return ret;
}

static int drops_put(struct deposit *d)
{
	int ret = 0;

	while (ret == 0 && d->packet_drops < d->n_dropped) {
		const struct key *k = &d->dropped[d->packet_drops];

		ret = small_put(d, VAULT_DROP, k->kind, k->id);
		d->packet_drops += ret == 0;
	}
	return ret;
}

static int tells_put(struct deposit *d)
{
	int ret = 0;

	while (d->n_tells && ret == 0) {
		const struct vault_op op = { .word = VAULT_TELL, .len = (uint32_t)strlen(d->tells[0]) };

		op_put(d, &op, d->tells[0], NULL);
		ret = packet_send(d);
		if (ret < 0)
			break;
		free(d->tells[0]);
		memmove(d->tells, d->tells + 1, --d->n_tells * sizeof(*d->tells));
	}
	return ret;
}

static int changes_put(struct deposit *d)
{
	struct deposit_mark *m;
	int ret = d->large ? large_put(d) : 0; // nothing between its pieces

	if (ret == 0)
		ret = reset_put(d);
	if (ret == 0)
		ret = drops_put(d);
	while (ret == 0 && (m = TAILQ_FIRST(&d->marks[CHANGED])))
		ret = mark_put(d, m);
	for (unsigned i = 0; i < d->n_heard && ret == 0; i++)
		ret = small_put(d, VAULT_HEARD, VAULT_PROGRAM, (uint64_t)d->heard[i]);
	if (ret == 0)
		ret = small_put(d, VAULT_COMMIT, VAULT_PROGRAM, 0);
	return ret < 0 ? ret : packet_send(d);
}

static void committed(struct deposit *d)
{
	struct keeper_page *p = d->link.page;
	struct deposit_mark *m;

	while ((m = TAILQ_FIRST(&d->marks[SENT])))
		mark_move(d, m, NOWHERE);
	d->dirty = false;
	d->n_heard = 0;
	if (!d->g->reload)
		p->reloading = 0;
	// what the one before had heard last is still to be settled
	if (d->g->recovery)
		return;
	p->n_touched = 0;
	if (p->phase != KEEPER_LEAVING)
		p->phase = KEEPER_UP;
}

static void give_up(struct deposit *d, int why)
{
	if (d->unkept)
		return;
	d->unkept = true;
	log_err("what is to be kept does not reach the keeper: %s; if main dies, everything ends", strerror(-why));
	d->link.page->phase = KEEPER_FIRST;
}

// Where the keeper is slow it goes on from where it stopped; nothing counts before the commit.
static void flush(struct deposit *d)
{
	int ret = d->unkept ? -EPIPE : tells_put(d);

	if (ret == 0 && d->begun && d->dirty) {
		ret = changes_put(d);
		if (ret == 0)
			committed(d);
		else
			packet_stayed(d);
	}
	d->used = d->n_fds = d->packet_drops = 0;
	if (ret == -EAGAIN)
		event_add(&d->writable, NULL);
	else if (ret < 0 && ret != -EPIPE && ret != -ENOMEM && ret != -ENOBUFS) // with the next beat there may be memory
		give_up(d, ret);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	flush(arg);
}

// At the end of this round of the loop.
static void flush_soon(struct deposit *d)
{
	if (!event_pending(&d->writable, EV_WRITE, NULL))
		event_active(&d->flush, EV_TIMEOUT, 0);
}

static void dirty(struct deposit *d)
{
	d->dirty = true;
	if (d->begun)
		flush_soon(d);
}

// ------------------------------------------------------------------------------------------------------------------ marks

void deposit_changed(struct gateway *g, struct deposit_mark *m)
{
	struct deposit *d = g->deposit;

	if (!d || !m->object)
		return;
	if (m->where != CHANGED)
		mark_move(d, m, CHANGED);
	d->large_changed = d->large_changed || m == d->large;
	dirty(d);
}

void deposit_enter(struct gateway *g, struct deposit_mark *m, enum vault_kind kind, uint64_t id, void *object)
{
	*m = (struct deposit_mark){ .kind = kind, .id = id, .object = object };
	deposit_changed(g, m);
}

static void all_changed(struct gateway *g, struct deposit_mark *m)
{
	m->held = false;
	m->hash = m->fds = 0;
	deposit_changed(g, m);
}

// What the keeper has is of no use.
static void all_again(struct deposit *d)
{
	d->reset = true;
	d->large = NULL;
	d->n_dropped = 0;
	for (int i = 0; i < VAULT_KINDS; i++)
		if (d->part[i].object)
			all_changed(d->g, &d->part[i]);
	handover_marks(d->g, all_changed);
	dirty(d);
}

static int dropped_add(struct deposit *d, const struct deposit_mark *m)
{
	size_t room = d->dropped_room ? 2 * d->dropped_room : 64;
	struct key *grown;

	if (d->n_dropped == d->dropped_room) {
		grown = realloc(d->dropped, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		d->dropped = grown;
		d->dropped_room = room;
	}
	d->dropped[d->n_dropped++] = (struct key){ m->kind, m->id };
	return 0;
}

void deposit_leave(struct gateway *g, struct deposit_mark *m)
{
	struct deposit *d = g->deposit;

	if (d && m->object) {
		if (m == d->large)
			d->large = NULL;
		if (m->held && dropped_add(d, m) < 0)
			all_again(d);
		mark_move(d, m, NOWHERE);
		dirty(d);
	}
	*m = (struct deposit_mark){ 0 };
}

void deposit_part(struct gateway *g, enum vault_kind kind)
{
	if (g->deposit)
		deposit_changed(g, &g->deposit->part[kind]);
}

void deposit_whole(struct gateway *g)
{
	for (int i = VAULT_GATEWAY; i < VAULT_KINDS; i++)
		deposit_part(g, (enum vault_kind)i);
}

void deposit_touch(struct gateway *g, uint64_t conn)
{
	struct keeper_page *p = deposit_page(g);

	if (!p || !g->deposit->begun)
		return;
	if (p->n_touched > 0 && p->n_touched <= KEEPER_TOUCHED && p->touched[p->n_touched - 1] == conn)
		return;
	if (p->n_touched < KEEPER_TOUCHED)
		p->touched[p->n_touched] = conn;
	if (p->n_touched <= KEEPER_TOUCHED)
		p->n_touched++;
	dirty(g->deposit);
}

void deposit_becoming(struct gateway *g, bool on)
{
	struct keeper_page *p = deposit_page(g);

	if (p && p->phase == (on ? KEEPER_UP : KEEPER_BECOMES))
		p->phase = on ? KEEPER_BECOMES : KEEPER_UP;
}

void deposit_reloading(struct gateway *g, bool on)
{
	struct keeper_page *p = deposit_page(g);

	if (p && on)
		p->reloading = 1;
	// it is over when all of it is with the keeper
	deposit_part(g, VAULT_BASE);
}

// ---------------------------------------------------------------------------------------------------------------- keeper

// systemd, and whoever signals by the pid file, has to do with us from here on.
static void on_lost(evutil_socket_t fd, short what, void *arg)
{
	struct deposit *d = arg;
	struct gateway *g = d->g;

	if (getppid() == d->keeper) {
		log_err("the keeper keeps nothing any more: if main dies, everything ends");
		return;
	}
	// which waits for us to end before it starts it all anew: as if we had been killed, so that sessions stay
	if (getenv("NOTIFY_SOCKET")) {
		log_err("the keeper has died: main ends, and systemd starts everything anew");
		_exit(1);
	}
	log_err("the keeper has died: main goes on without one, and when it dies, everything ends; a restart brings another");
	if (g->self->pid_fd >= 0)
		pidfile_write(g->self->pid_fd, (int)getpid());
	deposit_close(g);
	supervise_unkept(g);
}

// A process that dies closes what it has a moment before its children are another's.
static void keeper_lost(struct deposit *d)
{
	static const struct timeval moment = { .tv_usec = LOST_MS * 1000 };

	d->unkept = true;
	event_del(&d->readable);
	evtimer_add(&d->lost, &moment);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct deposit *d = arg;
	struct keeper_news news;
	struct gateway *g = d->g;
	ssize_t n;

	while (g->deposit && d->n_heard < HEARD_MAX) {
		n = recv(fd, &news, sizeof(news), MSG_DONTWAIT);
		if (n < 0)
			return;
		if (n != sizeof(news)) {
			keeper_lost(d);
			return;
		}
		if (!news.pid) {
			all_again(d);
			continue;
		}
		d->heard[d->n_heard++] = news.pid;
		d->dirty = true;
		flush_soon(d);
		supervise_ended(g, news.pid, news.status);
	}
}

// What changes all the time, and may be a moment old where another goes on.
static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval tv = { .tv_usec = BEAT_MS * 1000 };
	struct deposit *d = arg;

	d->link.page->beat++;
	evtimer_add(&d->beat, &tv);
	if (!d->begun)
		return;
	deposit_whole(d->g);
	supervise_changed(d->g);
}

static bool tell(void *gateway, const char *text)
{
	struct deposit *d = ((struct gateway *)gateway)->deposit;
	char *copy;

	if (!d)
		return false;
	copy = d->n_tells < TELLS_MAX ? strdup(text) : NULL;
	if (copy)
		d->tells[d->n_tells++] = copy;
	if (tells_put(d) < 0)
		flush_soon(d);
	return true;
}

int deposit_open(struct gateway *g, struct keeper_link *link)
{
	struct deposit *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->g = g;
	d->keeper = getppid();
	d->link = *link;
	*link = (struct keeper_link){ -1, -1, NULL };
	for (int i = 0; i < WHERES; i++)
		TAILQ_INIT(&d->marks[i]);
	state_writer_init(&d->w);
	d->w.kept = true;
	event_assign(&d->readable, g->base, d->link.fd, EV_READ | EV_PERSIST, on_readable, d);
	event_assign(&d->writable, g->base, d->link.fd, EV_WRITE, on_flush, d);
	evtimer_assign(&d->beat, g->base, on_beat, d);
	evtimer_assign(&d->flush, g->base, on_flush, d);
	evtimer_assign(&d->lost, g->base, on_lost, d);
	g->deposit = d;
	event_add(&d->readable, NULL);
	notify_through(tell, g);
	on_beat(-1, 0, d);
	return 0;
}

void deposit_close(struct gateway *g)
{
	struct deposit *d = g->deposit;

	if (!d)
		return;
	g->deposit = NULL;
	notify_through(NULL, NULL);
	event_del(&d->readable);
	event_del(&d->writable);
	evtimer_del(&d->beat);
	evtimer_del(&d->flush);
	evtimer_del(&d->lost);
	state_writer_fini(&d->w);
	while (d->n_tells)
		free(d->tells[--d->n_tells]);
	free(d->dropped);
	keeper_detach(&d->link);
	free(d);
}

static void parts_enter(struct deposit *d)
{
	static const enum vault_kind parts[] = { VAULT_PROGRAM, VAULT_BASE,      VAULT_GATEWAY, VAULT_FIGURES, VAULT_METRICS,
		                                 VAULT_BANS,    VAULT_LISTENERS, VAULT_ADMIN,   VAULT_NUMBERS, VAULT_INNER };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		deposit_enter(d->g, &d->part[parts[i]], parts[i], 0, d);
}

static void all_held(struct gateway *g, struct deposit_mark *m)
{
	m->held = true;
}

void deposit_begin(struct gateway *g, bool again)
{
	struct deposit *d = g->deposit;
	struct keeper_page *p = deposit_page(g);

	if (!d)
		return;
	p->facility = gateway_facility(g->options, g->config);
	p->to_syslog = g->to_syslog;
	p->detached = !g->options->foreground;
	p->traceable = getenv(SANDBOX_TRACEABLE) != NULL;
	d->begun = true;
	d->reset = !again;
	parts_enter(d);
	for (int i = 0; i < VAULT_KINDS; i++)
		d->part[i].held = again;
	handover_marks(g, again ? all_held : all_changed);
	dirty(d);
}

void deposit_end(struct gateway *g)
{
	struct keeper_page *p = deposit_page(g);

	if (!p)
		return;
	p->phase = KEEPER_LEAVING;
	g->deposit->begun = false;
	// what is closed from here on is to be closed
	if (small_put(g->deposit, VAULT_RESET, VAULT_PROGRAM, 0) == 0 && small_put(g->deposit, VAULT_COMMIT, VAULT_PROGRAM, 0) == 0)
		packet_send(g->deposit);
}

struct keeper_page *deposit_page(const struct gateway *g)
{
	return g->deposit ? g->deposit->link.page : NULL;
}

const struct keeper_link *deposit_link(const struct gateway *g)
{
	return g->deposit ? &g->deposit->link : NULL;
}
