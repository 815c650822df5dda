#include "secmod/store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/file.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/stored.h"

#define HEADER_SIZE (sizeof(STORED_HEADER) - 1)
#define FILE_MAX ((size_t)4 << 30) // LIMIT_TUNNELS records of ordinary size, twice
#define GROW_LEAST (1u << 20)      // what may come on top before it is worth the trouble
#define BUFFER (1u << 16)
#define AGAIN_MS 10000 // a disk that was full may have room again
#define CLOCK_GRAIN 2  // both clocks are read in whole seconds

struct store {
	struct cookies *cookies;
	char path[LIMIT_TEXT + 1];
	int fd;             // -1: it cannot be written
	int64_t again;      // when that is tried once more
	size_t size, whole; // of the file now, and when it was last written anew
	uint8_t boot[SID_SIZE];
	int64_t ahead; // of the monotonic clock, by the last STORED_CLOCK
};

// ---------------------------------------------------------------------------------------------------------------- clocks

void store_boot(uint8_t boot[SID_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

	memset(boot, 0, SID_SIZE);
	if (n > 0)
		SHA256((const uint8_t *)text, (size_t)n, boot);
	if (fd >= 0)
		close(fd);
}

static int64_t clock_ahead(int64_t now, uint64_t wall)
{
	return (int64_t)wall - now / 1000;
}

// What somebody has added to the wall clock since an entry under `clock` was written; 0 where nobody can say.
static int64_t clock_shift(const struct store *s, const struct stored *clock, int64_t now, uint64_t wall)
{
	static const uint8_t unknown[SID_SIZE];

	if (memcmp(clock->record.sid, s->boot, SID_SIZE) != 0 || memcmp(s->boot, unknown, SID_SIZE) == 0)
		return 0;
	return clock_ahead(now, wall) - (int64_t)clock->expires;
}

static uint64_t clock_move(uint64_t when, int64_t by)
{
	int64_t moved = (int64_t)when + by;

	return when == 0 ? 0 : moved > 0 ? (uint64_t)moved : 1;
}

// ----------------------------------------------------------------------------------------------------------------- files

// Ours alone: root's, nobody else may have put anything into it, and no other gateway uses it.
static int file_check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0 || st.st_nlink != 1)
		return -EPERM;
	if ((uint64_t)st.st_size > FILE_MAX)
		return -EFBIG;
	return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

// Is what has been opened and locked still what the name stands for?
static bool file_is_at(int fd, const char *path)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

static int file_open(const char *path)
{
	int fd, ret;

	for (int i = 0; i < 3; i++) {
		fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		if (fd < 0)
			return -errno;
		ret = file_check(fd);
		if (ret == 0 && file_is_at(fd, path))
			return fd;
		close(fd);
		if (ret < 0)
			return ret;
	}
	return -EAGAIN;
}

// --------------------------------------------------------------------------------------------------------------- reading

static int restore(struct cookies *c, struct stored *s, int64_t shift, int64_t now, uint64_t wall)
{
	struct record *r = &s->record;

	if (r->connected != 0) {
		r->connected += shift - clock_ahead(now, wall);
		r->connected -= r->connected == 0; // which would say never
	}
	return cookies_restore(c, r, clock_move(s->expires, shift), now, wall);
}

// The last entry may be cut off; everything else has to be as it was written.
static int read_entries(struct store *to, const uint8_t *bytes, size_t len, int64_t now, uint64_t wall)
{
	struct cookies *c = to->cookies;
	int64_t shift = 0;
	struct stored s;
	long n;

	if (len < HEADER_SIZE)
		return memcmp(bytes, STORED_HEADER, len) == 0 ? 0 : -EBADMSG;
	if (memcmp(bytes, STORED_HEADER, HEADER_SIZE) != 0)
		return -EBADMSG;
	for (size_t at = HEADER_SIZE; at < len; at += (size_t)n) {
		n = stored_get(bytes + at, len - at, &s);
		if (n <= 0)
			return (int)n;
		if (s.kind == STORED_CLOCK)
			shift = clock_shift(to, &s, now, wall);
		else if (s.kind == STORED_GONE)
			cookies_forget(c, s.record.sid);
		else if (restore(c, &s, shift, now, wall) == 0)
			s.record.grants = NULL;
		stored_fini(&s);
	}
	return 0;
}

