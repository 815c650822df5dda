#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "file.h"
#include "limits.h"
#include "secret.h"
#include "snapshot.h"

// MAGIC, then key NUL value NUL, over and over: nothing has to be escaped.
#define MAGIC "penstock snapshot 1"
#define VHOST "@vhost"                // begins a virtual host's part
#define SIZE_MAX_SNAPSHOT (16u << 20) // a hundred thousand routes; more is a mistake

struct snapshot_writer {
	char *text;
	size_t used, room;
};

struct snapshot {
	const char *text;
	size_t size;
	unsigned n_vhosts;
	const char *part[LIMIT_VHOSTS + 1]; // of each virtual host, and the end
};

static int append(struct snapshot_writer *w, const char *s)
{
	size_t n = strlen(s) + 1, room = w->room ? w->room : 4096;
	char *grown;

	if (n > SIZE_MAX_SNAPSHOT - w->used)
		return -E2BIG;
	while (room - w->used < n)
		room *= 2;
	if (room != w->room) {
		grown = realloc(w->text, room);
		if (!grown)
			return -ENOMEM;
		w->text = grown;
		w->room = room;
	}
	memcpy(w->text + w->used, s, n);
	w->used += n;
	return 0;
}

struct snapshot_writer *snapshot_writer_new(void)
{
	struct snapshot_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (append(w, MAGIC) < 0) {
		free(w);
		errno = ENOMEM;
		return NULL;
	}
	return w;
}

int snapshot_put(struct snapshot_writer *w, const char *key, const char *value)
{
	size_t before = w->used;
	int ret;

	if (!key[0])
		return -EINVAL;
	ret = append(w, key);
	if (ret == 0)
		ret = append(w, value);
	if (ret < 0)
		w->used = before;
	return ret;
}

int snapshot_put_vhost(struct snapshot_writer *w, const char *name)
{
	return snapshot_put(w, VHOST, name);
}

int snapshot_finish(struct snapshot_writer *w, int *fd)
{
	int ret = file_seal("penstock-snapshot", w->text, w->used, fd);

	secret_wipe(w->text, w->used); // sec-mod's has PINs
	free(w->text);
	free(w);
	return ret;
}

// Every key has its value, and the last value its end.
static int check_text(const char *text, size_t size)
{
	size_t i, strings = 0;

	if (size < sizeof(MAGIC) || memcmp(text, MAGIC, sizeof(MAGIC)) != 0 || text[size - 1] != 0)
		return -EBADMSG;
	for (i = sizeof(MAGIC); i < size; i++)
		strings += text[i] == 0;
	return strings % 2 ? -EBADMSG : 0;
}

static const char *value_of(const char *key)
{
	return key + strlen(key) + 1;
}

static int find_parts(struct snapshot *s)
{
	const char *end = s->text + s->size;

	s->part[0] = s->text + sizeof(MAGIC);
	s->n_vhosts = 1;
	for (const char *p = s->part[0]; p < end; p = value_of(value_of(p))) {
		if (strcmp(p, VHOST) != 0)
			continue;
		if (s->n_vhosts == LIMIT_VHOSTS)
			return -EBADMSG;
		s->part[s->n_vhosts++] = p;
	}
	s->part[s->n_vhosts] = end;
	return 0;
}

int snapshot_open(int fd, struct snapshot **out)
{
	struct snapshot *s;
	const void *map;
	size_t size;
	int ret = file_map_sealed(fd, SIZE_MAX_SNAPSHOT, &map, &size);

	if (ret < 0)
		return ret;
	s = malloc(sizeof(*s));
	ret = s ? check_text(map, size) : -ENOMEM;
	if (ret < 0)
		goto unmap;
	s->text = map;
	s->size = size;
	ret = find_parts(s);
	if (ret < 0)
		goto unmap;
	*out = s;
	return 0;
unmap:
	free(s);
	munmap((void *)map, size);
	return ret;
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	munmap((void *)s->text, s->size);
	free(s);
}

unsigned snapshot_vhosts(const struct snapshot *s)
{
	return s->n_vhosts;
}

const char *snapshot_vhost_name(const struct snapshot *s, unsigned vhost)
{
	return vhost == 0 ? "" : value_of(s->part[vhost]);
}

// Its own word, whatever the default one says.
static const char *own_nth(const struct snapshot *s, unsigned vhost, const char *key, unsigned n)
{
	for (const char *p = s->part[vhost], *value; p < s->part[vhost + 1]; p = value_of(value)) {
		value = value_of(p);
		if (strcmp(p, key) == 0 && n-- == 0)
			return value;
	}
	return NULL;
}

const char *snapshot_vhost_nth(const struct snapshot *s, unsigned vhost, const char *key, unsigned n)
{
	const char *first = vhost > 0 ? own_nth(s, vhost, key, 0) : NULL;

	if (!first)
		return own_nth(s, 0, key, n);
	return first[0] ? own_nth(s, vhost, key, n) : NULL;
}

const char *snapshot_vhost_get(const struct snapshot *s, unsigned vhost, const char *key)
{
	return snapshot_vhost_nth(s, vhost, key, 0);
}

uint64_t snapshot_vhost_number(const struct snapshot *s, unsigned vhost, const char *key)
{
	const char *value = snapshot_vhost_get(s, vhost, key);

	return value ? strtoull(value, NULL, 10) : 0;
}

bool snapshot_vhost_bool(const struct snapshot *s, unsigned vhost, const char *key)
{
	const char *value = snapshot_vhost_get(s, vhost, key);

	return value && strcmp(value, "1") == 0;
}

const char *snapshot_nth(const struct snapshot *s, const char *key, unsigned n)
{
	return snapshot_vhost_nth(s, 0, key, n);
}

const char *snapshot_get(const struct snapshot *s, const char *key)
{
	return snapshot_vhost_get(s, 0, key);
}

uint64_t snapshot_number(const struct snapshot *s, const char *key)
{
	return snapshot_vhost_number(s, 0, key);
}

bool snapshot_bool(const struct snapshot *s, const char *key)
{
	return snapshot_vhost_bool(s, 0, key);
}
