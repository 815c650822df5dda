// The page that /metrics is: samples as they come from main, and then the whole as text, in either of two forms. penstock-metrics
// only. Samples of one metric stand together whatever order they came in. Does no I/O.
#pragma once
#include <event2/buffer.h>
#include <stdbool.h>

#include "proto/messages.h"
#include "proto/metrics.h"

enum page_form {
	PAGE_OPENMETRICS, // application/openmetrics-text; version=1.0.0
	PAGE_PLAIN,       // text/plain; version=0.0.4, as Prometheus had it before
	PAGE_FORMS,
};

struct page;

struct page *page_new(void); // empty. NULL: no memory
void page_free(struct page *p);
// 0; -EINVAL: there is no such metric, or it has no such part; -ENOMEM.
int page_add(struct page *p, const struct msg_metrics_sample *m);
// Nothing is added any more: both forms, the page's own. NULL: no memory.
struct evbuffer *page_text(struct page *p, enum page_form form);

// What a client wants that says this (NULL: nothing) in Accept.
enum page_form page_form_of(const char *accept);
const char *page_type(enum page_form form); // for Content-Type
