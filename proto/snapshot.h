// One picture of the configuration for all processes: main writes it into a sealed memfd, children map it read-only.
// Every option of the table is in it with its value or default (normalised by main: numbers in decimal, booleans 0/1, lists
// repeated), so nobody else parses configuration or knows a default. Keys that start with '@' are main's own words to its children.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Descriptors that every child finds open.
#define CHILD_FD_MAIN 3 // its channel to main
#define CHILD_FD_CONF 4 // its snapshot

struct snapshot;
struct snapshot_writer;

struct snapshot_writer *snapshot_writer_new(void);                               // NULL, errno
int snapshot_put(struct snapshot_writer *w, const char *key, const char *value); // repeat for lists; order is kept
int snapshot_finish(struct snapshot_writer *w, int *fd);                         // seals it; frees w, also on failure

int snapshot_open(int fd, struct snapshot **out); // checks the seals; fd stays the caller's
void snapshot_free(struct snapshot *s);
const char *snapshot_get(const struct snapshot *s, const char *key);             // the first (only) value, or NULL
const char *snapshot_nth(const struct snapshot *s, const char *key, unsigned n); // NULL past the end
uint64_t snapshot_number(const struct snapshot *s, const char *key);             // 0 where absent
bool snapshot_bool(const struct snapshot *s, const char *key);

// Words of main's own: "@log-level" (syslog number), "@log-form" (plain | priority), "@libexec" (directory of our binaries),
// "@version", "@trial" (1: only to say whether we could start).
