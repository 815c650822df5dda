// Accounting records on disk, for as long as no server takes them: files of a directory, each a row of records that were appended
// to it. Bounded: where there is no room the oldest Interims go first, since a later record says the same and more; Starts and
// Stops stay. One caller at a time; it may block (fsync), so that is a thread of the pool.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define SPOOL_RECORD_MAX 4096 // of data, in one record

enum spool_kind { SPOOL_START = 1, SPOOL_INTERIM, SPOOL_STOP, SPOOL_KIND_LAST = SPOOL_STOP };

struct spool_record {
	uint8_t kind;     // enum spool_kind
	uint64_t when;    // wall-clock seconds: when it happened
	uint64_t session; // records of one session are in order
	const uint8_t *data;
	size_t len;
};

struct spool;

// The directory is made where it is missing, and everybody else kept out. NULL, errno: it cannot be used.
struct spool *spool_open(const char *directory, uint64_t most_bytes);
void spool_close(struct spool *s); // NULL is fine

// On the disk when it returns 0; -errno: none of them can be counted on. *dropped: how many records had to go for these, some of
// these included.
int spool_append(struct spool *s, const struct spool_record *records, size_t n, unsigned *dropped);
// The oldest file whole, which is appended to no more: its name and contents (to be freed). -ENOENT: there is none; -errno.
int spool_read(struct spool *s, uint64_t *file, uint8_t **bytes, size_t *len);
// What was in it has arrived.
int spool_remove(struct spool *s, uint64_t file);
uint64_t spool_bytes(const struct spool *s);

// The record at the beginning of these bytes, and its size there; 0: none that is whole and as it was written, and then nothing
// behind it counts. Pure.
size_t spool_parse(const uint8_t *bytes, size_t len, struct spool_record *out);
