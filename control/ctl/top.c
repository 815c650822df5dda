#include "top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// A user's connection in the later look.
struct row {
	size_t from, end; // its cells
	uint64_t id, rx, tx, total, dropped;
	const char *name;
};

// ------------------------------------------------------------------------------------------------------------------ looks

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int look_at(const struct ctl *ctl, const char *command, const char *argument, struct answer *a, char refusal[LIMIT_TEXT + 1],
                   const char **why)
{
	int ret = ctl_ask(ctl, command, argument, a, why);

	if (ret < 0 || a->ok)
		return ret;
	snprintf(refusal, LIMIT_TEXT + 1, "%s", a->message);
	*why = refusal;
	return -EACCES;
}

int top_look(const struct ctl *ctl, struct top *t, const char **why)
{
	static char refusal[LIMIT_TEXT + 1];
	const char *away;
	int ret;

	memset(t, 0, sizeof(*t));
	ret = look_at(ctl, "show status", NULL, &t->status, refusal, why);
	if (ret == 0)
		ret = look_at(ctl, "show users", "brief", &t->users, refusal, why);
	t->at_ms = now_ms();
	if (ret == 0 && look_at(ctl, "show dataplane", NULL, &t->dataplane, refusal, &away) < 0)
		answer_fini(&t->dataplane);
	return ret;
}

void top_fini(struct top *t)
{
	answer_fini(&t->status);
	answer_fini(&t->users);
	answer_fini(&t->dataplane);
}

static const char *const orders[TOP_ORDERS] = {
	[TOP_TRAFFIC] = "traffic", [TOP_RX] = "rx", [TOP_TX] = "tx", [TOP_TOTAL] = "total", [TOP_NAME] = "name",
};

const char *top_order_name(enum top_order by)
{
	return orders[by];
}

bool top_order_parse(const char *name, enum top_order *by)
{
	for (int i = 0; i < TOP_ORDERS; i++)
		if (strcmp(orders[i], name) == 0) {
			*by = (enum top_order)i;
			return true;
		}
	return false;
}

// ---------------------------------------------------------------------------------------------------------------- numbers

static uint64_t number(const struct answer *a, size_t from, size_t end, const char *key)
{
	const struct cell *c = answer_cell(a, from, end, key);

	return c ? c->number : 0;
}

static const char *text(const struct answer *a, size_t from, size_t end, const char *keys)
{
	const struct cell *c = answer_cell(a, from, end, keys);

	return c ? c->text : "";
}

// A second. A counter that has fallen was begun anew.
static uint64_t per_second(uint64_t before, uint64_t now, uint64_t ms)
{
	return now > before && ms > 0 ? (uint64_t)((double)(now - before) * 1000 / (double)ms + 0.5) : 0;
}

// By thousands: "1.2 MB".
static void with_unit(uint64_t number_of, const char *unit, char *out, size_t room)
{
	static const char *const thousands[] = { "", "k", "M", "G", "T", "P" };
	double n = (double)number_of;
	size_t i = 0;

	for (; n >= 1000 && i < 5; i++)
		n /= 1000;
	snprintf(out, room, "%.*f %s%s", i ? 1 : 0, n, thousands[i], unit);
}

void top_rate(uint64_t bits, char *out, size_t room)
{
	with_unit(bits, "bit/s", out, room);
}

// ------------------------------------------------------------------------------------------------------------------- rows

static int by_id(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : by_id(a, b);
}

static int most(uint64_t a, uint64_t b, const void *x, const void *y)
{
	return a > b ? -1 : a < b ? 1 : by_name(x, y);
}

static int by_traffic(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return most(x->rx + x->tx, y->rx + y->tx, x, y);
}

static int by_rx(const void *a, const void *b)
{
	return most(((const struct row *)a)->rx, ((const struct row *)b)->rx, a, b);
}

static int by_tx(const void *a, const void *b)
{
	return most(((const struct row *)a)->tx, ((const struct row *)b)->tx, a, b);
}

static int by_total(const void *a, const void *b)
{
	return most(((const struct row *)a)->total, ((const struct row *)b)->total, a, b);
}

