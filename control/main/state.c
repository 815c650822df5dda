#include "control/main/state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/addr.h"
#include "proto/err.h"
#include "proto/file.h"
#include "proto/secret.h"

// MAGIC, then records: length (4 bytes), name; fields: name, kind, length (2 bytes), value. A name is its length in one byte and
// its bytes. Numbers are little-endian and as short as they can be. The last record is END.
#define MAGIC "penstock state 1"
#define END "end"
#define DESCRIPTORS "descriptors" // their numbers (4 bytes each), in the place of those in the records up to the next of this name
#define SIZE_MAX_STATE (1u << 30) // a million sessions
#define NAME_MAX_STATE 63

// ---------------------------------------------------------------------------------------------------------------- writer

void state_writer_init(struct state_writer *w)
{
	*w = (struct state_writer){ 0 };
}

void state_writer_fini(struct state_writer *w)
{
	if (w->buf)
		secret_wipe(w->buf, w->used);
	free(w->buf);
	free(w->fds);
	*w = (struct state_writer){ 0 };
}

static void put(struct state_writer *w, const void *bytes, size_t len)
{
	size_t room = w->room ? w->room : 65536;
	uint8_t *grown;

	if (len > SIZE_MAX_STATE - w->used)
		w->error = w->error ? w->error : -E2BIG;
	if (w->error || !len)
		return;
	while (room - w->used < len)
		room *= 2;
	if (room != w->room) {
		grown = malloc(room); // not realloc: it would leave a copy behind
		if (!grown) {
			w->error = -ENOMEM;
			return;
		}
		if (w->buf) {
			memcpy(grown, w->buf, w->used);
			secret_wipe(w->buf, w->used);
		}
		free(w->buf);
		w->buf = grown;
		w->room = room;
	}
	memcpy(w->buf + w->used, bytes, len);
	w->used += len;
}

static void put_name(struct state_writer *w, const char *prefix, const char *name)
{
	uint8_t len = (uint8_t)(strlen(prefix) + strlen(name));

	put(w, &len, 1);
	put(w, prefix, strlen(prefix));
	put(w, name, strlen(name));
}

