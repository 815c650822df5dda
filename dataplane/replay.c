#include "replay.h"

static inline uint64_t bit_of(uint64_t sequence)
{
	return 1ULL << (sequence % 64);
}

static inline uint64_t newest_word(const struct replay_window *w)
{
	return w->top ? (w->top - 1) / 64 : 0;
}

static inline uint64_t *word_of(struct replay_window *w, uint64_t word)
{
	return word == newest_word(w) ? &w->newest : &w->older[word % REPLAY_WORDS];
}

bool replay_check(const struct replay_window *w, uint64_t sequence)
{
	uint64_t word = sequence / 64;

	if (sequence >= w->top)
		return true;
	if (w->top - sequence > REPLAY_WINDOW)
		return false;
	return !((word == newest_word(w) ? w->newest : w->older[word % REPLAY_WORDS]) & bit_of(sequence));
}

// Words between the old top's and the new one's were used for older records.
static void window_move(struct replay_window *w, uint64_t sequence)
{
	uint64_t from = newest_word(w), to = sequence / 64;

	if (from < to) {
		w->older[from % REPLAY_WORDS] = w->newest;
		w->newest = 0;
		if (to - from > REPLAY_WORDS)
			from = to - REPLAY_WORDS - 1;
		while (++from < to)
			w->older[from % REPLAY_WORDS] = 0;
	}
	w->top = sequence + 1;
}

bool replay_take(struct replay_window *w, uint64_t sequence)
{
	if (!replay_check(w, sequence))
		return false;
	if (sequence >= w->top)
		window_move(w, sequence);
	*word_of(w, sequence / 64) |= bit_of(sequence);
	return true;
}
