#include "secmod/ledger.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "proto/err.h"
#include "proto/text.h"
#include "secmod/account_record.h"
#include "secmod/pool.h"

#define WINDOW 16        // records under way at once, each of another session
#define LOOK_AHEAD 256   // of what waits, for one whose session has none under way
#define MEMORY_MAX 16384 // records, where there is no disk for them
#define RETRY_FIRST_MS 2000
#define RETRY_MAX_MS 60000
#define DISK_PAUSE_MS 60000 // after it has taken nothing
#define SPOOL_BYTES (64u << 20)
#define JOBS_MAX 64

struct entry {
	TAILQ_ENTRY(entry) next;
	struct ledger *ledger;
	struct radius_exchange *exchange; // NULL: not under way
	uint8_t kind;
	bool on_disk; // in the file that is being delivered
	uint64_t when, session;
	int64_t born_ms; // when, by the clock that nobody sets
	uint16_t len;
	uint8_t data[];
};
TAILQ_HEAD(entries, entry);

enum disk_work { DISK_OPEN, DISK_APPEND, DISK_READ, DISK_REMOVE };

// What the thread is doing for the ledger; one at a time.
struct disk_job {
	struct pool_job job;
	struct ledger *ledger;
	enum disk_work what;
	struct entries batch; // DISK_APPEND
	unsigned dropped;
	uint64_t file; // DISK_READ: out; DISK_REMOVE: in
	uint8_t *bytes;
	size_t len;
	struct spool *spool;
	uint64_t total; // out: bytes in the spool
	int ret;
};

struct ledger {
	struct ledger *next;
	char file[LIMIT_TEXT + 1], directory[LIMIT_TEXT + 32];
	struct radius_servers *servers;
	struct spool *spool;    // the thread's while a job is under way; NULL: not open
	struct entries todo;    // the oldest first: those of the file that is being delivered, then what is only here
	struct entries writing; // on their way to the disk
	unsigned n_todo, n_file, under_way;
	bool behind;  // there is something on disk that is not here
	bool failing; // nobody answers: nothing is sent until the retry
	bool probing; // one record at a time, until one arrives
	bool disk_busy, disk_told, no_server_told;
	uint64_t delivering; // the file that todo begins with, 0: none
	int64_t disk_after;  // monotonic ms: not before
	uint64_t disk_bytes, delivered, dropped;
	uint32_t retry_ms;
	struct event *retry;
	struct disk_job disk;
};

static struct {
	struct event_base *base;
	struct pool *pool;
	struct event *reap;
	struct ledger *all;
	bool finishing;
} ledgers;

static void pump(struct ledger *l);
static void disk_step(struct ledger *l);

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// ---------------------------------------------------------------------------------------------------------------- entries

static struct entry *entry_new(struct ledger *l, uint8_t kind, uint64_t when, uint64_t session, const uint8_t *data, size_t len)
{
	struct entry *e = malloc(sizeof(*e) + len);

	if (!e)
		return NULL;
	*e = (struct entry){
		.ledger = l, .kind = kind, .when = when, .session = session, .born_ms = now_ms(), .len = (uint16_t)len
	};
	memcpy(e->data, data, len);
	return e;
}

static void entry_free(struct ledger *l, struct entry *e)
{
	TAILQ_REMOVE(&l->todo, e, next);
	l->n_todo--;
	l->n_file -= e->on_disk;
	free(e);
}

static void lose(struct ledger *l, unsigned n, const char *why)
{
	if (n && l->dropped == 0)
		log_err("accounting: %s: records are dropped: %s", l->file, why);
	l->dropped += n;
}

// Where there is no disk: an Interim goes before a Start or Stop does.
static void make_room(struct ledger *l)
{
	struct entry *e, *victim = NULL;

	if (l->n_todo < MEMORY_MAX)
		return;
	TAILQ_FOREACH(e, &l->todo, next)
	{
		if (e->exchange || e->on_disk)
			continue;
		if (!victim)
			victim = e;
		if (e->kind == SPOOL_INTERIM) {
			victim = e;
			break;
		}
	}
	if (!victim)
		return;
	lose(l, 1, "no server answers, and memory has no room for more");
	entry_free(l, victim);
}

