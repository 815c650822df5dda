// Bytes of an HTTP answer as they gather. Wiped when freed: some carry a cookie. Worker only.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct reply {
	char *text;
	size_t len, room;
	bool failed; // out of memory: the connection ends
	bool close;  // after this answer
	bool head;   // it is one to HEAD: without its body
};

void reply_add(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reply_add_bytes(struct reply *r, const void *bytes, size_t len);
// Forget what is there, keep nothing of it.
void reply_clear(struct reply *r);
