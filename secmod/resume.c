#include "secmod/resume.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/secret.h"
#include "secmod/trust.h"

#define NAME_SIZE 32
#define SALT_SIZE 32

struct entry {
	uint8_t name[NAME_SIZE];
	bool once;
	struct addr client;
	struct certified *cert;
	int64_t deadline;
	TAILQ_ENTRY(entry) due; // by deadline
	LIST_ENTRY(entry) bucket;
	size_t state_len, size; // size: of all this, with
	uint8_t rest[];         // the state, and the virtual host's name
};

TAILQ_HEAD(entry_queue, entry);
LIST_HEAD(entry_bucket, entry);

struct resumes {
	unsigned count, most;
	uint8_t salt[SALT_SIZE];
	struct entry_queue due;
	size_t mask;
	struct entry_bucket buckets[];
};

struct resumes *resumes_new(unsigned most)
{
	size_t buckets = 256;
	struct resumes *r;

	while (buckets < most && buckets < LIMIT_TUNNELS)
		buckets *= 2;
	r = calloc(1, sizeof(*r) + buckets * sizeof(*r->buckets));
	if (r == NULL)
		return NULL;
	r->mask = buckets - 1;
	r->most = most;
	TAILQ_INIT(&r->due);
	if (secret_random(r->salt, SALT_SIZE) == 0)
		return r;
	free(r);
	errno = EIO;
	return NULL;
}

void resumes_configure(struct resumes *r, unsigned most)
{
	r->most = most;
}

unsigned resumes_count(const struct resumes *r)
{
	return r->count;
}

// Workers choose ids: hashed with something that they do not know, they cannot be made to meet in one bucket.
static int name_of(const struct resumes *r, const uint8_t *id, size_t len, uint8_t name[NAME_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	          EVP_DigestUpdate(ctx, r->salt, SALT_SIZE) == 1 && EVP_DigestUpdate(ctx, id, len) == 1 &&
	          EVP_DigestFinal_ex(ctx, name, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

static struct entry_bucket *bucket_of(struct resumes *r, const uint8_t name[NAME_SIZE])
{
	uint64_t h;

	memcpy(&h, name, sizeof(h));
	return &r->buckets[h & r->mask];
}

static struct entry *find(struct resumes *r, const uint8_t name[NAME_SIZE])
{
	struct entry *e;

	LIST_FOREACH(e, bucket_of(r, name), bucket)
	if (secret_equal(e->name, name, NAME_SIZE))
		return e;
	return NULL;
}

static void drop(struct resumes *r, struct entry *e)
{
	TAILQ_REMOVE(&r->due, e, due);
	LIST_REMOVE(e, bucket);
	r->count--;
	certified_put(e->cert);
	secret_wipe(e, e->size);
	free(e);
}

void resumes_free(struct resumes *r)
{
	struct entry *e;

	if (r == NULL)
		return;
	while ((e = TAILQ_FIRST(&r->due)) != NULL)
		drop(r, e);
	free(r);
}

static const char *vhost_of(const struct entry *e)
{
	return (const char *)e->rest + e->state_len;
}

// Mostly an append: virtual hosts and reloads may have other times.
static void insert(struct resumes *r, struct entry *e)
{
	struct entry *before = TAILQ_LAST(&r->due, entry_queue);

	while (before != NULL && before->deadline > e->deadline)
		before = TAILQ_PREV(before, entry_queue, due);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&r->due, before, e, due);
	else
		TAILQ_INSERT_HEAD(&r->due, e, due);
	LIST_INSERT_HEAD(bucket_of(r, e->name), e, bucket);
	r->count++;
}

int resumes_store(struct resumes *r, const struct resume *what, int64_t deadline, int64_t now)
{
	size_t vhost_size = strlen(what->vhost) + 1, size = sizeof(struct entry) + what->state_len + vhost_size;
	uint8_t name[NAME_SIZE];
	struct entry *e;

	if (name_of(r, what->id, what->id_len, name) < 0)
		return -ENOMEM;
	resumes_expire(r, now);
	if (find(r, name) != NULL)
		return -EEXIST;
	e = calloc(1, size);
	if (e == NULL)
		return -ENOMEM;
	while (r->count > 0 && r->count >= r->most)
		drop(r, TAILQ_FIRST(&r->due));
	memcpy(e->name, name, NAME_SIZE);
	e->once = what->once;
	e->client = what->client;
	e->cert = what->cert != NULL ? certified_get(what->cert) : NULL;
	e->deadline = deadline;
	e->state_len = what->state_len;
	e->size = size;
	memcpy(e->rest, what->state, what->state_len);
	memcpy(e->rest + what->state_len, what->vhost, vhost_size);
	insert(r, e);
	return 0;
}

static struct entry *find_for(struct resumes *r, const uint8_t *id, size_t id_len, const struct addr *client, const char *vhost)
{
	uint8_t name[NAME_SIZE];
	struct entry *e = name_of(r, id, id_len, name) == 0 ? find(r, name) : NULL;

	return e != NULL && addr_equal(&e->client, client) && strcmp(vhost_of(e), vhost) == 0 ? e : NULL;
}

int resumes_fetch(struct resumes *r, const uint8_t *id, size_t id_len, const struct addr *client, const char *vhost, int64_t now,
                  uint8_t room[LIMIT_RESUME_STATE], struct resume *out)
{
	struct entry *e;

	resumes_expire(r, now);
	e = find_for(r, id, id_len, client, vhost);
	if (e == NULL || e->state_len > LIMIT_RESUME_STATE)
		return -ENOENT;
	memcpy(room, e->rest, e->state_len);
	*out = (struct resume){ .id = id, .id_len = id_len, .once = e->once, .client = e->client, .vhost = vhost };
	out->state = room;
	out->state_len = e->state_len;
	out->cert = e->cert != NULL ? certified_get(e->cert) : NULL;
	if (e->once)
		drop(r, e);
	return 0;
}

int resumes_delete(struct resumes *r, const uint8_t *id, size_t id_len, const struct addr *client, const char *vhost)
{
	struct entry *e = find_for(r, id, id_len, client, vhost);

	if (e == NULL)
		return -ENOENT;
	drop(r, e);
	return 0;
}

int64_t resumes_expire(struct resumes *r, int64_t now)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&r->due)) != NULL && e->deadline <= now)
		drop(r, e);
	return e != NULL ? e->deadline - now : -1;
}
