#include "control/main/usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "control/main/filewriter.h"
#include "control/main/handover.h"
#include "control/main/quota.h"
#include "control/main/quota_row.h"
#include "control/main/session.h"
#include "proto/err.h"

#define FILE_MOST (256u << 20) // of a million users
#define WRITE_SECONDS 10       // what a death of main may lose
#define WRITE_SOON_SECONDS 1   // when a session has ended; or to see whether it was written

struct usage {
	struct quota_book book;
	struct filewriter *writer; // NULL: nothing has been counted yet, or the file cannot be written
	struct event timer;        // pending: something is to be written, or to be seen on the disk
	bool handed;               // to the writer; nothing has been counted since
	time_t looked;             // when the calendar was
	struct quota_date date;
	char *path;
	int failed; // what the log says of the file already
};

// All tunnels that moved are counted within a moment.
static struct quota_date today(struct usage *u)
{
	time_t now = time(NULL);

	if (now != u->looked) {
		u->looked = now;
		u->date = quota_today(now);
	}
	return u->date;
}

// ------------------------------------------------------------------------------------------------------------------ file

static void file_failed(struct usage *u, int error)
{
	if (error != u->failed && error)
		log_err("quota-file %s: %s: what users have used will not survive a restart", u->path, strerror(-error));
	else if (error != u->failed)
		log_notice("quota-file %s: what users have used is in it again", u->path);
	u->failed = error;
}

static int hand_over(struct usage *u)
{
	size_t len;
	char *text;

	if (!u->writer)
		u->writer = filewriter_new(u->path);
	if (!u->writer)
		return -errno;
	text = quota_print(&u->book, &len);
	if (!text)
		return -ENOMEM;
	filewriter_put(u->writer, text, len);
	u->handed = true;
	return 0;
}

static void timer_set(struct usage *u, time_t seconds)
{
	const struct timeval tv = { .tv_sec = seconds };

	evtimer_add(&u->timer, &tv);
}

static void write_book(struct usage *u)
{
	const struct quota_date now = today(u);
	int ret;

	quota_forget(&u->book, &now);
	ret = hand_over(u);
	if (ret < 0)
		file_failed(u, ret);
	timer_set(u, ret < 0 ? WRITE_SECONDS : WRITE_SOON_SECONDS);
}

// What does not get to the disk is written again: one that is full does not stay full.
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct usage *u = arg;
	int ret = u->writer ? filewriter_result(u->writer) : 0;

	if (u->writer && ret != -EINPROGRESS)
		file_failed(u, ret);
	if (!u->handed) {
		write_book(u);
	} else if (ret < 0) {
		u->handed = ret == -EINPROGRESS;
		timer_set(u, WRITE_SECONDS);
	}
}

static void write_in(struct usage *u, time_t seconds)
{
	if (u->handed || seconds < WRITE_SECONDS || !evtimer_pending(&u->timer, NULL))
		timer_set(u, seconds);
	u->handed = false;
}

// Under another name, so that nothing of it is lost and the next one does not fall over it.
static void set_aside(const struct usage *u, unsigned line)
{
	char aside[4200];

	snprintf(aside, sizeof(aside), "%s.broken-%lld", u->path, (long long)time(NULL));
	log_err("quota-file %s: line %u is not understood; it is set aside as %s, and users begin at 0", u->path, line, aside);
	if (rename(u->path, aside) < 0)
		log_err("quota-file %s: %s", aside, strerror(errno));
}

// What is wrong in the middle makes the whole doubtful.
static int read_book(struct usage *u)
{
	char *text = NULL;
	unsigned line = 0;
	size_t len = 0;
	int ret = config_text(u->path, true, FILE_MOST, &text, &len);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return errno_log(-ret, "quota-file %s: %s", u->path, ret == -EINVAL ? "it is no file" : strerror(-ret));
	ret = quota_parse(&u->book, text, len, &line);
	free(text);
	if (ret != -EINVAL)
		return ret;
	set_aside(u, line);
	quota_book_fini(&u->book);
	return quota_book_init(&u->book);
}

