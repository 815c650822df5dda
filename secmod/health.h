// How what logins wait for is doing, for the operator's eyes (penstockctl show auth): methods, servers behind them, pools of
// threads. Whoever owns such a thing keeps its numbers and fills a row when asked. sec-mod only, its loop's thread only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "proto/states.h"

struct secmod;
struct method;

// How long answers took. All 0: there was none yet.
struct health_times {
	uint64_t count, total_us;
	uint32_t most_us;
};

struct health {
	uint8_t kind;                 // enum health_kind
	char name[HEALTH_NAME + 1];   // "radius"; "192.0.2.9:1812"; "hashes"
	char owner[HEALTH_NAME + 1];  // of a server or pool: whose it is ("radius", "default"); "": everybody's
	char state[HEALTH_STATE + 1]; // for people, without control characters: "up"; "down, asked again in 12 s"
	bool down;                    // it does not do its work: nobody answers, or wrongly
	uint32_t outstanding;         // has been asked, and has not answered yet
	uint32_t room;                // the most that may be so; 0: no bound of its own
	uint64_t asked;               // ever, by this sec-mod
	uint64_t timeouts;            // of these, without an answer in time
	uint64_t failures;            // of these, failed otherwise (refused, unreadable). A wrong password is an answer.
	struct health_times times;
};

// Takes one row; may be called any number of times by who is asked.
typedef void (*health_row)(void *who, const struct health *row);

// What attempts keep of their method: how many are with it now, and how long it has taken between questions.
struct health_counts {
	uint32_t outstanding;
	uint64_t asked, timeouts, failures;
	struct health_times times;
};

struct health_counts *health_of(const struct method *m); // NULL: a certificate alone

// All rows: the ways to log in of each virtual host, methods in force, and what stands behind these.
void health_report(const struct secmod *sm, health_row row, void *who);
// Is anything over half full that logins wait in?
bool health_is_behind(const struct secmod *sm);

static inline void health_took(struct health_times *t, int64_t us)
{
	uint32_t took = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;

	t->count++;
	t->total_us += took;
	if (took > t->most_us)
		t->most_us = took;
}

static inline uint32_t health_average_us(const struct health_times *t)
{
	return t->count ? (uint32_t)(t->total_us / t->count) : 0;
}
