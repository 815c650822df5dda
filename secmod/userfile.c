#include "secmod/userfile.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/secret.h"

// What a name is computed on where the file has no usable hash at all: as penstock-passwd makes them.
#define NOBODY "$y$"

struct userfile {
	pthread_mutex_t lock;
	struct passwd_table table;
	struct stat seen; // of the table
	time_t seen_at;
	int broken;       // -errno of the last reading
	uint8_t seed[32]; // which hash an unknown name gets
	char nobody[CRYPT_GENSALT_OUTPUT_SIZE];
	char path[];
};

static int read_whole(int fd, size_t size, char **out, size_t *len)
{
	char *text = malloc(size + 1); // passwd_parse() wants a byte of room
	size_t used = 0;
	ssize_t n;

	if (text == NULL)
		return -ENOMEM;
	while (used < size) {
		n = read(fd, text + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int ret = -errno;

			secret_wipe(text, used);
			free(text);
			return ret;
		}
		if (n == 0)
			break;
		used += n;
	}
	*out = text;
	*len = used;
	return 0;
}

// A hash that libxcrypt cannot compute would be answered at once, and so tell its user from the others.
static void warn_of_strange_hashes(const struct userfile *f, const struct passwd_table *t)
{
	if (t->bad_lines > 0)
		log_warn("%s: %u lines are not user:groups:hash and are left out, the first is line %u", f->path, t->bad_lines,
		         t->first_bad);
	for (uint32_t i = 0; i < t->count; i++) {
		if (crypt_checksalt(t->entries[i].hash) != CRYPT_SALT_INVALID)
			continue;
		log_warn("%s: line %u: no kind of hash that is known here: %s cannot log in", f->path, t->entries[i].line,
		         t->entries[i].user);
	}
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int reload(struct userfile *f)
{
	struct passwd_table table;
	struct stat st;
	char *text = NULL;
	size_t len = 0;
	int fd, ret;

	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ret = fstat(fd, &st) < 0 ? -errno : 0;
	if (ret == 0 && !S_ISREG(st.st_mode))
		ret = -EINVAL;
	if (ret == 0 && st.st_size > PASSWD_FILE_MAX)
		ret = -EFBIG;
	if (ret == 0)
		ret = read_whole(fd, st.st_size, &text, &len);
	close(fd);
	if (ret == 0)
		ret = passwd_parse(text, len, &table);
	if (ret < 0)
		return ret;
	if (!same_file(&st, &f->seen))
		warn_of_strange_hashes(f, &table);
	passwd_free(&f->table);
	f->table = table;
	f->seen = st;
	return 0;
}

// A file that changed within the clock's grain of our reading may have changed again after it, and look the same.
static bool is_settled(const struct userfile *f)
{
	return f->seen_at > f->seen.st_mtim.tv_sec + 1;
}

static int refresh(struct userfile *f)
{
	struct stat now;
	int ret = 0;

	if (stat(f->path, &now) < 0)
		ret = -errno;
	else if (f->broken < 0 || !same_file(&now, &f->seen) || !is_settled(f)) {
		f->seen_at = time(NULL);
		ret = reload(f);
	}
	if (ret < 0 && ret != f->broken)
		log_err("%s: %s: nobody can log in", f->path, strerror(-ret));
	f->broken = ret;
	return ret;
}

struct userfile *userfile_open(const char *path)
{
	struct userfile *f = calloc(1, sizeof(*f) + strlen(path) + 1);
	int ret;

	if (f == NULL)
		return NULL;
	strcpy(f->path, path);
	pthread_mutex_init(&f->lock, NULL);
	f->seen_at = time(NULL);
	ret = secret_random(f->seed, sizeof(f->seed));
	if (ret == 0 && crypt_gensalt_rn(NOBODY, 0, NULL, 0, f->nobody, sizeof(f->nobody)) == NULL)
		ret = -errno;
	if (ret == 0)
		ret = reload(f);
	if (ret == 0)
		return f;
	userfile_close(f);
	errno = -ret;
	return NULL;
}

void userfile_close(struct userfile *f)
{
	if (f == NULL)
		return;
	passwd_free(&f->table);
	pthread_mutex_destroy(&f->lock);
	secret_wipe(f->seed, sizeof(f->seed));
	free(f);
}

// A name that is not there is computed on somebody's hash, always the same for the same name: so its cost is one of the costs
// that names which are there have. Nobody outside can tell whose, for want of the seed.
static const char *decoy(const struct userfile *f, const char *user)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	const struct passwd_entry *e;
	uint8_t seeded[sizeof(f->seed) + LIMIT_USER];
	size_t len = strlen(user);
	uint64_t n;

	if (f->table.count == 0)
		return f->nobody;
	memcpy(seeded, f->seed, sizeof(f->seed));
	memcpy(seeded + sizeof(f->seed), user, len);
	SHA256(seeded, sizeof(f->seed) + len, digest);
	memcpy(&n, digest, sizeof(n));
	e = &f->table.entries[n % f->table.count];
	return crypt_checksalt(e->hash) != CRYPT_SALT_INVALID ? e->hash : f->nobody;
}

int userfile_ask(struct userfile *f, const char *user, const char *group, struct userfile_answer *out)
{
	const struct passwd_entry *e;
	const char *hash;
	int ret;

	pthread_mutex_lock(&f->lock);
	ret = refresh(f);
	if (ret < 0)
		goto unlock;
	*out = (struct userfile_answer){ 0 };
	hash = decoy(f, user);
	e = passwd_find(&f->table, user);
	if (e != NULL && crypt_checksalt(e->hash) != CRYPT_SALT_INVALID) {
		hash = e->hash;
		out->usable = passwd_group(e->groups, group, out->group) && !e->locked;
	}
	strcpy(out->hash, hash);
unlock:
	pthread_mutex_unlock(&f->lock);
	return ret;
}

void userfile_groups(struct userfile *f, struct grouplist *out)
{
	pthread_mutex_lock(&f->lock);
	for (uint32_t i = 0; i < f->table.count; i++) {
		for (const char *g = f->table.entries[i].groups; *g != '\0'; g += strspn(g, ",")) {
			size_t len = strcspn(g, ",");

			grouplist_add(out, g, len);
			g += len;
		}
	}
	pthread_mutex_unlock(&f->lock);
}