static void todo_append(struct ledger *l, struct entry *e)
{
	make_room(l);
	TAILQ_INSERT_TAIL(&l->todo, e, next);
	l->n_todo++;
}

// ------------------------------------------------------------------------------------------------------------------- disk

static int append_batch(struct disk_job *j)
{
	struct spool_record *records;
	struct entry *e;
	size_t n = 0;
	int ret;

	TAILQ_FOREACH(e, &j->batch, next)
	n++;
	records = calloc(n, sizeof(*records));
	if (!records)
		return -ENOMEM;
	n = 0;
	TAILQ_FOREACH(e, &j->batch, next)
	records[n++] = (struct spool_record){ e->kind, e->when, e->session, e->data, e->len };
	ret = spool_append(j->spool, records, n, &j->dropped);
	free(records);
	return ret;
}

// In the thread.
static void disk_run(struct pool_job *job, void *scratch)
{
	struct disk_job *j = (struct disk_job *)job;

	switch (j->what) {
	case DISK_OPEN:
		j->spool = spool_open(j->ledger->directory, SPOOL_BYTES);
		j->ret = j->spool ? 0 : -errno;
		break;
	case DISK_APPEND:
		j->ret = append_batch(j);
		break;
	case DISK_READ:
		j->ret = spool_read(j->spool, &j->file, &j->bytes, &j->len);
		break;
	case DISK_REMOVE:
		j->ret = spool_remove(j->spool, j->file);
		break;
	}
	j->total = j->spool ? spool_bytes(j->spool) : 0;
}

static void opened(struct ledger *l, const struct disk_job *j)
{
	struct entry *e;

	l->spool = j->spool;
	l->behind = l->disk_bytes > 0;
	if (j->ret < 0) {
		log_err("accounting: %s: %s: nothing can be kept there: %s", l->file, l->directory, strerror(-j->ret));
		l->directory[0] = '\0';
		while ((e = TAILQ_FIRST(&l->writing))) {
			TAILQ_REMOVE(&l->writing, e, next);
			todo_append(l, e);
		}
	}
	if (l->behind)
		log_notice("accounting: %s: %llu bytes of records wait in %s", l->file, (unsigned long long)l->disk_bytes,
		           l->directory);
}

static void disk_fails(struct ledger *l, int ret)
{
	l->disk_after = now_ms() + DISK_PAUSE_MS;
	if (!l->disk_told)
		log_err("accounting: %s: %s: %s; records stay in memory", l->file, l->directory, strerror(-ret));
	l->disk_told = true;
}

static void appended(struct ledger *l, struct disk_job *j)
{
	struct entry *e;

	lose(l, j->dropped, "the spool is full");
	l->behind = l->behind || j->ret == 0;
	if (j->ret < 0)
		disk_fails(l, j->ret);
	else
		l->disk_told = false;
	while ((e = TAILQ_FIRST(&j->batch))) {
		TAILQ_REMOVE(&j->batch, e, next);
		if (j->ret < 0)
			todo_append(l, e);
		else
			free(e);
	}
}

// To the head: all that is only here is younger.
static void loaded(struct ledger *l, struct disk_job *j)
{
	struct spool_record r;
	struct entry *e, *after = NULL;
	size_t at = 0, n;

	if (j->ret == -ENOENT) {
		l->behind = false;
		return;
	}
	if (j->ret < 0) {
		disk_fails(l, j->ret);
		return;
	}
	l->delivering = j->file;
	for (; (n = spool_parse(j->bytes + at, j->len - at, &r)) > 0; at += n) {
		e = entry_new(l, r.kind, r.when, r.session, r.data, r.len);
		if (!e)
			break;
		e->on_disk = true;
		// a clock that was set back must not make it years
		if ((uint64_t)time(NULL) > r.when)
			e->born_ms -= (int64_t)((uint64_t)time(NULL) - r.when) * 1000;
		if (after)
			TAILQ_INSERT_AFTER(&l->todo, after, e, next);
		else
			TAILQ_INSERT_HEAD(&l->todo, e, next);
		after = e;
		l->n_todo++;
		l->n_file++;
	}
	if (at < j->len)
		log_notice("accounting: %s: %zu bytes at the end of a file in %s are no record", l->file, j->len - at,
		           l->directory);
	free(j->bytes);
	j->bytes = NULL;
}

