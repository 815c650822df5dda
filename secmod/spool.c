#include "secmod/spool.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"

// A file is read and rewritten whole.
#define FILE_BYTES (64u << 10)
#define NAME_SIZE 24
#define SUFFIX ".acct"
#define CHECK_SIZE 8

// What stands before each record's data, in network order. check: of all the rest.
struct head {
	uint8_t check[CHECK_SIZE];
	uint8_t magic[2];
	uint8_t version, kind;
	uint32_t len;
	uint64_t when, session;
} __attribute__((packed));

struct file {
	uint64_t number;
	uint32_t bytes;
	bool stripped; // no Interim is left in it
};

struct spool {
	int dir;
	int fd; // that is appended to: of the last file; -1: the next record begins one
	uint64_t most, bytes, last;
	struct file *files; // the oldest first
	size_t n, room;
	uint64_t lent; // the file that was read, 0: none
};

// ---------------------------------------------------------------------------------------------------------------- records

static void check_of(const uint8_t *record, size_t size, uint8_t out[CHECK_SIZE])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256(record + CHECK_SIZE, size - CHECK_SIZE, digest);
	memcpy(out, digest, CHECK_SIZE);
}

size_t spool_parse(const uint8_t *bytes, size_t len, struct spool_record *out)
{
	uint8_t check[CHECK_SIZE];
	struct head h;
	size_t data;

	if (len < sizeof(h))
		return 0;
	memcpy(&h, bytes, sizeof(h));
	data = be32toh(h.len);
	if (memcmp(h.magic, "PA", 2) != 0 || h.version != 1 || h.kind < 1 || h.kind > SPOOL_KIND_LAST || data > SPOOL_RECORD_MAX ||
	    data > len - sizeof(h))
		return 0;
	check_of(bytes, sizeof(h) + data, check);
	if (memcmp(check, h.check, CHECK_SIZE) != 0)
		return 0;
	*out = (struct spool_record){ h.kind, be64toh(h.when), be64toh(h.session), bytes + sizeof(h), data };
	return sizeof(h) + data;
}

static size_t put(uint8_t *to, const struct spool_record *r)
{
	struct head h = { .magic = "PA", .version = 1, .kind = r->kind };

	h.len = htobe32((uint32_t)r->len);
	h.when = htobe64(r->when);
	h.session = htobe64(r->session);
	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), r->data, r->len);
	check_of(to, sizeof(h) + r->len, to);
	return sizeof(h) + r->len;
}

// ------------------------------------------------------------------------------------------------------------------ files

static void name_of(uint64_t number, const char *suffix, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE, "%016llx%s", (unsigned long long)number, suffix);
}

static int write_through(int fd, const uint8_t *bytes, size_t len)
{
	int ret = file_write(fd, bytes, len);

	return ret == 0 && fsync(fd) < 0 ? -errno : ret;
}

static int read_all(struct spool *s, uint64_t number, uint8_t **bytes, size_t *len)
{
	char name[NAME_SIZE];
	uint8_t *p = NULL;
	struct stat st;
	ssize_t n = -1;
	int fd;

	name_of(number, SUFFIX, name);
	fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	errno = EIO;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= 2 * FILE_BYTES)
		p = malloc((size_t)st.st_size + 1);
	if (p)
		n = read(fd, p, (size_t)st.st_size);
	if (n < 0) {
		n = -errno;
		free(p);
		close(fd);
		return (int)n;
	}
	close(fd);
	*bytes = p;
	*len = (size_t)n;
	return 0;
}

