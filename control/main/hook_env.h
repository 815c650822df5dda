// The environment of the operator's programs: ocserv's names and formats. Pure: a session's facts in, strings out.
// What a client has chosen stands in values alone, and those have no control characters: the codec lets none pass.
#pragma once
#include "control/main/tunnel.h"

enum hook_kind { HOOK_CONNECT, HOOK_DISCONNECT, HOOK_HOST_UPDATE };

struct hook_facts {
	enum hook_kind kind;
	uint32_t id; // as `show users` has it
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1];
	char vhost[LIMIT_VHOST + 1]; // "": the default one
	char device[16];             // "": the inner interface has no name in the kernel
	struct addr client, local;   // of its connection
	struct addr ipv4, ipv6;      // as its client is told; family 0: none
	struct addr own_ipv4, own_ipv6;
	const struct connect_info *info;
	const struct terms *terms;
	uint64_t bytes_in, bytes_out, seconds; // HOOK_DISCONNECT: what its connection has carried, and how long it was
};

// NULL-terminated, for execve(). NULL: no memory. Freed by hook_env_free().
char **hook_env_new(const struct hook_facts *f);
char **hook_env_bare(void);     // only where programs are
void hook_env_free(char **env); // NULL is fine
