// Camouflage: who does not know the secret, as the query of a URL, sees a web server that wants a password or has nothing to show.
// Nursery at start-up, then a worker. No I/O. A worker is hostile by assumption, so it has a salted hash of the secret only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "proto/snapshot.h"

#define CAMOUFLAGE_SALT 16
#define CAMOUFLAGE_HASH 32

struct camouflage {
	bool on;
	char *realm; // NULL: there is nothing to ask a password for
	uint8_t salt[CAMOUFLAGE_SALT], hash[CAMOUFLAGE_HASH];
};

// Of one virtual host. 0, -ENOMEM or -EIO.
int camouflage_load(struct camouflage *c, const struct snapshot *conf, unsigned vhost);
void camouflage_free(struct camouflage *c);
// Is this query (NULL: none) the secret? As it stands or percent-encoded, in constant time for its length.
bool camouflage_opens(const struct camouflage *c, const char *query);
