// Names of hosts and groups, as libc's modules (NSS) know them: these load code and ask local daemons, which sec-mod itself may
// not. So a process does it that is nobody's, one for each question (names_helper.c).
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "proto/addr.h"

#define NAMES_HELPER_OPTION "--names-helper"
#define NAMES_TEXT 255

enum names_kind { NAMES_HOST, NAMES_GROUPS };

// One packet of SOCK_SEQPACKET each. Answers end with one that has no more.
struct names_request {
	uint32_t kind;
	uint32_t gid_min;
	char name[NAMES_TEXT + 1];
};
struct names_reply {
	uint32_t more;
	struct addr addr; // family 0: nothing
	char name[NAMES_TEXT + 1];
};

// Both wait, for so long and no longer. 0 or -errno. Without a spawner they ask libc here (tests).
int names_host(const char *name, struct addr *out); // any thread
int names_groups(gid_t gid_min, void (*each)(void *who, const char *name), void *who);
// The loop begins: lists of groups have two seconds in all from here on.
void names_hurry(void);

// Likewise, here.
int names_host_here(const char *name, struct addr *out);
void names_groups_here(gid_t gid_min, void (*each)(void *who, const char *name), void *who);

// The process itself; its exit status.
int names_helper_main(void);
