// Scores of addresses that misbehave, and the bans that follow. IPv4 is scored per address, IPv6 per /64.
// Main process only, single thread. Time is given by the caller: seconds of the monotonic clock.
// Bounded: when the table is full the least recently scored entry goes, one that is not banned before one that is.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"

#define BAN_ENTRIES_MAX 65536

struct ban_rules {
	uint32_t max_score;     // reaching it is a ban; 0: nobody is ever banned
	uint32_t ban_seconds;   // how long
	uint32_t reset_seconds; // a score is forgotten this long after its first point
};

// One row of ban_rows().
struct ban_row {
	struct addr who; // prefix 32 or 64
	uint32_t score;
	uint64_t since; // when the ban began, or the first point came
	uint64_t until; // 0: scored, but not banned
};

struct ban_list;

struct ban_list *ban_list_new(const struct ban_rules *rules, size_t entries_max); // NULL, errno
void ban_list_free(struct ban_list *b);
void ban_set_rules(struct ban_list *b, const struct ban_rules *rules);

// True: these points have just made a ban.
bool ban_score(struct ban_list *b, const struct addr *who, uint32_t points, uint64_t now);
bool ban_active(struct ban_list *b, const struct addr *who, uint64_t now);
// Forget score and ban. False: there was neither.
bool ban_lift(struct ban_list *b, const struct addr *who);
size_t ban_count(struct ban_list *b, uint64_t now);
// Rows of all that are banned now, newest first; at most `room`. The number written.
size_t ban_rows(struct ban_list *b, uint64_t now, struct ban_row *rows, size_t room);
