// Which of several known words was probably meant by one that is not known. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define NEAREST_MAX 63 // longer words are like no other

struct nearest {
	const char *given; // the caller's
	size_t len;
	unsigned best;               // letters of difference
	char found[NEAREST_MAX + 1]; // "": none that is near
};

void nearest_begin(struct nearest *n, const char *given);
// True: nothing that was offered before is nearer.
bool nearest_offer(struct nearest *n, const char *known);