static void usage_free(struct usage *u)
{
	if (evtimer_initialized(&u->timer))
		evtimer_del(&u->timer);
	quota_book_fini(&u->book);
	free(u->path);
	free(u);
}

static struct usage *usage_new(const struct gateway *g)
{
	struct usage *u = calloc(1, sizeof(*u));

	if (!u || quota_book_init(&u->book) < 0) {
		free(u);
		return NULL;
	}
	evtimer_assign(&u->timer, g->base, on_timer, u);
	u->path = strdup(config_str(g->config, OPT_QUOTA_FILE));
	if (u->path)
		return u;
	usage_free(u);
	return NULL;
}

int usage_open(struct gateway *g)
{
	struct usage *u;
	int ret;

	if (g->usage) // it was handed over
		return 0;
	u = usage_new(g);
	if (!u)
		return -ENOMEM;
	ret = read_book(u);
	if (ret == 0)
		g->usage = u;
	else
		usage_free(u);
	return ret;
}

void usage_close(struct gateway *g)
{
	struct usage *u = g->usage;

	if (!u)
		return;
	if (evtimer_pending(&u->timer, NULL) && (!u->handed || (u->writer && filewriter_result(u->writer) < 0)))
		write_book(u);
	if (u->writer)
		file_failed(u, filewriter_free(u->writer));
	usage_free(u);
	g->usage = NULL;
}

// ----------------------------------------------------------------------------------------------------------------- rules

static bool is_limited(const struct terms *t)
{
	return t->quota.day || t->quota.month;
}

int usage_refuses(struct gateway *g, const struct session *s, const struct terms *terms)
{
	struct quota_date now;
	struct quota_user *q;

	if (terms->valid_until && time(NULL) >= terms->valid_until)
		return -EKEYEXPIRED;
	q = g->usage && is_limited(terms) ? quota_find(&g->usage->book, s->vhost, s->user) : NULL;
	if (!q)
		return 0;
	q->told = terms->quota;
	now = today(g->usage);
	quota_roll(q, &now);
	if (!quota_exceeded(q, &terms->quota))
		return 0;
	return quota_exceeded(q, &(struct quota_limits){ .month = terms->quota.month }) ? -EFBIG : -EDQUOT;
}

void usage_begin(struct tunnel *t)
{
	struct usage *u = t->g->usage;

	if (!u || !is_limited(t->terms))
		return;
	t->quota = quota_get(&u->book, t->session->vhost, t->session->user);
	if (t->quota) {
		t->quota->holders++;
		t->quota->told = t->terms->quota;
	} else
		log_err("session %u: no memory: the quota of user '%s' does not count", t->session->id, t->session->user);
}

