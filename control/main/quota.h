// What each user has used of his quotas: bytes of this day and of this month, whatever sessions carried them. Pure: the caller has
// the clock and the file. Owner: usage.c.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "control/main/htab.h"

// 20261126 and 202611, of the gateway's local time.
struct quota_date {
	uint32_t day, month;
};

struct quota_count {
	uint32_t date; // that it is of
	uint64_t bytes;
};

struct quota_limits {
	uint64_t day, month; // bytes; 0: none
};

struct quota_user {
	TAILQ_ENTRY(quota_user) all;
	struct hlink by_name;
	struct quota_count day, month;
	struct quota_limits told; // what held when he last connected, or was refused: for the operator, nothing is kept to it
	unsigned holders;         // tunnels that count here
	char *vhost, *user;
};

TAILQ_HEAD(quota_users, quota_user);

struct quota_book {
	struct htab by_name;
	struct quota_users users;
	size_t count;
};

struct quota_date quota_today(time_t now); // 0, 0: nobody has set the clock yet

int quota_book_init(struct quota_book *b); // 0 or -ENOMEM
void quota_book_fini(struct quota_book *b);
struct quota_user *quota_find(struct quota_book *b, const char *vhost, const char *user); // NULL: nothing is known of him
struct quota_user *quota_get(struct quota_book *b, const char *vhost, const char *user);  // made where he is new; NULL: no memory

// A new day begins at 0. A clock that was set back changes nothing: what was counted stays, as of the day that it is now. While
// the day is not known, what is counted belongs to the one before.
void quota_roll(struct quota_user *u, const struct quota_date *today);
void quota_add(struct quota_user *u, const struct quota_date *today, uint64_t bytes);
void quota_reset(struct quota_user *u);
// Rolled before. What is used up, as a text for everybody; NULL: nothing.
const char *quota_exceeded(const struct quota_user *u, const struct quota_limits *l);

// Those of whom nothing counts any more are known no longer.
void quota_forget(struct quota_book *b, const struct quota_date *today);

// The file (quota_text.c): all of the book, in memory that the caller frees. NULL: no memory.
char *quota_print(const struct quota_book *b, size_t *len);
// Into an empty book. 0; -EINVAL: line *line is none of ours, or something is missing at the end; -ENOMEM.
int quota_parse(struct quota_book *b, const char *text, size_t len, unsigned *line);