// All connections of a look, by number. NULL: no memory.
static struct row *rows_of(const struct answer *a, size_t *count)
{
	struct row *rows = calloc(a->count + 1, sizeof(*rows));
	size_t from, end, n = 0;

	for (from = 0; rows && from < a->count; from = end) {
		end = answer_record_end(a, from);
		rows[n++] = (struct row){
			.from = from, .end = end, .id = number(a, from, end, "ID"), .name = text(a, from, end, "Username")
		};
	}
	if (rows)
		qsort(rows, n, sizeof(*rows), by_id);
	*count = n;
	return rows;
}

// One that was not there before has sent all of it since.
static void rate(struct row *r, const struct answer *now, const struct row *was, const struct answer *before, uint64_t ms)
{
	uint64_t rx = number(now, r->from, r->end, "RX"), tx = number(now, r->from, r->end, "TX");
	uint64_t dropped = number(now, r->from, r->end, "Dropped packets");

	r->total = rx + tx;
	r->rx = 8 * per_second(was ? number(before, was->from, was->end, "RX") : 0, rx, ms);
	r->tx = 8 * per_second(was ? number(before, was->from, was->end, "TX") : 0, tx, ms);
	r->dropped = per_second(was ? number(before, was->from, was->end, "Dropped packets") : 0, dropped, ms);
}

// ----------------------------------------------------------------------------------------------------------------- answer

// A record being written; the first error sticks.
struct writer {
	struct answer *out;
	const char *section;
	uint32_t record;
	int error;
};

static void begin(struct writer *w, const char *section)
{
	w->section = section;
	w->record++;
}

static void put(struct writer *w, uint8_t kind, const char *key, const char *value, uint64_t n)
{
	struct msg_admin_value v = { .record = w->record, .kind = kind, .number = n };

	snprintf(v.section, sizeof(v.section), "%s", w->section);
	snprintf(v.key, sizeof(v.key), "%s", key);
	snprintf(v.text, sizeof(v.text), "%s", value);
	if (w->error == 0)
		w->error = answer_add(w->out, &v);
}

static void put_number(struct writer *w, const char *key, uint64_t n)
{
	put(w, VALUE_NUMBER, key, "", n);
}

static void put_rate(struct writer *w, const char *key, const char *raw, uint64_t bits)
{
	char value[32];

	top_rate(bits, value, sizeof(value));
	put(w, VALUE_TEXT, key, value, 0);
	put_number(w, raw, bits);
}

static void put_bytes(struct writer *w, const char *key, uint64_t bytes)
{
	char value[32];

	with_unit(bytes, "B", value, sizeof(value));
	put(w, VALUE_NUMBER, key, value, bytes);
}

static void put_user(struct writer *w, const struct answer *a, const struct row *r)
{
	begin(w, "users");
	put_number(w, "ID", r->id);
	put(w, VALUE_TEXT, "Username", r->name, 0);
	put(w, VALUE_TEXT, "vhost", text(a, r->from, r->end, "vhost"), 0);
	put(w, VALUE_TEXT, "Remote IP", text(a, r->from, r->end, "Remote IP"), 0);
	put(w, VALUE_TEXT, "IP", text(a, r->from, r->end, "IPv4|IPv6"), 0);
	put_rate(w, "rx", "raw_rx_bits", r->rx);
	put_rate(w, "tx", "raw_tx_bits", r->tx);
	put_number(w, "drops/s", r->dropped);
	put_bytes(w, "RX", number(a, r->from, r->end, "RX"));
	put_bytes(w, "TX", number(a, r->from, r->end, "TX"));
	put(w, VALUE_TEXT, "way", text(a, r->from, r->end, "DTLS cipher")[0] ? "DTLS" : "TLS", 0);
}

static void put_cores(struct writer *w, const struct answer *a)
{
	size_t from, end;

	for (from = 0; from < a->count; from = end) {
		end = answer_record_end(a, from);
		if (strcmp(a->cells[from].section, "cores") != 0)
			continue;
		begin(w, "cores");
		put_number(w, "lcore", number(a, from, end, "lcore"));
		put_number(w, "cpu", number(a, from, end, "cpu"));
		put(w, VALUE_TEXT, "busy", text(a, from, end, "busy now"), 0);
		put_number(w, "raw_busy_permille", number(a, from, end, "raw_busy_now_permille"));
	}
}

