// Timers that cannot fail. libevent takes memory when there are more of them than ever before; where none is left, a client would
// never be given up and a session would never end, and nobody asks evtimer_add(). So there is room for many from the start. Main
// process only.
#pragma once
struct event_base;

#define TIMERS_RESERVED 32768 // three for each of 10,000 clients: of its connection, its tunnel and its channel

// 0 or -ENOMEM.
int timers_reserve(struct event_base *base);
