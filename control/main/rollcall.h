// Is each worker there? One that is takes what main sends it, and main can see that in its own socket: it asks by a message now and
// then, and needs no answer, so that ten thousand of them cost a hundredth of a CPU. Main process only.
#pragma once
#include <stdbool.h>

struct conn;

// Looks are ROLLCALL_SECONDS apart, and count instead of time: after a pause of the whole machine nobody is to blame.
#define ROLLCALL_SECONDS 2
#define ROLLCALL_QUIET 10 // then it is asked
#define ROLLCALL_UNREAD 5 // then it hangs

// Look at one more: false if it hangs. unread: whether something that was sent to it lies there; *ask: it is to be asked now.
bool rollcall_look(struct conn *c, bool unread, bool *ask);
// The same, with all that follows.
void rollcall(struct conn *c);
