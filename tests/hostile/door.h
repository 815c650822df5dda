// What the message table says is malformed, thrown at one door by a worker: a row of measure.h's table for each kind of it.
#pragma once
#include "attack.h"
#include "measure.h"

struct door {
	const char *name; // "to main"
	enum role to;
	const uint32_t *states; // that this test brings a channel into
	size_t n_states;
	attack_fn attack; // with a pointer to one of them
};

static void door_by_fds(void *who, int number, size_t state)
{
	const struct door *d = who;

	attacks_by_fds(number, d->attack, (void *)&d->states[state]);
}

static void door_by_length(void *who, int number, size_t state)
{
	const struct door *d = who;

	attacks_by_length(number, 0, d->attack, (void *)&d->states[state]);
}

static void door_by_field(void *who, int number, size_t state)
{
	const struct door *d = who;

	attacks_by_field(number, d->attack, (void *)&d->states[state]);
}

// The message is right for the state, the packet is not.
static void door_malformed(const struct door *d)
{
	static const struct {
		const char *what;
		void (*f)(void *who, int number, size_t state);
	} kinds[] = { { "0 to 253 descriptors", door_by_fds },
		      { "cut and too long", door_by_length },
		      { "fields that are wrong", door_by_field } };
	char name[64];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(name, sizeof(name), "%s: %s", d->name, kinds[i].what);
		measure_begin(name);
		attacks_from_table(ROLE_WORKER, d->to, d->states, d->n_states, kinds[i].f, (void *)d);
		measure_end();
	}
}
