// Interrupts of receive queues of NICs of our own, by which a core without work can sleep until a frame comes. Owner core; made
// before it runs.
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "port.h"

#define INTERRUPTS_MAX (2 * PORTS_MAX)

struct interrupts {
	struct interrupt {
		const struct port *port;
		uint16_t queue;
		bool proven; // it has ended a sleep
		const struct pollfd *wait;
	} of[INTERRUPTS_MAX];
	unsigned n; // 0: the core has none
	bool armed;
	unsigned missed; // sleeps that ended without one although frames were there; in a row, once all are proven
	bool distrusted; // owner: rw; they do not come: the core has to look by itself
	bool complained; // control: rw
};

// A port that was configured for interrupts: they are what its queues wait for from here on. False: it has none. Control thread.
bool interrupts_open(struct port *p);

// Arms them. True: that was not so before, and what has come meanwhile is to be looked for once more.
bool interrupts_arm(struct interrupts *i);
// Disarms them, after a sleep or because there is work.
void interrupts_disarm(struct interrupts *i);
// How long a sleep may be.
long interrupts_sleep_ns(const struct interrupts *i);
// A sleep is over: did it time out, and were there frames then?
void interrupts_judge(struct interrupts *i, bool timed_out, bool frames);
