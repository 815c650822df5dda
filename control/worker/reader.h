// Does the client read what it is sent? The kernel takes megabytes for one that does not, and little may be going there; so it is
// asked, as long as something is under way, whether the client's TCP has closed its window. Worker only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// A client whose window is closed for so long is given up: that is within 15 s after it has stopped, with what its kernel takes
// before. One that is not there is another matter: no answer is no closed window, and dead peer detection has more patience with
// it.
#define READER_FROZEN_MS 10000

struct reader {
	uint64_t look_ms; // when to ask next; 0: nothing is under way
	uint64_t shut_ms; // since when its window is closed; 0: it is open
	uint64_t acked;   // bytes that it has taken until then
};

void reader_sent(struct reader *r, uint64_t now_ms);
bool reader_is_frozen(struct reader *r, int socket, uint64_t now_ms);
