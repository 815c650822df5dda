// Records for the operator: values under occtl's JSON names, as ADMIN_VALUE messages. Main process only.
#pragma once
#include <time.h>

#include "control/main/link.h"

struct gateway;
struct session;
struct ban_row;
struct quota_row;

struct report {
	struct link *to;
	const char *section; // "" or the name of a group of records
	uint32_t next;       // number of the next record
};

void report_begin(struct report *r, const char *section); // a new record
void report_text(struct report *r, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// fmt NULL: people read the bare number.
void report_number(struct report *r, const char *key, uint64_t number, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void report_bool(struct report *r, const char *key, bool value);
void report_item(struct report *r, const char *key, const char *text); // one element; "" stands for an empty list
// occtl's three forms of a time: `key`, `_key` (how long ago, or until then) and `raw`.
void report_time(struct report *r, const char *key, const char *raw, time_t when);
const char *report_duration(uint64_t seconds, char out[32]);
void report_bytes(struct report *r, const char *key, uint64_t bytes); // `key` and `_key`

void report_status(struct report *r, struct gateway *g);
void report_session(struct report *r, const struct session *s);       // connected
void report_session_brief(struct report *r, const struct session *s); // what a table has of it, and its traffic
void report_iroutes(struct report *r, const struct session *s);       // a record for each
void report_ban(struct report *r, const struct ban_row *row);
void report_quota(struct report *r, const struct quota_row *row);
void report_login(struct report *r, const char *method, const char *acct_id);
void report_vhost(struct report *r, const char *name); // "": the default one
void report_health(struct report *r, const struct msg_auth_status_row *m);
void report_location(struct report *r);
void report_sid(const uint8_t sid[SID_SIZE], char hex[2 * SID_SIZE + 1]);
