// One client's connection from its first byte to its last: the process that a fork of the nursery is. Worker only.
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"
#include "vhost.h"

// What all workers of a nursery share, loaded before the first fork.
struct gear {
	struct vhosts vhosts;
	SSL_CTX *dtls;
	uint32_t auth_timeout; // seconds until a session must be open, 0 = no bound
};

struct client_start {
	uint64_t conn;
	struct addr client, local;
	bool proxied;             // client is a proxy, whose header comes first
	int socket, main, secmod; // taken over; none of them blocks
};

// Whose connection it is, for the log.
void client_named(uint64_t conn, const struct addr *client);
// Serves the connection to its end. The exit code.
int client_run(const struct gear *gear, const struct client_start *start);