static int file_read(struct store *s, int64_t now, uint64_t wall)
{
	struct stat st;
	void *bytes;
	int ret;

	if (fstat(s->fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, s->fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	ret = read_entries(s, bytes, (size_t)st.st_size, now, wall);
	munmap(bytes, (size_t)st.st_size);
	if (ret < 0)
		cookies_forget(s->cookies, NULL);
	return ret;
}

// --------------------------------------------------------------------------------------------------------------- writing

// Until it can be written anew there is none: an old one would bring back who was revoked since.
static void give_up(struct store *s)
{
	unlink(s->path);
	close(s->fd);
	s->fd = -1;
	s->again = 0;
}

static void write_failed(struct store *s, int why)
{
	log_err("%s: %s: sessions do not outlive this process any more", s->path, strerror(-why));
	give_up(s);
}

struct rewrite {
	int fd, ret;
	size_t used, size;
	int64_t now;
	uint64_t wall;
	uint8_t buffer[BUFFER + STORED_MAX];
};

static void rewrite_flush(struct rewrite *w)
{
	if (w->ret == 0)
		w->ret = file_write(w->fd, w->buffer, w->used);
	w->size += w->used;
	w->used = 0;
}

static uint64_t expires_at(const struct record *r, int64_t now, uint64_t wall)
{
	if (r->uses > 0)
		return 0;
	return wall + (r->deadline > now ? (uint64_t)(r->deadline - now + 999) / 1000 : 0);
}

static struct stored stored_record(const struct record *r, int64_t now, uint64_t wall)
{
	struct stored s = { .kind = STORED_RECORD, .record = *r, .expires = expires_at(r, now, wall) };

	s.record.connected = r->connected != 0 ? r->connected + clock_ahead(now, wall) : 0;
	if (s.record.connected < 0)
		s.record.connected = 1;
	return s;
}

// From here on, in the file.
static struct stored stored_clock(struct store *s, int64_t now, uint64_t wall)
{
	struct stored clock = { .kind = STORED_CLOCK };

	s->ahead = clock_ahead(now, wall);
	clock.expires = s->ahead > 0 ? (uint64_t)s->ahead : 0;
	memcpy(clock.record.sid, s->boot, SID_SIZE);
	return clock;
}

static void rewrite_one(void *who, const struct record *r)
{
	struct rewrite *w = who;
	struct stored s = stored_record(r, w->now, w->wall);

	w->used += stored_put(&s, w->buffer + w->used, sizeof(w->buffer) - w->used);
	secret_wipe(&s, sizeof(s));
	if (w->used >= BUFFER)
		rewrite_flush(w);
}

// The new file takes the name of the old one when it is whole.
static int write_anew(struct store *s, int64_t now, uint64_t wall)
{
	const struct stored clock = stored_clock(s, now, wall);
	struct rewrite *w = calloc(1, sizeof(*w));
	char path[LIMIT_TEXT + 8];

	if (w == NULL)
		return -ENOMEM;
	w->now = now;
	w->wall = wall;
	snprintf(path, sizeof(path), "%s.new", s->path);
	unlink(path);
	w->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	w->ret = w->fd < 0 ? -errno : file_check(w->fd);
	memcpy(w->buffer, STORED_HEADER, HEADER_SIZE);
	w->used = HEADER_SIZE;
	w->used += stored_put(&clock, w->buffer + w->used, sizeof(w->buffer) - w->used);
	cookies_each(s->cookies, rewrite_one, w);
	rewrite_flush(w);
	if (w->ret == 0 && rename(path, s->path) < 0)
		w->ret = -errno;
	if (w->ret == 0) {
		if (s->fd >= 0)
			close(s->fd);
		s->fd = w->fd;
		s->size = s->whole = w->size;
	} else if (w->fd >= 0) {
		close(w->fd);
		unlink(path);
	}
	int ret = w->ret;

	secret_wipe(w, sizeof(*w));
	free(w);
	return ret;
}

static void append(struct store *s, const struct stored *entry)
{
	static uint8_t bytes[STORED_MAX];
	size_t len;
	int ret;

	if (s == NULL || s->fd < 0)
		return;
	len = stored_put(entry, bytes, sizeof(bytes));
	ret = len > 0 ? file_write(s->fd, bytes, len) : -EMSGSIZE;
	secret_wipe(bytes, len);
	if (ret < 0)
		write_failed(s, ret);
	s->size += len;
}

void store_put(struct store *s, const struct record *r, int64_t now, uint64_t wall)
{
	struct stored entry = stored_record(r, now, wall), clock;

	if (s != NULL && llabs(clock_ahead(now, wall) - s->ahead) > CLOCK_GRAIN) {
		clock = stored_clock(s, now, wall);
		append(s, &clock);
	}
	append(s, &entry);
	secret_wipe(&entry, sizeof(entry));
}

void store_drop(struct store *s, const uint8_t sid[SID_SIZE])
{
	struct stored entry = { .kind = STORED_GONE };

	memcpy(entry.record.sid, sid, SID_SIZE);
	append(s, &entry);
}

static void try_again(struct store *s, int64_t now, uint64_t wall)
{
	if (s->again == 0)
		s->again = now + AGAIN_MS;
	if (now < s->again)
		return;
	s->fd = file_open(s->path); // another gateway may have taken the place
	if (s->fd >= 0 && write_anew(s, now, wall) == 0)
		log_notice("%s: sessions outlive this process again", s->path);
	else if (s->fd >= 0)
		give_up(s);
	s->again = now + AGAIN_MS;
}

void store_tidy(struct store *s, int64_t now, uint64_t wall)
{
	int ret;

	if (s != NULL && s->fd < 0)
		try_again(s, now, wall);
	if (s == NULL || s->fd < 0 || s->size < 2 * s->whole + GROW_LEAST)
		return;
	ret = write_anew(s, now, wall);
	if (ret < 0)
		write_failed(s, ret);
}

int64_t store_due(const struct store *s, int64_t now)
{
	if (s == NULL || s->fd >= 0)
		return -1;
	return s->again > now ? s->again - now : 0;
}

// ------------------------------------------------------------------------------------------------------------ open, close

struct store *store_open(const char *path, struct cookies *c, const uint8_t boot[SID_SIZE], int64_t now, uint64_t wall,
                         char text[LIMIT_TEXT + 1])
{
	struct store *s = calloc(1, sizeof(*s));
	int ret = s == NULL ? -ENOMEM : 0;

	text[0] = '\0';
	if (ret == 0) {
		text_copy(s->path, LIMIT_TEXT, path);
		s->cookies = c;
		memcpy(s->boot, boot, SID_SIZE);
		s->fd = file_open(path);
		ret = s->fd < 0 ? s->fd : file_read(s, now, wall);
	}
	if (ret == -EBADMSG)
		text_format(text, "%s: this is nothing that a security module has written: no session is taken from it", path);
	if (ret < 0 && ret != -EBADMSG)
		goto fail;
	ret = write_anew(s, now, wall);
	if (ret < 0) {
		text_format(text, "%s: %s: sessions do not outlive this process", path, strerror(-ret));
		give_up(s);
	}
	return s;
fail:
	text_format(text, "%s: %s: sessions will not outlive their process", path,
	            ret == -EWOULDBLOCK ? "another gateway uses it" : strerror(-ret));
	store_close(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