static uint64_t counter(const struct answer *a, const char *name)
{
	size_t from, end;

	for (from = 0; from < a->count; from = end) {
		end = answer_record_end(a, from);
		if (strcmp(a->cells[from].section, "counters") == 0 && strcmp(text(a, from, end, "name"), name) == 0)
			return number(a, from, end, "value");
	}
	return 0;
}

static void put_drops(struct writer *w, const struct answer *before, const struct answer *now, uint64_t ms)
{
	size_t from, end;
	uint64_t n;

	for (from = 0; from < now->count; from = end) {
		const char *name;

		end = answer_record_end(now, from);
		name = text(now, from, end, "name");
		if (strcmp(now->cells[from].section, "counters") != 0 || strcmp(text(now, from, end, "role"), "drop") != 0)
			continue;
		n = per_second(counter(before, name), number(now, from, end, "value"), ms);
		if (n == 0)
			continue;
		begin(w, "drops");
		put(w, VALUE_TEXT, "counter", name, 0);
		put_number(w, "packets/s", n);
	}
}

// Of all sections, as the packet path sums them up.
static uint64_t whole(const struct answer *a, const char *key)
{
	return number(a, 0, a->count, key);
}

static void put_whole(struct writer *w, const struct top *before, const struct top *now, const struct row *rows, size_t count,
                      uint64_t ms)
{
	uint64_t rx = 0, tx = 0;

	for (size_t i = 0; i < count; i++) {
		rx += rows[i].rx;
		tx += rows[i].tx;
	}
	begin(w, "");
	put(w, VALUE_TEXT, "Status", text(&now->status, 0, now->status.count, "Status"), 0);
	put(w, VALUE_TEXT, "Up", text(&now->status, 0, now->status.count, "_Up since"), 0);
	put_number(w, "uptime", whole(&now->status, "uptime"));
	put_number(w, "Connected", count);
	put_number(w, "Active sessions", whole(&now->status, "Active sessions"));
	put_number(w, "IPs in ban list", whole(&now->status, "IPs in ban list"));
	put_number(w, "Authentication failures", whole(&now->status, "Authentication failures"));
	put_rate(w, "From clients", "raw_rx_bits", rx);
	put_rate(w, "To clients", "raw_tx_bits", tx);
	put_number(w, "Packets in a second",
	           per_second(whole(&before->dataplane, "packets in"), whole(&now->dataplane, "packets in"), ms));
	put_number(w, "Dropped a second",
	           per_second(whole(&before->dataplane, "packets dropped"), whole(&now->dataplane, "packets dropped"), ms));
}

int top_between(const struct top *before, const struct top *now, enum top_order by, struct answer *out)
{
	static int (*const compare[TOP_ORDERS])(const void *, const void *) = {
		[TOP_TRAFFIC] = by_traffic, [TOP_RX] = by_rx, [TOP_TX] = by_tx, [TOP_TOTAL] = by_total, [TOP_NAME] = by_name,
	};
	uint64_t ms = now->at_ms > before->at_ms ? now->at_ms - before->at_ms : 0;
	struct writer w = { .out = out };
	size_t n_was, n, i;
	struct row *was = rows_of(&before->users, &n_was), *rows = rows_of(&now->users, &n);

	if (!was || !rows)
		w.error = -ENOMEM;
	for (i = 0; w.error == 0 && i < n; i++)
		rate(&rows[i], &now->users, bsearch(&rows[i], was, n_was, sizeof(*was), by_id), &before->users, ms);
	if (w.error == 0) {
		qsort(rows, n, sizeof(*rows), compare[by]);
		put_whole(&w, before, now, rows, n, ms);
		put_cores(&w, &now->dataplane);
		put_drops(&w, &before->dataplane, &now->dataplane, ms);
	}
	for (i = 0; w.error == 0 && i < n; i++)
		put_user(&w, &now->users, &rows[i]);
	free(was);
	free(rows);
	return w.error;
}
