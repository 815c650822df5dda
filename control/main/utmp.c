#include "control/main/utmp.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmp.h>

#include "control/main/config.h"
#include "control/main/session.h"
#include "proto/err.h"

#define RETRY_MS 100
#define RETRIES 50 // then what waits is given up: whoever holds these files does not let go

struct job {
	STAILQ_ENTRY(job) next;
	uint32_t id; // of the session
	struct utmp record;
};

// Where our records lie in utmp: a guess that is verified, so that a file with thousands need not be read for each.
struct places {
	uint32_t *id; // of the session whose record is there; PLACE_FREE: ours, of somebody who has gone; 0: not ours
	size_t n;
};

#define PLACE_FREE UINT32_MAX

struct utmp_book {
	struct gateway *g;
	STAILQ_HEAD(job_list, job) jobs;
	unsigned n_jobs, retries;
	struct event timer;
	struct places places;
};

// ----------------------------------------------------------------------------------------------------------------- files

// -1: there is none, which is the operator's choice; -2: somebody else has it.
static int file_take(const char *path, int flags)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fcntl(fd, F_SETLK, &lock) == 0)
		return fd;
	close(fd);
	return -2;
}

static void file_give(int fd)
{
	if (fd >= 0)
		close(fd); // and unlock
}

static bool record_read(int fd, size_t place, struct utmp *out)
{
	return pread(fd, out, sizeof(*out), (off_t)(place * sizeof(*out))) == sizeof(*out);
}

// All of it, or as it was.
static void record_append(int fd, const struct utmp *record)
{
	off_t end = lseek(fd, 0, SEEK_END);

	end -= end % (off_t)sizeof(*record);
	if (pwrite(fd, record, sizeof(*record), end) != sizeof(*record) && ftruncate(fd, end) < 0)
		log_warn("utmp: %s", strerror(errno));
}

// ---------------------------------------------------------------------------------------------------------------- places

// The session's ID in one of our lines; 0: it is not ours.
static uint32_t line_id(const struct gateway *g, const struct utmp *r)
{
	const char *device = config_str(g->config, OPT_DEVICE);
	size_t len = strlen(device);
	char line[UT_LINESIZE + 1] = "";
	unsigned id = 0;
	int end = 0;

	memcpy(line, r->ut_line, UT_LINESIZE);
	if (strncmp(line, device, len) != 0 || sscanf(line + len, "%*[0-9]:%u%n", &id, &end) != 1 || line[len + (size_t)end])
		return 0;
	return id;
}

static bool is_up(const struct utmp *r)
{
	return r->ut_type == USER_PROCESS;
}

static uint32_t owner_of(const struct gateway *g, const struct utmp *r)
{
	uint32_t id = line_id(g, r);

	return id == 0 || is_up(r) ? id : PLACE_FREE;
}

static bool places_grow(struct places *p, size_t n)
{
	uint32_t *grown;

	if (n <= p->n)
		return true;
	grown = realloc(p->id, n * sizeof(*grown));
	if (!grown)
		return false;
	memset(grown + p->n, 0, (n - p->n) * sizeof(*grown));
	p->id = grown;
	p->n = n;
	return true;
}

static void places_read(struct utmp_book *b, int fd)
{
	struct utmp r;

	b->places.n = 0;
	for (size_t i = 0; record_read(fd, i, &r) && places_grow(&b->places, i + 1); i++)
		b->places.id[i] = owner_of(b->g, &r);
}

// Whether it is still there, *place is where it is thought to be.
static bool place_guess(const struct utmp_book *b, int fd, uint32_t owner, size_t *place)
{
	struct utmp r;

	for (*place = 0; *place < b->places.n; ++*place)
		if (b->places.id[*place] == owner)
			return record_read(fd, *place, &r) && owner_of(b->g, &r) == owner;
	return false;
}

static size_t place_for(struct utmp_book *b, int fd, uint32_t id)
{
	struct stat st;
	size_t place;

	for (int i = 0; i < 2; i++) {
		if (place_guess(b, fd, id, &place) || place_guess(b, fd, PLACE_FREE, &place))
			return place;
		if (i == 0)
			places_read(b, fd);
	}
	return fstat(fd, &st) == 0 ? (size_t)st.st_size / sizeof(struct utmp) : b->places.n;
}

static void record_place(struct utmp_book *b, int fd, uint32_t id, const struct utmp *record)
{
	size_t place = place_for(b, fd, id);

	if (pwrite(fd, record, sizeof(*record), (off_t)(place * sizeof(*record))) == sizeof(*record) &&
	    places_grow(&b->places, place + 1))
		b->places.id[place] = is_up(record) ? id : PLACE_FREE;
}

// ------------------------------------------------------------------------------------------------------------------ jobs

static void job_drop(struct utmp_book *b)
{
	struct job *j = STAILQ_FIRST(&b->jobs);

	STAILQ_REMOVE_HEAD(&b->jobs, next);
	b->n_jobs--;
	free(j);
}

static void give_up(struct utmp_book *b)
{
	log_warn("utmp: somebody keeps it locked: %u records are lost", b->n_jobs);
	while (b->n_jobs)
		job_drop(b);
}

