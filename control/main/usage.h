// Quotas in force: what tunnels carry is counted for their users (quota.h), who has used up his quota goes at once and does not
// come back before the next day or month, and quota-file keeps it across restarts. And valid-until. Main process only.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct gateway;
struct handover;
struct quota_row;
struct session;
struct state_record;
struct state_writer;
struct terms;
struct tunnel;
struct usage;

// Reads the file, once; one that is broken is named, and set aside. 0 or -errno, logged.
int usage_open(struct gateway *g);
// All is written, and on the disk.
void usage_close(struct gateway *g);

// Before a session of its user gets a tunnel under these terms. 0; -EDQUOT (the day's), -EFBIG (the month's), -EKEYEXPIRED.
int usage_refuses(struct gateway *g, const struct session *s, const struct terms *terms);
// A tunnel is there; it has carried so many bytes more; it is over. To carry may end sessions, its own among them.
void usage_begin(struct tunnel *t);
void usage_count(struct tunnel *t, uint64_t bytes);
void usage_end(struct tunnel *t);

// For the operator. Rows are in memory that the caller frees; NULL: no memory.
struct quota_row *usage_rows(struct gateway *g, const char *user, size_t *count); // user NULL: all
unsigned usage_reset(struct gateway *g, const char *user);                        // how many there were

// For an upgrade (handover.h): the book, which is written again soon after.
void usage_save(const struct gateway *g, struct state_writer *w);
int usage_restore(struct handover *h, const struct state_record *rec);
int usage_user_restore(struct handover *h, const struct state_record *rec);
