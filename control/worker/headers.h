// Headers that the operator wants in every answer (included-http-headers), of one virtual host. Nursery at start-up. Pure.
#pragma once
#include <stdbool.h>

#include "proto/snapshot.h"

struct headers {
	char *text; // each with its line's end; NULL: none
};

// 0 or -ENOMEM. What is no header is left out (main has refused it).
int headers_load(struct headers *h, const struct snapshot *conf, unsigned vhost);
void headers_free(struct headers *h);
// Is there one of this name (any case)?
bool headers_have(const struct headers *h, const char *name);
