// Dead peer detection, as worker (CSTP) and dataplane (DTLS) both do it: a peer that has been silent for twice its dpd is asked,
// and given up after three times that. Nobody is given up who was not asked a whole dpd before: we may have been asleep ourselves.
// Any one unit of time; 0 stands for never. No clock, no I/O.
#pragma once
#include <stdint.h>

#define DPD_ASK_AFTER 2
#define DPD_GIVE_UP_AFTER 3
#define DPD_QUESTIONS 4 // so many until it is given up: a lost datagram is no dead peer

struct dpd {
	uint64_t interval;     // 0: nobody is ever asked
	uint64_t first, asked; // when the first and the last question of this silence went out; 0: none did
};

enum dpd_step { DPD_WAIT, DPD_ASK, DPD_GIVE_UP };

// heard: when the peer last said anything (it may be a little later than now: another core's clock).
static inline enum dpd_step dpd_step(struct dpd *d, uint64_t now, uint64_t heard)
{
	uint64_t silence = now > heard ? now - heard : 0;

	if (heard > d->first)
		d->first = d->asked = 0;
	if (d->interval == 0 || silence < DPD_ASK_AFTER * d->interval)
		return DPD_WAIT;
	if (d->first && silence >= DPD_GIVE_UP_AFTER * d->interval && now - d->first >= d->interval)
		return DPD_GIVE_UP;
	if (d->first && now - d->asked < d->interval / DPD_QUESTIONS)
		return DPD_WAIT;
	d->asked = now;
	if (!d->first)
		d->first = now;
	return DPD_ASK;
}

// When dpd_step() will say something else than now; UINT64_MAX: never.
static inline uint64_t dpd_due(const struct dpd *d, uint64_t heard)
{
	uint64_t ask = d->asked + d->interval / DPD_QUESTIONS, end = heard + DPD_GIVE_UP_AFTER * d->interval;

	if (d->interval == 0)
		return UINT64_MAX;
	if (!d->first || heard > d->first)
		return heard + DPD_ASK_AFTER * d->interval;
	if (end < d->first + d->interval)
		end = d->first + d->interval;
	return ask < end ? ask : end;
}
