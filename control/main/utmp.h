// Who is connected, in utmp(5) and wtmp(5) for who(1) and last(1): a record for each client, whose line is the inner interface and
// the session's ID, as vpns0:12. Written by main, a moment later: others lock these files, and main does not wait. Main process
// only.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct gateway;
struct tunnel;

int utmp_open(struct gateway *g); // 0 or -ENOMEM
// What is left is written now or never.
void utmp_close(struct gateway *g);
// Close the records of a main before this one that has not come to it.
void utmp_tidy(struct gateway *g);
// Records wait to be written.
bool utmp_busy(const struct gateway *g);
void utmp_login(struct tunnel *t);
void utmp_logout(struct tunnel *t);