static void disk_done(struct pool_job *job)
{
	struct disk_job *j = (struct disk_job *)job;
	struct ledger *l = j->ledger;

	l->disk_busy = false;
	l->disk_bytes = j->total;
	switch (j->what) {
	case DISK_OPEN:
		opened(l, j);
		break;
	case DISK_APPEND:
		appended(l, j);
		break;
	case DISK_READ:
		loaded(l, j);
		break;
	case DISK_REMOVE:
		break;
	}
	disk_step(l);
	pump(l);
}

static bool disk_start(struct ledger *l, enum disk_work what)
{
	l->disk.job.run = disk_run;
	l->disk.job.done = disk_done;
	l->disk.ledger = l;
	l->disk.what = what;
	l->disk.dropped = 0;
	l->disk_busy = pool_put(ledgers.pool, &l->disk.job) == 0;
	return l->disk_busy;
}

// What is next for the thread.
static void disk_step(struct ledger *l)
{
	if (l->disk_busy || !l->spool)
		return;
	if (l->delivering && l->n_file == 0) {
		l->disk.file = l->delivering;
		l->delivering = 0;
		if (!disk_start(l, DISK_REMOVE))
			l->delivering = l->disk.file;
	} else if (!TAILQ_EMPTY(&l->writing)) {
		TAILQ_INIT(&l->disk.batch);
		TAILQ_CONCAT(&l->disk.batch, &l->writing, next);
		if (!disk_start(l, DISK_APPEND))
			TAILQ_CONCAT(&l->writing, &l->disk.batch, next);
	} else if (l->behind && !l->delivering && !l->failing && l->under_way == 0 && !ledgers.finishing) {
		disk_start(l, DISK_READ);
	}
}

static bool disk_takes(const struct ledger *l)
{
	return l->directory[0] && (l->spool || l->disk_busy) && now_ms() >= l->disk_after;
}

// What is only here, in order.
static void flush_to_disk(struct ledger *l)
{
	struct entry *e, *next;

	if (!disk_takes(l) || !l->spool)
		return;
	for (e = TAILQ_FIRST(&l->todo); e; e = next) {
		next = TAILQ_NEXT(e, next);
		if (e->on_disk || e->exchange)
			continue;
		TAILQ_REMOVE(&l->todo, e, next);
		l->n_todo--;
		TAILQ_INSERT_TAIL(&l->writing, e, next);
	}
	disk_step(l);
}

// ------------------------------------------------------------------------------------------------------------------- send

static int build(void *who, struct radius_packet *out, uint8_t id, const char *secret)
{
	const struct entry *e = who;
	struct radius_attributes a = { .len = e->len };

	if (e->len > sizeof(a.bytes))
		return -EMSGSIZE;
	memcpy(a.bytes, e->data, e->len);
	account_record_delay(&a, (uint32_t)((now_ms() - e->born_ms) / 1000));
	return radius_build_accounting(out, id, &a, secret);
}

static void retry_later(struct ledger *l)
{
	struct timeval tv;

	l->retry_ms = l->retry_ms == 0 ? RETRY_FIRST_MS : l->retry_ms < RETRY_MAX_MS / 2 ? 2 * l->retry_ms : RETRY_MAX_MS;
	tv = (struct timeval){ .tv_sec = l->retry_ms / 1000, .tv_usec = l->retry_ms % 1000 * 1000 };
	evtimer_add(l->retry, &tv);
}

static void on_retry(evutil_socket_t fd, short what, void *who)
{
	struct ledger *l = who;

	l->failing = false;
	l->probing = true;
	disk_step(l);
	pump(l);
}

