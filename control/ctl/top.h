// `top`: who sends and gets how much, how busy the cores are and what is dropped, out of two looks at what the gateway shows.
// Pure but for top_look(), which asks it.
#pragma once
#include "ctl.h"

enum top_order { TOP_TRAFFIC, TOP_RX, TOP_TX, TOP_TOTAL, TOP_NAME, TOP_ORDERS };

// One look: owned by who took it, top_fini() frees it.
struct top {
	struct answer status, users, dataplane; // empty where it did not answer: the packet path may be away
	uint64_t at_ms;                         // monotonic
};

// 0, or -errno and why; the caller ends *t in any case.
int top_look(const struct ctl *ctl, struct top *t, const char **why);
void top_fini(struct top *t);

const char *top_order_name(enum top_order by);
bool top_order_parse(const char *name, enum top_order *by);

// What has happened between two looks, as an answer in the form STATUS: a record for the whole, sections "cores", "drops" (a
// second, by counter) and "users", those with most first. Added to *out, which the caller ends. 0 or -ENOMEM.
int top_between(const struct top *before, const struct top *now, enum top_order by, struct answer *out);
// "1.2 Mbit/s"
void top_rate(uint64_t bits, char *out, size_t room);
