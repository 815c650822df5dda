#include "page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct page {
	struct evbuffer *lines[METRICS];
	struct evbuffer *text[PAGE_FORMS]; // NULL: not yet
};

struct page *page_new(void)
{
	struct page *p = calloc(1, sizeof(*p));

	for (unsigned i = 0; p && i < METRICS; i++) {
		p->lines[i] = evbuffer_new();
		if (p->lines[i])
			continue;
		page_free(p);
		return NULL;
	}
	return p;
}

static void buffer_free(struct evbuffer *b)
{
	if (b)
		evbuffer_free(b);
}

void page_free(struct page *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < METRICS; i++)
		buffer_free(p->lines[i]);
	for (unsigned i = 0; i < PAGE_FORMS; i++)
		buffer_free(p->text[i]);
	free(p);
}

// --------------------------------------------------------------------------------------------------------------- samples

// A user's name may be anything.
static void put_label(struct evbuffer *out, const char *name, size_t name_len, const char *value)
{
	evbuffer_add_printf(out, "%.*s=\"", (int)name_len, name);
	while (*value) {
		size_t plain = strcspn(value, "\\\"\n");

		evbuffer_add(out, value, plain);
		value += plain;
		if (*value)
			evbuffer_add_printf(out, "\\%c", *value == '\n' ? 'n' : *value);
		value += *value != 0;
	}
	evbuffer_add(out, "\"", 1);
}

// Exact, and with a fraction only where there is one: 1500 of 1000 is 1.5. `point`: it always has a point.
static void put_number(struct evbuffer *out, uint64_t value, uint32_t per, bool point)
{
	uint64_t rest = value % per;

	evbuffer_add_printf(out, "%llu", (unsigned long long)(value / per));
	if (!rest && point)
		evbuffer_add(out, ".0", 2);
	if (!rest)
		return;
	evbuffer_add(out, ".", 1);
	for (; rest; rest = rest * 10 % per)
		evbuffer_add_printf(out, "%u", (unsigned)(rest * 10 / per));
}

static void put_labels(struct evbuffer *out, const struct metric_desc *d, const struct msg_metrics_sample *m, unsigned bucket)
{
	const char *const values[METRIC_LABELS] = { m->label1, m->label2, m->label3 };
	const char *names = d->labels, *before = "{";
	bool buckets = bucket <= METRIC_BOUNDS;

	for (unsigned i = 0; i < METRIC_LABELS && *names; i++) {
		size_t len = strcspn(names, ",");

		evbuffer_add_printf(out, "%s", before);
		put_label(out, names, len, values[i]);
		names += len + (names[len] == ',');
		before = ",";
	}
	if (buckets)
		evbuffer_add_printf(out, "%sle=\"", before);
	if (bucket < METRIC_BOUNDS)
		put_number(out, metric_bounds[bucket], d->per, true);
	else if (buckets)
		evbuffer_add(out, "+Inf", 4);
	if (buckets)
		evbuffer_add(out, "\"", 1);
	if (d->labels[0] || buckets)
		evbuffer_add(out, "}", 1);
	evbuffer_add(out, " ", 1);
}

static void put_line(struct evbuffer *out, const struct metric_desc *d, const struct msg_metrics_sample *m, const char *suffix,
                     unsigned bucket, uint32_t per)
{
	evbuffer_add_printf(out, "%s%s", d->name, suffix);
	put_labels(out, d, m, bucket);
	put_number(out, m->value, per, false);
	evbuffer_add(out, "\n", 1);
}

int page_add(struct page *p, const struct msg_metrics_sample *m)
{
	static const char *const suffixes[] = { [METRIC_COUNTER] = "_total", [METRIC_GAUGE] = "", [METRIC_INFO] = "_info" };
	const unsigned none = METRIC_BOUNDS + 1;
	const struct metric_desc *d;
	struct evbuffer *out;

	if (m->metric >= METRICS)
		return -EINVAL;
	d = &metric_descs[m->metric];
	out = p->lines[m->metric];
	if (d->type != METRIC_HISTOGRAM) {
		if (m->part)
			return -EINVAL;
		put_line(out, d, m, suffixes[d->type], none, d->per);
	} else if (m->part == LIMIT_METRIC_PARTS) {
		put_line(out, d, m, "_sum", none, d->per);
	} else {
		put_line(out, d, m, "_bucket", m->part, 1);
		if (m->part == METRIC_BOUNDS)
			put_line(out, d, m, "_count", none, 1);
	}
	return 0;
}

// ---------------------------------------------------------------------------------------------------------------- forms

static void put_head(struct evbuffer *out, const struct metric_desc *d, enum page_form form)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram", [METRIC_INFO] = "info"
	};
	const char *type = types[d->type], *suffix = "";

	if (form == PAGE_PLAIN && d->type == METRIC_COUNTER)
		suffix = "_total";
	if (form == PAGE_PLAIN && d->type == METRIC_INFO) {
		suffix = "_info";
		type = "gauge";
	}
	evbuffer_add_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", d->name, suffix, d->help, d->name, suffix, type);
	if (form == PAGE_OPENMETRICS && d->unit[0])
		evbuffer_add_printf(out, "# UNIT %s %s\n", d->name, d->unit);
}

struct evbuffer *page_text(struct page *p, enum page_form form)
{
	struct evbuffer *out = p->text[form];

	if (out)
		return out;
	out = evbuffer_new();
	for (unsigned i = 0; out && i < METRICS; i++) {
		size_t len = evbuffer_get_length(p->lines[i]);
		unsigned char *lines = len ? evbuffer_pullup(p->lines[i], -1) : NULL;

		if (!len)
			continue;
		put_head(out, &metric_descs[i], form);
		// a copy: what refers to something cannot be referred to, as each answer does
		if (!lines || evbuffer_add(out, lines, len) < 0)
			goto no_memory;
	}
	if (out && form == PAGE_OPENMETRICS && evbuffer_add(out, "# EOF\n", 6) < 0)
		goto no_memory;
	return p->text[form] = out;
no_memory: // half a page would be believed
	evbuffer_free(out);
	return NULL;
}

enum page_form page_form_of(const char *accept)
{
	return accept && strcasestr(accept, "application/openmetrics-text") ? PAGE_OPENMETRICS : PAGE_PLAIN;
}

const char *page_type(enum page_form form)
{
	return form == PAGE_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	                                : "text/plain; version=0.0.4; charset=utf-8";
}