static bool write_all(struct utmp_book *b)
{
	int utmp = file_take(_PATH_UTMP, O_RDWR), wtmp = utmp == -2 ? -2 : file_take(_PATH_WTMP, O_RDWR);
	const struct job *j;

	while (wtmp != -2 && (j = STAILQ_FIRST(&b->jobs))) {
		if (utmp >= 0)
			record_place(b, utmp, j->id, &j->record);
		if (wtmp >= 0)
			record_append(wtmp, &j->record);
		job_drop(b);
	}
	file_give(wtmp);
	file_give(utmp);
	return wtmp != -2;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval later = { .tv_usec = RETRY_MS * 1000 };
	struct utmp_book *b = arg;

	if (write_all(b))
		b->retries = 0;
	else if (++b->retries < RETRIES)
		evtimer_add(&b->timer, &later);
	else
		give_up(b);
}

static void job_add(struct utmp_book *b, uint32_t id, const struct utmp *record)
{
	struct job *j = calloc(1, sizeof(*j));
	const struct timeval now = { 0 };

	if (!j)
		return;
	j->id = id;
	j->record = *record;
	STAILQ_INSERT_TAIL(&b->jobs, j, next);
	b->n_jobs++;
	if (!evtimer_pending(&b->timer, NULL))
		evtimer_add(&b->timer, &now);
}

// --------------------------------------------------------------------------------------------------------------- records

// These fields end without a NUL where they are full.
static void put_text(char *field, size_t size, const char *text)
{
	memcpy(field, text, strnlen(text, size));
}

#define PUT(field, text) put_text((field), sizeof(field), (text))

static void stamp(struct utmp *r, short type)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	r->ut_type = type;
	r->ut_tv.tv_sec = (int32_t)ts.tv_sec;
	r->ut_tv.tv_usec = (int32_t)(ts.tv_nsec / 1000);
}

static struct utmp record_of(const struct tunnel *t, short type)
{
	struct utmp r = { .ut_pid = t->utmp_pid };
	char line[UT_LINESIZE + 16];

	snprintf(line, sizeof(line), "%s:%u", t->g->inner, t->session->id);
	PUT(r.ut_line, line);
	stamp(&r, type);
	return r;
}

void utmp_login(struct tunnel *t)
{
	char host[ADDR_TEXT];
	struct utmp r;

	if (!config_bool(t->g->config, OPT_USE_UTMP) || !t->g->inner[0])
		return;
	t->utmp_pid = (int)t->conn->pid;
	r = record_of(t, USER_PROCESS);
	PUT(r.ut_user, t->session->user);
	PUT(r.ut_host, addr_text(&t->client, host));
	memcpy(r.ut_addr_v6, t->client.ip, sizeof(r.ut_addr_v6));
	t->in_utmp = true;
	tunnel_touched(t);
	job_add(t->g->utmp, t->session->id, &r);
}

void utmp_logout(struct tunnel *t)
{
	struct utmp r;

	if (!t->in_utmp)
		return;
	t->in_utmp = false;
	tunnel_touched(t);
	r = record_of(t, DEAD_PROCESS);
	job_add(t->g->utmp, t->session->id, &r);
}

// ------------------------------------------------------------------------------------------------------------------- all

// Is there a worker of that number, alive? Numbers come again, but hardly for another worker.
static bool is_worker(pid_t pid)
{
	char path[64], name[32] = "", state = 'Z';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%31[^)]) %c", name, &state) != 2)
		state = 'Z';
	fclose(f);
	return strncmp(name, "penstock-worker", 15) == 0 && state != 'Z';
}

void utmp_tidy(struct gateway *g)
{
	int fd = config_bool(g->config, OPT_USE_UTMP) ? open(_PATH_UTMP, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	struct utmp r, out;
	unsigned n = 0;

	for (size_t i = 0; fd >= 0 && record_read(fd, i, &r); i++) {
		if (!line_id(g, &r) || !is_up(&r) || is_worker(r.ut_pid))
			continue;
		out = (struct utmp){ .ut_pid = r.ut_pid };
		memcpy(out.ut_line, r.ut_line, UT_LINESIZE);
		stamp(&out, DEAD_PROCESS);
		job_add(g->utmp, line_id(g, &r), &out);
		n++;
	}
	file_give(fd);
	if (n)
		log_notice("utmp: %u records of clients of before are closed", n);
}

bool utmp_busy(const struct gateway *g)
{
	return g->utmp && g->utmp->n_jobs > 0;
}

int utmp_open(struct gateway *g)
{
	struct utmp_book *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->g = g;
	STAILQ_INIT(&b->jobs);
	evtimer_assign(&b->timer, g->base, on_timer, b);
	g->utmp = b;
	return 0;
}

void utmp_close(struct gateway *g)
{
	struct utmp_book *b = g->utmp;

	if (!b)
		return;
	if (b->n_jobs && !write_all(b))
		give_up(b);
	evtimer_del(&b->timer);
	free(b->places.id);
	free(b);
	g->utmp = NULL;
}
