// Scores of addresses that misbehave, and the bans that follow. IPv4 is scored per address; IPv6 per /64, and with a larger measure
// per /48, for who has one host in each of its networks. Main process only, single thread. Time is given by the caller: seconds of
// the monotonic clock. A score fades evenly: the largest that is no ban yet is gone after reset_seconds. Bounded: when the table is
// full the least recently scored entry goes, one that is not banned before one that is.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"

#define BAN_ENTRIES_MAX 65536
#define BAN_WIDE 8 // so many /64s' worth of points ban their /48

struct ban_rules {
	uint32_t max_score;     // reaching it is a ban; 0: nobody is ever banned
	uint32_t ban_seconds;   // how long
	uint32_t reset_seconds; // in which a score of max_score fades away; 0: at once
};

// One row of ban_rows().
struct ban_row {
	struct addr who; // prefix 32, 64 or 48
	uint32_t score;
	uint64_t since; // when the ban began, or the first point of this score came
	uint64_t until; // 0: scored, but not banned
};

struct ban_list;
struct state_record;
struct state_writer;

struct ban_list *ban_list_new(const struct ban_rules *rules, size_t entries_max); // NULL, errno
void ban_list_free(struct ban_list *b);
void ban_set_rules(struct ban_list *b, const struct ban_rules *rules);

// Where it comes from, as clients are told apart: an IPv4 address, a /64 of IPv6.
void ban_place(const struct addr *who, struct addr *out);
// Not 0: these points have just made a ban, of that prefix of `who`.
unsigned ban_score(struct ban_list *b, const struct addr *who, uint32_t points, uint64_t now);
bool ban_active(struct ban_list *b, const struct addr *who, uint64_t now);
// Forget score and ban; of an IPv6 host with its /64 and /48, of a network only its own. False: there was neither.
bool ban_lift(struct ban_list *b, const struct addr *who);
size_t ban_count(struct ban_list *b, uint64_t now);
// Rows of all that are banned now, and with `scored` of all that have points, newest first; at most `room`. The number written.
size_t ban_rows(struct ban_list *b, uint64_t now, bool scored, struct ban_row *rows, size_t room);
size_t ban_entries(const struct ban_list *b); // enough room for that

// A wrong password for this name, from wherever it came. True: the name is being guessed, by max_score points that have not faded
// yet. Nobody is banned by it: else anybody could keep a user out.
bool ban_guess(struct ban_list *b, const char *name, uint32_t points, uint64_t now);

// Scores, bans and guesses. Newest first, so that they are restored from the oldest on.
void ban_save(const struct ban_list *b, struct state_writer *w);
int ban_restore(struct ban_list *b, const struct state_record *rec);
int ban_guess_restore(struct ban_list *b, const struct state_record *rec);