// Once all that was under way has ended, so that order holds.
static void rest(struct ledger *l)
{
	if (!l->failing || l->under_way > 0 || evtimer_pending(l->retry, NULL))
		return;
	if (!l->no_server_told)
		log_err("accounting: %s: no server answers; records are kept%s%s", l->file, disk_takes(l) ? " in " : "",
		        disk_takes(l) ? l->directory : "");
	l->no_server_told = true;
	flush_to_disk(l);
	retry_later(l);
}

static void arrived(struct ledger *l)
{
	if (l->no_server_told)
		log_notice("accounting: %s: a server answers again", l->file);
	l->no_server_told = l->probing = false;
	l->retry_ms = 0;
	l->delivered++;
}

static void on_answer(void *who, const uint8_t *bytes, size_t len, int server)
{
	struct entry *e = who;
	struct ledger *l = e->ledger;

	e->exchange = NULL;
	l->under_way--;
	if (bytes) {
		entry_free(l, e);
		arrived(l);
	} else {
		l->failing = true;
	}
	rest(l);
	disk_step(l);
	pump(l);
}

static const struct radius_kind kind = { build, on_answer };

// An earlier record of its session is still here, or one that is about all sessions.
static bool has_to_wait(const struct entry *e)
{
	const struct entry *before = e;

	while ((before = TAILQ_PREV(before, entries, next)))
		if (before->session == e->session || before->session == 0 || e->session == 0)
			return true;
	return false;
}

static bool send_one(struct ledger *l, struct entry *e)
{
	int ret = radius_exchange_start(l->servers, &kind, e, -1, &e->exchange);

	if (ret == 0) {
		l->under_way++;
		return true;
	}
	e->exchange = NULL;
	if (ret == -EMSGSIZE || ret == -EINVAL) {
		lose(l, 1, "a record is too long");
		entry_free(l, e);
		return true;
	}
	l->failing = true;
	return false;
}

static void pump(struct ledger *l)
{
	unsigned window = l->probing ? 1 : WINDOW, looked = 0;
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&l->todo); e && l->servers && !l->failing && l->under_way < window && looked < LOOK_AHEAD; e = next) {
		next = TAILQ_NEXT(e, next);
		looked++;
		if (!e->exchange && !has_to_wait(e) && !send_one(l, e))
			break;
	}
	rest(l);
}

void ledger_add(struct ledger *l, enum spool_kind what, uint64_t session, const struct radius_attributes *a)
{
	struct entry *e = entry_new(l, what, (uint64_t)time(NULL), session, a->bytes, a->len);

	if (!e) {
		lose(l, 1, "no memory");
		return;
	}
	// what is on the disk is older, and so is what is only here
	if (disk_takes(l) && (l->behind || l->failing || l->disk_busy || !TAILQ_EMPTY(&l->writing)) && l->n_todo == l->n_file) {
		TAILQ_INSERT_TAIL(&l->writing, e, next);
		disk_step(l);
		return;
	}
	todo_append(l, e);
	pump(l);
}

// ------------------------------------------------------------------------------------------------------------------- life

static void on_reap(evutil_socket_t fd, short what, void *who)
{
	pool_reap(ledgers.pool);
}

int ledgers_start(struct event_base *base)
{
	ledgers.base = base;
	ledgers.finishing = false;
	ledgers.pool = pool_new(1, JOBS_MAX, 0);
	if (!ledgers.pool)
		return -errno;
	ledgers.reap = event_new(base, pool_fd(ledgers.pool), EV_READ | EV_PERSIST, on_reap, NULL);
	return ledgers.reap && event_add(ledgers.reap, NULL) == 0 ? 0 : -ENOMEM;
}

// A directory of its own below, whose name says nothing and needs no care.
static void directory_of(struct ledger *l, const char *directory)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (!directory[0])
		return;
	SHA256((const uint8_t *)l->file, strlen(l->file), digest);
	snprintf(l->directory, sizeof(l->directory), "%s/%02x%02x%02x%02x", directory, digest[0], digest[1], digest[2], digest[3]);
}

struct ledger *ledger_get(const char *file, const char *directory)
{
	struct ledger *l;