static int file_add(struct spool *s, uint64_t number, uint32_t bytes)
{
	struct file *grown;

	if (s->n == s->room) {
		grown = realloc(s->files, (s->room ? 2 * s->room : 16) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->files = grown;
		s->room = s->room ? 2 * s->room : 16;
	}
	s->files[s->n++] = (struct file){ number, bytes, false };
	s->bytes += bytes;
	if (number > s->last)
		s->last = number;
	return 0;
}

static void file_forget(struct spool *s, size_t i)
{
	s->bytes -= s->files[i].bytes;
	memmove(&s->files[i], &s->files[i + 1], (s->n - i - 1) * sizeof(*s->files));
	s->n--;
}

static void finish_last(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static int file_begin(struct spool *s)
{
	char name[NAME_SIZE];
	int ret;

	finish_last(s);
	name_of(s->last + 1, SUFFIX, name);
	s->fd = openat(s->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0)
		return -errno;
	ret = file_add(s, s->last + 1, 0);
	if (ret == 0 && fsync(s->dir) < 0)
		ret = -errno;
	if (ret < 0)
		finish_last(s);
	return ret;
}

// ------------------------------------------------------------------------------------------------------------------- open

// As mkdir -p; the last one is for us alone.
static int make_directory(const char *path)
{
	char parent[LIMIT_TEXT + 1];

	if (path[0] != '/' || strlen(path) > LIMIT_TEXT)
		return -EINVAL;
	strcpy(parent, path);
	for (char *p = strchr(parent + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int by_number(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int scan(struct spool *s)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned long long number;
	struct dirent *e;
	struct stat st;
	int end;

	if (!d)
		return -errno;
	while (ret == 0 && (e = readdir(d))) {
		end = 0;
		if (sscanf(e->d_name, "%16llx" SUFFIX "%n", &number, &end) == 1 && end > 0 && e->d_name[end] == '\0' &&
		    fstatat(s->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			ret = file_add(s, number, (uint32_t)st.st_size);
	}
	closedir(d);
	if (s->n > 1)
		qsort(s->files, s->n, sizeof(*s->files), by_number);
	return ret;
}

struct spool *spool_open(const char *directory, uint64_t most_bytes)
{
	struct spool *s = calloc(1, sizeof(*s));
	struct stat st;
	int ret;

	if (!s)
		return NULL;
	s->fd = s->dir = -1;
	s->most = most_bytes;
	ret = make_directory(directory);
	if (ret == 0) {
		s->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		ret = s->dir < 0 ? -errno : 0;
	}
	if (ret == 0 && (fstat(s->dir, &st) < 0 || st.st_uid != geteuid()))
		ret = -EPERM;
	if (ret == 0 && fchmod(s->dir, 0700) < 0)
		ret = -errno;
	if (ret == 0)
		ret = scan(s);
	if (ret == 0)
		return s;
	spool_close(s);
	errno = -ret;
	return NULL;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	finish_last(s);
	if (s->dir >= 0)
		close(s->dir);
	free(s->files);
	free(s);
}

uint64_t spool_bytes(const struct spool *s)
{
	return s->bytes;
}

// ------------------------------------------------------------------------------------------------------------------- room

// The same without its Interims, in place of what was there; how many they were.
static size_t without_interims(uint8_t *bytes, size_t len, unsigned *dropped)
{
	struct spool_record r;
	size_t at = 0, kept = 0, n;

	for (; (n = spool_parse(bytes + at, len - at, &r)) > 0; at += n) {
		if (r.kind == SPOOL_INTERIM) {
			(*dropped)++;
			continue;
		}
		memmove(bytes + kept, bytes + at, n);
		kept += n;
	}
	return kept;
}

static int file_replace(struct spool *s, struct file *f, const uint8_t *bytes, size_t len)
{
	char name[NAME_SIZE], fresh[NAME_SIZE];
	int fd, ret;

	name_of(f->number, SUFFIX, name);
	name_of(f->number, ".new", fresh);
	unlinkat(s->dir, fresh, 0);
	fd = openat(s->dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ret = write_through(fd, bytes, len);
	close(fd);
	if (ret == 0 && renameat(s->dir, fresh, s->dir, name) < 0)
		ret = -errno;
	if (ret < 0) {
		unlinkat(s->dir, fresh, 0);
		return ret;
	}
	s->bytes -= f->bytes - len;
	f->bytes = (uint32_t)len;
	return 0;
}

static int strip(struct spool *s, size_t i, unsigned *dropped)
{
	struct file *f = &s->files[i];
	unsigned gone = 0;
	uint8_t *bytes;
	size_t len;
	int ret = read_all(s, f->number, &bytes, &len);

	if (ret < 0)
		return ret;
	if (i == s->n - 1)
		finish_last(s);
	len = without_interims(bytes, len, &gone);
	f->stripped = true;
	ret = gone ? file_replace(s, f, bytes, len) : 0;
	free(bytes);
	if (ret < 0)
		return ret;
	*dropped += gone;
	return len == 0 ? spool_remove(s, f->number) : 0;
}

static void make_room(struct spool *s, size_t wanted, unsigned *dropped)
{
	for (size_t i = 0; i < s->n && s->bytes + wanted > s->most;) {
		size_t before = s->n;

		// what was lent is on its way to a server
		if (s->files[i].stripped || s->files[i].number == s->lent || strip(s, i, dropped) < 0 || s->n == before)
			i++;
	}
}

// ----------------------------------------------------------------------------------------------------------------- append

static size_t size_of(const struct spool_record *r)
{
	return sizeof(struct head) + r->len;
}

// What is torn at the end of a file would hide all that comes behind it.
static void take_back(struct spool *s, struct file *f)
{
	if (ftruncate(s->fd, f->bytes) < 0)
		finish_last(s);
}

static int append_some(struct spool *s, const struct spool_record *records, size_t n, size_t bytes)
{
	uint8_t *all = malloc(bytes);
	struct file *f;
	size_t at = 0;
	int ret = 0;

	if (!all)
		return -ENOMEM;
	if (s->fd < 0 || s->files[s->n - 1].bytes + bytes > FILE_BYTES)
		ret = file_begin(s);
	for (size_t i = 0; i < n && ret == 0; i++)
		at += put(all + at, &records[i]);
	if (ret == 0) {
		f = &s->files[s->n - 1];
		ret = write_through(s->fd, all, at);
		if (ret < 0) {
			take_back(s, f);
		} else {
			f->bytes += (uint32_t)at;
			f->stripped = false;
			s->bytes += at;
		}
	}
	free(all);
	return ret;
}

// Twice the bound is for Starts and Stops alone.
static bool fits(const struct spool *s, const struct spool_record *r, size_t more)
{
	return s->bytes + more + size_of(r) <= (r->kind == SPOOL_INTERIM ? s->most : 2 * s->most);
}

int spool_append(struct spool *s, const struct spool_record *records, size_t n, unsigned *dropped)
{
	struct spool_record *chosen = malloc((n ? n : 1) * sizeof(*chosen));
	size_t first = 0, count = 0, bytes = 0, all = 0;
	int ret = 0;

	if (!chosen)
		return -ENOMEM;
	*dropped = 0;
	for (size_t i = 0; i < n; i++)
		all += size_of(&records[i]);
	make_room(s, all, dropped);
	for (size_t i = 0; i < n && ret == 0; i++) {
		if (records[i].len > SPOOL_RECORD_MAX || !fits(s, &records[i], bytes)) {
			(*dropped)++;
			continue;
		}
		if (bytes + size_of(&records[i]) > FILE_BYTES) {
			ret = append_some(s, chosen + first, count - first, bytes);
			first = count, bytes = 0;
		}
		chosen[count++] = records[i];
		bytes += size_of(&records[i]);
	}
	if (ret == 0 && count > first)
		ret = append_some(s, chosen + first, count - first, bytes);
	free(chosen);
	return ret;
}

// ------------------------------------------------------------------------------------------------------------------- read

// One that cannot be read must not stand in the way of the others.
static void set_aside(struct spool *s)
{
	char name[NAME_SIZE], bad[NAME_SIZE];

	name_of(s->files[0].number, SUFFIX, name);
	name_of(s->files[0].number, ".bad", bad);
	renameat(s->dir, name, s->dir, bad);
	file_forget(s, 0);
}

int spool_read(struct spool *s, uint64_t *file, uint8_t **bytes, size_t *len)
{
	int ret;

	s->lent = 0;
	while (s->n > 0) {
		if (s->n == 1)
			finish_last(s);
		ret = read_all(s, s->files[0].number, bytes, len);
		if (ret == 0)
			*file = s->lent = s->files[0].number;
		if (ret == 0 || ret == -ENOMEM)
			return ret;
		set_aside(s);
	}
	return -ENOENT;
}

int spool_remove(struct spool *s, uint64_t file)
{
	char name[NAME_SIZE];

	if (s->lent == file)
		s->lent = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (s->files[i].number != file)
			continue;
		if (i == s->n - 1)
			finish_last(s);
		file_forget(s, i);
		name_of(file, SUFFIX, name);
		return unlinkat(s->dir, name, 0) < 0 ? -errno : 0;
	}
	return -ENOENT;
}
