// expose-iroutes: the networks behind clients that the files of config-per-user name, as routes for everybody who has routes at
// all. Read once a load: who connects later is known by his file. Main process only.
#pragma once
#include <stddef.h>

#include "control/main/terms.h"

struct config;

struct exposed {
	struct addr *networks; // each once
	size_t n;
};

// Of a virtual host; nothing where it does not want it. A file that is wrong is left out, as its user is. 0 or -ENOMEM.
int exposed_load(const struct config *vhost, struct exposed *out);
void exposed_free(struct exposed *e);
// To fresh terms, but for what is behind their own client. 0 or -ENOMEM.
int exposed_add(const struct exposed *e, struct terms *t);