// All sessions of his that count here: each by what it was told when it connected.
static void enforce(struct gateway *g, const struct quota_user *q)
{
	struct session *s, *next;
	const char *why;

	for (s = TAILQ_FIRST(&g->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (!s->tunnel || s->tunnel->quota != q)
			continue;
		why = quota_exceeded(q, &s->tunnel->terms->quota);
		if (!why)
			continue;
		log_notice("session %u: user '%s': %s", s->id, s->user, why);
		session_terminate(s, END_QUOTA);
	}
}

void usage_count(struct tunnel *t, uint64_t bytes)
{
	struct quota_date now;

	if (!t->quota || !t->g->usage || !bytes)
		return;
	now = today(t->g->usage);
	quota_add(t->quota, &now, bytes);
	write_in(t->g->usage, WRITE_SECONDS);
	if (t->phase == TUNNEL_UP && quota_exceeded(t->quota, &t->terms->quota))
		enforce(t->g, t->quota);
}

void usage_end(struct tunnel *t)
{
	// at the very end of the gateway there is no book any more
	if (!t->quota || !t->g->usage)
		return;
	t->quota->holders--;
	t->quota = NULL;
	write_in(t->g->usage, WRITE_SOON_SECONDS);
}

// -------------------------------------------------------------------------------------------------------------- operator

// Who has used it up is not connected any more: his quota is what he was told.
static void limits_of(struct gateway *g, const struct quota_user *q, struct quota_row *row)
{
	const struct session *s;

	row->limits = q->told;
	if (!q->holders)
		return;
	TAILQ_FOREACH(s, &g->sessions, all)
	if (s->tunnel && s->tunnel->quota == q) {
		row->valid_until = s->tunnel->terms->valid_until;
		return;
	}
}

struct quota_row *usage_rows(struct gateway *g, const char *user, size_t *count)
{
	struct quota_date now;
	struct quota_row *rows;
	struct quota_user *q;

	*count = 0;
	rows = calloc((g->usage ? g->usage->book.count : 0) + 1, sizeof(*rows));
	if (!rows || !g->usage)
		return rows;
	now = today(g->usage);
	TAILQ_FOREACH(q, &g->usage->book.users, all)
	{
		if (user && strcmp(q->user, user) != 0)
			continue;
		quota_roll(q, &now);
		snprintf(rows[*count].user, sizeof(rows->user), "%s", q->user);
		snprintf(rows[*count].vhost, sizeof(rows->vhost), "%s", q->vhost);
		rows[*count].day = q->day.bytes;
		rows[*count].month = q->month.bytes;
		limits_of(g, q, &rows[*count]);
		++*count;
	}
	return rows;
}

unsigned usage_reset(struct gateway *g, const char *user)
{
	struct quota_user *q;
	unsigned n = 0;

	if (!g->usage)
		return 0;
	TAILQ_FOREACH(q, &g->usage->book.users, all)
	{
		if (strcmp(q->user, user) != 0)
			continue;
		quota_reset(q);
		n++;
	}
	if (n)
		write_in(g->usage, WRITE_SOON_SECONDS);
	return n;
}

// -------------------------------------------------------------------------------------------------------------- handover

static const struct state_field user_fields[] = {
	STATE_STRING(struct quota_user, vhost),      STATE_STRING(struct quota_user, user),
	STATE_NUMBER(struct quota_user, day.date),   STATE_NUMBER(struct quota_user, day.bytes),
	STATE_NUMBER(struct quota_user, month.date), STATE_NUMBER(struct quota_user, month.bytes),
	STATE_NUMBER(struct quota_user, told.day),   STATE_NUMBER(struct quota_user, told.month),
};

STATE_COVERS(struct quota_user, 104);

void usage_save(const struct gateway *g, struct state_writer *w)
{
	const struct quota_user *q;

	if (!g->usage)
		return;
	state_write(w, "usage", NULL, 0);
	TAILQ_FOREACH(q, &g->usage->book.users, all)
	state_write(w, "quota-user", STATE_PARTS(STATE_PART("", user_fields, q)));
}

int usage_restore(struct handover *h, const struct state_record *rec)
{
	struct gateway *g = h->g;
	int ret = g->usage ? -EBADMSG : state_read(rec, NULL, 0);

	if (ret < 0)
		return ret;
	g->usage = usage_new(g);
	if (!g->usage)
		return -ENOMEM;
	// what the one before us was about to write may have ended with it
	write_in(g->usage, WRITE_SOON_SECONDS);
	return 0;
}

int usage_user_restore(struct handover *h, const struct state_record *rec)
{
	struct quota_user from = { 0 }, *q = NULL;
	int ret = h->g->usage ? state_read(rec, STATE_PARTS(STATE_PART("", user_fields, &from))) : -EBADMSG;

	// the default virtual host has no name
	if (ret == 0)
		q = from.user ? quota_get(&h->g->usage->book, from.vhost ? from.vhost : "", from.user) : NULL;
	if (q) {
		q->day = from.day;
		q->month = from.month;
		q->told = from.told;
	}
	free(from.vhost);
	free(from.user);
	return ret < 0 ? ret : q ? 0 : -EBADMSG;
}
