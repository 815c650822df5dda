#include "control/main/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/state.h"
#include "proto/secret.h"

// --------------------------------------------------------------------------------------------------------------- records

static uint64_t hash_of(enum vault_kind kind, uint64_t id)
{
	const uint64_t key[] = { kind, id };

	return htab_hash(key, sizeof(key));
}

static void fds_close(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

static void record_free(struct vault_record *r)
{
	if (r->bytes)
		secret_wipe(r->bytes, r->len);
	fds_close(r->fds, r->n_fds);
	free(r->bytes);
	free(r->fds);
	free(r);
}

static struct vault_record *find(const struct vault *v, enum vault_kind kind, uint64_t id)
{
	for (struct hlink *l = htab_first(&v->table, hash_of(kind, id)); l; l = htab_next(l)) {
		struct vault_record *r = HTAB_OF(l, struct vault_record, link);

		if (r->kind == kind && r->id == id)
			return r;
	}
	return NULL;
}

const struct vault_record *vault_find(const struct vault *v, enum vault_kind kind, uint64_t id)
{
	return find(v, kind, id);
}

static void take_out(struct vault *v, struct vault_record *r)
{
	htab_remove(&v->table, &r->link);
	TAILQ_REMOVE(&v->records, r, list);
	v->count--;
	record_free(r);
}

int vault_init(struct vault *v)
{
	*v = (struct vault){ 0 };
	TAILQ_INIT(&v->records);
	TAILQ_INIT(&v->waiting);
	return htab_init(&v->table);
}

void vault_forget(struct vault *v)
{
	struct vault_record *r;

	while ((r = TAILQ_FIRST(&v->waiting))) {
		TAILQ_REMOVE(&v->waiting, r, list);
		record_free(r);
	}
	v->reset = false;
}

static void records_drop(struct vault *v)
{
	while (!TAILQ_EMPTY(&v->records))
		take_out(v, TAILQ_FIRST(&v->records));
}

void vault_empty(struct vault *v)
{
	vault_forget(v);
	records_drop(v);
}

void vault_tear(struct vault *v)
{
	vault_empty(v);
	v->torn = true;
}

void vault_fini(struct vault *v)
{
	vault_empty(v);
	htab_fini(&v->table);
}

// ---------------------------------------------------------------------------------------------------------------- commit

static void count_from_now(struct vault *v, struct vault_record *r)
{
	struct vault_record *before = find(v, r->kind, r->id);

	if (before && r->same_fds) {
		r->fds = before->fds;
		r->n_fds = before->n_fds;
		before->fds = NULL;
		before->n_fds = 0;
	}
	if (before)
		take_out(v, before);
	if (r->drop) {
		record_free(r);
		return;
	}
	r->same_fds = false;
	htab_insert(&v->table, &r->link, hash_of(r->kind, r->id));
	TAILQ_INSERT_TAIL(&v->records, r, list);
	v->count++;
}

static void commit(struct vault *v)
{
	struct vault_record *r;

	if (v->reset)
		records_drop(v);
	v->reset = false;
	while ((r = TAILQ_FIRST(&v->waiting))) {
		TAILQ_REMOVE(&v->waiting, r, list);
		count_from_now(v, r);
	}
}

// ------------------------------------------------------------------------------------------------------------------ take

// What is left of a packet.
struct packet {
	const uint8_t *at, *end;
	const int *fds;
	unsigned n_fds;
};

static int record_wait(struct vault *v, const struct vault_op *op, struct packet *p)
{
	struct vault_record *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->kind = op->kind;
	r->id = op->id;
	r->drop = op->word == VAULT_DROP;
	r->same_fds = op->flags & VAULT_SAME_FDS;
	r->bytes = op->len ? malloc(op->len) : NULL;
	r->fds = op->n_fds ? malloc(op->n_fds * sizeof(*r->fds)) : NULL;
	if ((op->len && !r->bytes) || (op->n_fds && !r->fds)) {
		record_free(r);
		return -ENOMEM;
	}
	if (op->len)
		memcpy(r->bytes, p->at, op->len);
	if (op->n_fds) {
		memcpy(r->fds, p->fds, op->n_fds * sizeof(*r->fds));
		p->fds += op->n_fds; // NULL where the packet has none
		p->n_fds -= op->n_fds;
	}
	r->len = op->len;
	r->n_fds = op->n_fds;
	TAILQ_INSERT_TAIL(&v->waiting, r, list);
	return 0;
}

static int record_more(struct vault *v, const struct vault_op *op, const struct packet *p)
{
	struct vault_record *r = TAILQ_LAST(&v->waiting, vault_list);
	uint8_t *grown;

	if (!r || r->drop || r->kind != op->kind || r->id != op->id || !op->len || op->len > VAULT_RECORD_MOST - r->len)
		return -EBADMSG;
	grown = malloc(r->len + op->len); // not realloc: it would leave a copy behind
	if (!grown)
		return -ENOMEM;
	if (r->bytes) {
		memcpy(grown, r->bytes, r->len);
		secret_wipe(r->bytes, r->len);
	}
	memcpy(grown + r->len, p->at, op->len);
	free(r->bytes);
	r->bytes = grown;
	r->len += op->len;
	return 0;
}

static int tell(const struct vault *v, const struct vault_op *op, const struct packet *p)
{
	char text[1024];

	if (op->len >= sizeof(text) || memchr(p->at, 0, op->len))
		return -EBADMSG;
	memcpy(text, p->at, op->len);
	text[op->len] = '\0';
	if (v->tell)
		v->tell(v->who, text);
	return 0;
}

static int leave_out(const struct vault_op *op, struct packet *p)
{
	fds_close(p->fds, op->n_fds);
	p->fds += op->n_fds;
	p->n_fds -= op->n_fds;
	return 0;
}

static int act(struct vault *v, const struct vault_op *op, struct packet *p)
{
	if (v->torn && (op->word < VAULT_RESET || op->word == VAULT_COMMIT))
		return leave_out(op, p);
	switch (op->word) {
	case VAULT_PUT:
		return record_wait(v, op, p);
	case VAULT_DROP:
		return op->len || op->n_fds || op->flags ? -EBADMSG : record_wait(v, op, p);
	case VAULT_MORE:
		return record_more(v, op, p);
	case VAULT_RESET:
		vault_forget(v);
		v->reset = true;
		v->torn = false;
		return op->len ? -EBADMSG : 0;
	case VAULT_COMMIT:
		commit(v);
		return op->len ? -EBADMSG : 0;
	case VAULT_TELL:
		return tell(v, op, p);
	default:
		if (v->heard)
			v->heard(v->who, (int)op->id);
		return op->len ? -EBADMSG : 0;
	}
}

// Is the next operation whole, and one that there is?
static bool next(const struct packet *p, struct vault_op *op)
{
	if ((size_t)(p->end - p->at) < sizeof(*op))
		return false;
	memcpy(op, p->at, sizeof(*op));
	if (op->word >= VAULT_WORDS || op->kind >= VAULT_KINDS || op->flags & ~VAULT_SAME_FDS)
		return false;
	if (op->len > (size_t)(p->end - p->at) - sizeof(*op) || op->n_fds > p->n_fds)
		return false;
	return !op->n_fds || (op->word == VAULT_PUT && !op->flags);
}

int vault_take(struct vault *v, const uint8_t *packet, size_t len, const int *fds, unsigned n_fds)
{
	struct packet p = { packet, packet + len, fds, n_fds };
	struct vault_op op;
	int ret = 0;

	while (ret == 0 && p.at < p.end) {
		if (!next(&p, &op)) {
			ret = -EBADMSG;
			break;
		}
		p.at += sizeof(op);
		ret = act(v, &op, &p);
		p.at += op.len;
	}
	if (ret == 0 && p.n_fds)
		ret = -EBADMSG;
	fds_close(p.fds, p.n_fds);
	return ret;
}

// ----------------------------------------------------------------------------------------------------------------- write

static int by_kind_and_id(const void *a, const void *b)
{
	const struct vault_record *x = *(const struct vault_record *const *)a, *y = *(const struct vault_record *const *)b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

void vault_write(const struct vault *v, struct state_writer *w)
{
	const struct vault_record **all = malloc((v->count + 1) * sizeof(*all));
	const struct vault_record *r;
	size_t n = 0;

	if (!all) {
		w->error = -ENOMEM;
		return;
	}
	TAILQ_FOREACH(r, &v->records, list)
	all[n++] = r;
	qsort(all, n, sizeof(*all), by_kind_and_id);
	for (size_t i = 0; i < n; i++)
		if (all[i]->kind != VAULT_PROGRAM)
			state_write_again(w, all[i]->bytes, all[i]->len, all[i]->fds, all[i]->n_fds);
	free(all);
}
