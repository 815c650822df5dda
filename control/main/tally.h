// What sec-mod is told of a session for its accounting: that a client has come, what it has carried so far, what it had carried
// when it went. Counters are the dataplane's. Main process only.
#pragma once
#include <stdint.h>

struct gateway;
struct session;
struct tunnel;

// Its client has come: SESSION_UP, and from now on SESSION_STATS every stats-report-time.
void tally_up(struct tunnel *t);
// SESSION_UP once more, for a sec-mod that has been started anew, with what the session had carried before its tunnel of now; where
// it has none, it is closed again at once.
void tally_again(const struct session *s);
// Nothing more is told of it but its end.
void tally_stop(struct tunnel *t);
// When the next SESSION_STATS is due (clock_ms), 0: never; and for a tunnel that has come from another penstockd, to go on so.
uint64_t tally_due(const struct tunnel *t);
void tally_resume(struct tunnel *t, uint64_t due_ms);
// SESSION_CLOSE: the last word, with its last counters. sec-mod counts its opens: each gets one close, also where an older
// connection was replaced, and where it has never been up.
void tally_over(struct tunnel *t);
// The same for an open that has not come to a tunnel.
void tally_unused(struct gateway *g, const uint8_t *sid);
