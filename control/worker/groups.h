// The groups that a login form lets its user choose from: select-group, default-select-group, and with auto-select-group those that
// the login's method knows. Nursery at start-up, then a worker. No I/O. A worker only offers; sec-mod decides who is in which.
#pragma once
#include <stdbool.h>

#include "proto/limits.h"
#include "proto/snapshot.h"

struct group_choice {
	char *name, *label;
};

struct groups {
	struct group_choice *choice;
	unsigned n;
	char *none;     // the label of no choice; NULL: there is no such entry
	bool automatic; // sec-mod knows more
	bool by_url;    // the path of a request names one
};

// Of one virtual host. 0 or -ENOMEM; what has no form is left out (main has warned of it).
int groups_load(struct groups *g, const struct snapshot *conf, unsigned vhost);
// Another list with the same and, behind it, what is new in `names`, separated by commas. 0 or -ENOMEM.
int groups_copy(struct groups *out, const struct groups *g, const char *names);
void groups_fini(struct groups *g);

// What a client says, a name or a label, as a name: "" for the label of no choice; what is not listed stands for itself.
void groups_name(const struct groups *g, const char *text, char out[LIMIT_GROUP + 1]);
bool groups_has(const struct groups *g, const char *text); // as a name or a label
