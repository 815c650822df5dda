// An entry for systemd's journal, in the journal's own language: fields that `journalctl -o json` shows and that can be asked for,
// as in `journalctl PENSTOCK_USER=anna`. Main process only.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_ENTRY_MAX 8192

struct msg_admin_event;

struct journal_line {
	int priority, facility; // syslog(3)'s; facility as LOG_DAEMON
	const char *who;        // "penstock-worker[12]", or without a number
	const char *text;
	const struct msg_admin_event *event; // what it tells of; NULL: nothing that has fields
};

// The entry's length. Control characters become '?'; what is too long is cut. Pure.
size_t journal_entry(const struct journal_line *l, char out[JOURNAL_ENTRY_MAX]);

// Is this descriptor (stderr) the journal's, as JOURNAL_STREAM says? Then whoever has started us reads the log there.
bool journal_has(int fd, const char *stream);
// A socket to send entries through, or -1.
int journal_connect(void);