static int fds_add(int **fds, size_t *n, size_t *room, int fd)
{
	size_t more = *room ? *room * 2 : 64;
	int *grown;

	if (*n == *room) {
		grown = realloc(*fds, more * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*fds = grown;
		*room = more;
	}
	(*fds)[(*n)++] = fd;
	return 0;
}

static uint64_t number_of(const void *at, size_t size)
{
	uint64_t n = 0;

	memcpy(&n, at, size); // x86-64 and arm64 are little-endian, and so is the state
	return n;
}

static size_t without_zeros(const uint8_t *bytes, size_t len)
{
	while (len > 0 && !bytes[len - 1])
		len--;
	return len;
}

// The value as it stands in the state, its length, or 0: nothing has to be said. scratch: room for an address.
static size_t value_of(struct state_writer *w, const struct state_field *f, const void *at, uint8_t scratch[ADDR_WIRE],
                       const uint8_t **value)
{
	static const struct addr none;
	int fd;

	*value = at;
	switch (f->kind) {
	case STATE_KIND_NUMBER:
	case STATE_KIND_BYTES:
		return without_zeros(at, f->size);
	case STATE_KIND_TEXT:
		return strnlen(at, f->size);
	case STATE_KIND_STRING:
		*value = *(const uint8_t *const *)at;
		return *value ? strlen((const char *)*value) + 1 : 0; // "" is not NULL
	case STATE_KIND_ADDR:
		if (memcmp(at, &none, sizeof(none)) == 0)
			return 0;
		addr_pack(at, scratch);
		*value = scratch;
		return ADDR_WIRE;
	case STATE_KIND_FD:
		fd = *(const int *)at;
		if (fd >= 0 && fds_add(&w->fds, &w->n_fds, &w->fds_room, fd) < 0)
			w->error = -ENOMEM;
		return fd >= 0 ? sizeof(fd) : 0;
	}
	return 0;
}

static void put_field(struct state_writer *w, const char *prefix, const struct state_field *f, const void *object)
{
	uint8_t scratch[ADDR_WIRE], kind = (uint8_t)f->kind;
	const uint8_t *value;
	size_t len = value_of(w, f, (const uint8_t *)object + f->offset, scratch, &value);
	uint16_t len16 = (uint16_t)len;

	if (len > UINT16_MAX)
		w->error = w->error ? w->error : -E2BIG;
	if (!len || w->error)
		return;
	put_name(w, prefix, f->name);
	put(w, &kind, 1);
	put(w, &len16, 2);
	put(w, value, len);
}

void state_write(struct state_writer *w, const char *record, const struct state_part *parts, unsigned n)
{
	uint32_t len = 0;
	size_t start;

	if (!w->used)
		put(w, MAGIC, sizeof(MAGIC));
	start = w->used;
	put(w, &len, sizeof(len));
	put_name(w, "", record);
	for (unsigned p = 0; p < n; p++)
		for (unsigned i = 0; i < parts[p].n; i++)
			put_field(w, parts[p].prefix, &parts[p].fields[i], parts[p].object);
	if (w->error)
		return;
	len = (uint32_t)(w->used - start - sizeof(len));
	memcpy(w->buf + start, &len, sizeof(len));
}

void state_writer_reset(struct state_writer *w)
{
	if (w->buf)
		secret_wipe(w->buf, w->used);
	w->used = w->n_fds = 0;
	w->error = 0;
}

const uint8_t *state_records(const struct state_writer *w, size_t *len)
{
	*len = w->used > sizeof(MAGIC) ? w->used - sizeof(MAGIC) : 0;
	return w->used > sizeof(MAGIC) ? w->buf + sizeof(MAGIC) : NULL;
}

void state_write_again(struct state_writer *w, const uint8_t *records, size_t len, const int *fds, size_t n_fds)
{
	uint32_t size = (uint32_t)(sizeof(DESCRIPTORS) + n_fds * sizeof(*fds));

	if (!w->used)
		put(w, MAGIC, sizeof(MAGIC));
	put(w, &size, sizeof(size));
	put_name(w, "", DESCRIPTORS);
	put(w, fds, n_fds * sizeof(*fds));
	put(w, records, len);
	for (size_t i = 0; i < n_fds; i++)
		if (!w->error && fds_add(&w->fds, &w->n_fds, &w->fds_room, fds[i]) < 0)
			w->error = -ENOMEM;
}

int state_seal(struct state_writer *w, int *fd)
{
	state_write(w, END, NULL, 0);
	if (w->error)
		return w->error;
	return file_seal("penstock-state", w->buf, w->used, fd);
}

// ---------------------------------------------------------------------------------------------------------------- reader

static int broken(const char *record, const char *field, const char *why)
{
	return errno_log(EBADMSG, "state: %s%s%s: %s", record, field[0] ? ": " : "", field, why);
}

int state_map(int fd, const uint8_t **buf, size_t *len)
{
	const void *map;
	int ret = file_map_sealed(fd, SIZE_MAX_STATE, &map, len);

	if (ret == 0)
		*buf = map;
	return ret;
}

int state_reader_init(struct state_reader *r, const uint8_t *buf, size_t len)
{
	*r = (struct state_reader){ .at = buf, .end = buf + len };
	if (len < sizeof(MAGIC) || memcmp(buf, MAGIC, sizeof(MAGIC)) != 0)
		return broken("header", "", "no state of a penstockd");
	r->at += sizeof(MAGIC);
	return 0;
}

void state_reader_fini(struct state_reader *r)
{
	free(r->fds);
	*r = (struct state_reader){ 0 };
}

// A name out of [*at, end); false: it is not whole, or too long.
static bool take_name(const uint8_t **at, const uint8_t *end, char *out, size_t room)
{
	const uint8_t *p = *at;
	size_t len;

	if (p >= end)
		return false;
	len = *p++;
	if (!len || len >= room || len > (size_t)(end - p) || memchr(p, 0, len))
		return false;
	memcpy(out, p, len);
	out[len] = '\0';
	*at = p + len;
	return true;
}

static int record_next(struct state_reader *r, struct state_record *out)
{
	uint32_t len;

	if ((size_t)(r->end - r->at) < sizeof(len))
		return broken("the end", "", "it is missing");
	memcpy(&len, r->at, sizeof(len));
	r->at += sizeof(len);
	if (len > (size_t)(r->end - r->at))
		return broken("a record", "", "it is cut off");
	*out = (struct state_record){ .at = r->at, .end = r->at + len, .reader = r };
	r->at += len;
	if (!take_name(&out->at, out->end, out->name, sizeof(out->name)))
		return broken("a record", "", "it has no name");
	if (strcmp(out->name, END) != 0)
		return 1;
	return r->at == r->end && out->at == out->end ? 0 : broken(END, "", "something stands behind it");
}

int state_next(struct state_reader *r, struct state_record *out)
{
	int ret;

	while ((ret = record_next(r, out)) > 0) {
		if (strcmp(out->name, DESCRIPTORS) != 0)
			return ret;
		if (r->n_given || (size_t)(out->end - out->at) % sizeof(int))
			return broken(DESCRIPTORS, "", "more of them than fields, or half of one");
		r->given = out->at;
		r->n_given = (size_t)(out->end - out->at) / sizeof(int);
	}
	return ret;
}

struct value {
	char name[NAME_MAX_STATE + 1];
	uint8_t kind;
	const uint8_t *bytes;
	size_t len;
};

static bool take_value(const uint8_t **at, const uint8_t *end, struct value *v)
{
	uint16_t len;

	if (!take_name(at, end, v->name, sizeof(v->name)) || (size_t)(end - *at) < 1 + sizeof(len))
		return false;
	v->kind = **at;
	memcpy(&len, *at + 1, sizeof(len));
	*at += 1 + sizeof(len);
	if (!len || len > (size_t)(end - *at))
		return false;
	v->bytes = *at;
	v->len = len;
	*at += len;
	return true;
}

static const struct state_field *find_from(const struct state_part *parts, unsigned n, const char *name, unsigned hint[2],
                                           void **at)
{
	for (unsigned p = hint[0], first = hint[1]; p < n; p++, first = 0) {
		size_t prefix = strlen(parts[p].prefix);

		if (strncmp(name, parts[p].prefix, prefix) != 0)
			continue;
		for (unsigned i = first; i < parts[p].n; i++) {
			const struct state_field *f = &parts[p].fields[i];

			if (strcmp(name + prefix, f->name) != 0)
				continue;
			hint[0] = p;
			hint[1] = i + 1;
			*at = (uint8_t *)parts[p].object + f->offset;
			return f;
		}
	}
	return NULL;
}

// Fields come in the order of their table, mostly: behind the last one the next one is looked for first.
static const struct state_field *find(const struct state_part *parts, unsigned n, const char *name, unsigned hint[2], void **at)
{
	const struct state_field *f = find_from(parts, n, name, hint, at);

	if (f)
		return f;
	hint[0] = hint[1] = 0;
	return find_from(parts, n, name, hint, at);
}

static const char *take_number(const struct state_field *f, const struct value *v, void *at)
{
	uint64_t n;

	if (v->len > sizeof(n))
		return "too large a number";
	n = number_of(v->bytes, v->len);
	if (n > f->most)
		return "too large a number";
	memcpy(at, &n, f->size);
	return NULL;
}

static const char *take_fd(struct state_reader *r, const struct value *v, void *at)
{
	int fd;

	if (v->len != sizeof(fd))
		return "no descriptor";
	if (r->given && !r->n_given)
		return "a descriptor that nobody has left";
	memcpy(&fd, r->given ? r->given : v->bytes, sizeof(fd));
	if (r->given) {
		r->given += sizeof(fd);
		r->n_given--;
	}
	if (fd <= STDERR_FILENO || fcntl(fd, F_GETFD) < 0)
		return "a descriptor that is not open";
	for (size_t i = 0; i < r->n_fds; i++)
		if (r->fds[i] == fd)
			return "a descriptor of another's";
	if (fds_add(&r->fds, &r->n_fds, &r->fds_room, fd) < 0)
		return "no memory";
	*(int *)at = fd;
	return NULL;
}

// What is wrong with it, or NULL.
static const char *take(struct state_reader *r, const struct state_field *f, const struct value *v, void *at)
{
	char *copy;

	if (v->kind != (uint8_t)f->kind)
		return "another kind of field";
	switch (f->kind) {
	case STATE_KIND_NUMBER:
		return take_number(f, v, at);
	case STATE_KIND_TEXT:
		if (v->len >= f->size || memchr(v->bytes, 0, v->len))
			return "no text that fits";
		memcpy(at, v->bytes, v->len);
		return NULL;
	case STATE_KIND_STRING:
		if (memchr(v->bytes, 0, v->len) != v->bytes + v->len - 1)
			return "no text";
		if (*(char **)at)
			return "it is there twice";
		copy = strdup((const char *)v->bytes);
		*(char **)at = copy;
		return copy ? NULL : "no memory";
	case STATE_KIND_BYTES:
		if (v->len > f->size)
			return "more than there is room for";
		memcpy(at, v->bytes, v->len);
		return NULL;
	case STATE_KIND_ADDR:
		return v->len == ADDR_WIRE && addr_unpack(v->bytes, at) == 0 ? NULL : "no address";
	case STATE_KIND_FD:
		return take_fd(r, v, at);
	}
	return "another kind of field";
}

static void no_descriptors(const struct state_part *parts, unsigned n)
{
	for (unsigned p = 0; p < n; p++)
		for (unsigned i = 0; i < parts[p].n; i++)
			if (parts[p].fields[i].kind == STATE_KIND_FD)
				*(int *)(void *)((uint8_t *)parts[p].object + parts[p].fields[i].offset) = -1;
}

int state_read(const struct state_record *rec, const struct state_part *parts, unsigned n)
{
	const uint8_t *p = rec->at;
	unsigned hint[2] = { 0, 0 };
	const struct state_field *f;
	const char *wrong;
	struct value v;
	void *at;

	no_descriptors(parts, n);
	while (p < rec->end) {
		if (!take_value(&p, rec->end, &v))
			return broken(rec->name, "", "a field is cut off");
		f = find(parts, n, v.name, hint, &at);
		if (!f)
			return errno_log(ENOTSUP, "state: %s: %s: this version does not know it", rec->name, v.name);
		wrong = take(rec->reader, f, &v, at);
		if (wrong)
			return broken(rec->name, v.name, wrong);
	}
	return 0;
}
