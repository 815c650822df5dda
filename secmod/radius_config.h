// What an operator's radcli configuration says: servers with their secrets, times, who we are. Read by radcli itself, so that a
// file means what it means to other programs; it is all that is used of that library.
#pragma once
#include <stdint.h>

#include "proto/addr.h"
#include "proto/limits.h"

#define RADIUS_SERVERS_MAX 8 // radcli's SERVER_MAX
#define RADIUS_SECRET_MAX 96 // its MAX_SECRET_LENGTH
#define RADIUS_SERVER_NAME_MAX 255
#define RADIUS_WORD_MAX 63

enum radius_purpose { RADIUS_AUTH, RADIUS_ACCT };

// Flat and zeroed before it is filled: two that say the same are the same bytes.
struct radius_config {
	enum radius_purpose purpose;
	unsigned n_servers;
	struct radius_config_server {
		char name[RADIUS_SERVER_NAME_MAX + 1]; // as in the file: a host's name or its address
		char secret[RADIUS_SECRET_MAX + 1];
		struct addr addr; // with the port; family 0: its name is no address, or it has no secret
	} server[RADIUS_SERVERS_MAX];
	uint32_t wait_ms, retries, dead_ms;
	char nas_identifier[RADIUS_WORD_MAX + 1]; // "": none
	char realm[RADIUS_WORD_MAX + 1];          // for user names without one; "": none
	struct addr nas_ip;                       // family 0: the address that the client came to
	struct addr bind;                         // family 0: any
};

// Waits for nobody: of a server with a name radius_client.c finds the address. One without a secret is logged and never asked, and
// another one has to be left. -EINVAL: `text` says what is wrong, in radcli's words where it knows.
int radius_config_load(const char *file, enum radius_purpose purpose, struct radius_config *out, char text[LIMIT_TEXT + 1]);