	for (l = ledgers.all; l; l = l->next)
		if (strcmp(l->file, file) == 0)
			return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->retry = evtimer_new(ledgers.base, on_retry, l);
	if (!l->retry) {
		free(l);
		return NULL;
	}
	snprintf(l->file, sizeof(l->file), "%s", file);
	directory_of(l, directory);
	TAILQ_INIT(&l->todo);
	TAILQ_INIT(&l->writing);
	l->next = ledgers.all;
	ledgers.all = l;
	if (l->directory[0])
		disk_start(l, DISK_OPEN);
	return l;
}

void ledger_serve(struct ledger *l, struct radius_servers *servers)
{
	radius_servers_put(l->servers);
	l->servers = servers;
	evtimer_del(l->retry);
	l->failing = false;
	pump(l);
}

struct ledger_state ledger_state(const struct ledger *l)
{
	return (struct ledger_state){ l->n_todo - l->n_file, l->disk_bytes, l->delivered, l->dropped };
}

static void report(const struct ledger *l, health_row row, void *who)
{
	struct health h = {
		.kind = HEALTH_POOL,
		.down = l->no_server_told,
		.outstanding = l->n_todo - l->n_file,
		.asked = l->delivered + l->n_todo - l->n_file,
		.failures = l->dropped,
	};

	// without a room: what waits here is in the way of no login
	text_copy(h.name, HEALTH_NAME, "accounting");
	text_copy(h.owner, HEALTH_NAME, l->file);
	snprintf(h.state, sizeof(h.state), "%s; %llu bytes on disk", l->no_server_told ? "no server answers" : "records are taken",
	         (unsigned long long)l->disk_bytes);
	row(who, &h);
}

void ledgers_report(health_row row, void *who)
{
	for (const struct ledger *l = ledgers.all; l; l = l->next)
		report(l, row, who);
}

// -------------------------------------------------------------------------------------------------------------------- end

static bool all_done(void)
{
	const struct ledger *l;

	for (l = ledgers.all; l; l = l->next)
		if (l->disk_busy || l->under_way || l->n_todo > l->n_file || !TAILQ_EMPTY(&l->writing))
			return false;
	return true;
}

static void run_until(struct event_base *base, int64_t deadline, bool (*done)(void))
{
	const struct timeval step = { .tv_usec = 20000 };

	while (!done() && now_ms() < deadline) {
		event_base_loopexit(base, &step);
		if (event_base_dispatch(base) != 0)
			break;
	}
}

// Nobody waits for an answer any more.
static void give_up(struct ledger *l)
{
	struct entry *e;

	TAILQ_FOREACH(e, &l->todo, next)
	{
		if (!e->exchange)
			continue;
		radius_exchange_cancel(e->exchange);
		e->exchange = NULL;
		l->under_way--;
	}
	l->failing = true;
	evtimer_del(l->retry);
	l->disk_after = 0;
	flush_to_disk(l);
}

static void ledger_free(struct ledger *l)
{
	unsigned lost = l->n_todo - l->n_file;
	struct entry *e;

	if (lost)
		log_err("accounting: %s: %u records are lost: nobody has taken them, and there is no disk for them", l->file, lost);
	while ((e = TAILQ_FIRST(&l->todo)))
		entry_free(l, e);
	radius_servers_put(l->servers);
	event_free(l->retry);
	spool_close(l->spool);
	free(l);
}

void ledgers_finish(struct event_base *base, int patience_ms)
{
	struct ledger *l;

	if (!ledgers.pool)
		return;
	ledgers.finishing = true;
	run_until(base, now_ms() + patience_ms, all_done);
	for (l = ledgers.all; l; l = l->next)
		give_up(l);
	run_until(base, now_ms() + patience_ms, all_done);
	event_free(ledgers.reap);
	if (pool_stop(ledgers.pool, 1000) < 0)
		return; // the thread is at work on what would be freed
	ledgers.pool = NULL;
	while ((l = ledgers.all)) {
		ledgers.all = l->next;
		ledger_free(l);
	}
}
