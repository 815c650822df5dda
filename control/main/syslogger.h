// The log on its way to syslog, without ever waiting for it: a non-blocking socket to /dev/log, and what it does not take is
// counted and told later. Also the pipes behind our children's descriptor 2. Main process only.
#pragma once
#include <event2/event.h>
#include <stdbool.h>

#include "proto/log.h"

// From here on log_line() of this process goes to syslog. facility: syslog(3)'s LOG_DAEMON and so on.
void syslogger_open(const char *ident, int facility);
void syslogger_facility(int facility); // from here on
// Say it in the journal's own language (journal.h) instead.
void syslogger_journal(void);
void syslogger_close(void);
// What the lines from here on tell of, until it is NULL again: the journal shows its fields.
struct msg_admin_event;
void syslogger_event(const struct msg_admin_event *event);
// Until the gateway is up, its lines go to stderr as well: somebody waits there for the reason of a failure.
// Returns what it was before.
bool syslogger_echo(bool on);

// A child's descriptor 2. *write_fd is the child's end (the caller closes it after the fork). NULL, errno.
// Lines are bounded, and so is how many a second are passed on: a worker may write what it wants.
struct logpipe;
struct logpipe *logpipe_new(struct event_base *base, const char *name, int *write_fd);
// For another penstockd: its descriptor, and the beginning of a line that is still to end; and there.
int logpipe_fd(const struct logpipe *p);
const char *logpipe_rest(struct logpipe *p);
struct logpipe *logpipe_again(struct event_base *base, const char *name, int fd, const char *rest);
void logpipe_free(struct logpipe *p); // passes on what is left; NULL is fine
