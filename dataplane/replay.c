#include "replay.h"

static inline unsigned word_of(uint64_t sequence)
{
	return (sequence / 64) % REPLAY_WORDS;
}

static inline uint64_t bit_of(uint64_t sequence)
{
	return 1ULL << (sequence % 64);
}

bool replay_check(const struct replay_window *w, uint64_t sequence)
{
	if (sequence >= w->top)
		return true;
	if (w->top - sequence > REPLAY_WINDOW)
		return false;
	return !(w->bits[word_of(sequence)] & bit_of(sequence));
}

// Words between the old top's and the new one's were used for older records.
static void window_move(struct replay_window *w, uint64_t sequence)
{
	uint64_t from = w->top ? (w->top - 1) / 64 : 0, to = sequence / 64;

	if (to - from > REPLAY_WORDS)
		from = to - REPLAY_WORDS;
	while (from < to)
		w->bits[++from % REPLAY_WORDS] = 0;
	w->top = sequence + 1;
}

bool replay_take(struct replay_window *w, uint64_t sequence)
{
	if (!replay_check(w, sequence))
		return false;
	if (sequence >= w->top)
		window_move(w, sequence);
	w->bits[word_of(sequence)] |= bit_of(sequence);
	return true;
}
