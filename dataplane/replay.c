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

// The words that leave when the newest one is `to` instead of `from`: those up to `from` may have some records, the rest none.
static int64_t unseen(const struct replay_window *w, uint64_t from, uint64_t to)
{
	uint64_t word = from > REPLAY_WORDS ? from - REPLAY_WORDS : 0;
	int64_t n = 0;

	for (; word <= from && word + REPLAY_WORDS < to; word++)
		n += 64 - __builtin_popcountll(word == from ? w->newest : w->older[word % REPLAY_WORDS]);
	return to > from + 1 + REPLAY_WORDS ? n + (int64_t)(64 * (to - from - 1 - REPLAY_WORDS)) : n;
}

// Words between the old top's and the new one's were used for older records.
static void window_move(struct replay_window *w, uint64_t sequence, int64_t *lost)
{
	uint64_t from = newest_word(w), to = sequence / 64;
	int64_t n = 0;

	if (from < to) {
		n = unseen(w, from, to);
		w->older[from % REPLAY_WORDS] = w->newest;
		w->newest = 0;
		if (to - from > REPLAY_WORDS)
			from = to - REPLAY_WORDS - 1;
		while (++from < to)
			w->older[from % REPLAY_WORDS] = 0;
	}
	if (w->top == 0)
		n -= (int64_t)sequence;
	w->top = sequence + 1;
	if (n)
		*lost += n;
}

bool replay_take(struct replay_window *w, uint64_t sequence, int64_t *lost)
{
	if (!replay_check(w, sequence))
		return false;
	if (sequence >= w->top)
		window_move(w, sequence, lost);
	*word_of(w, sequence / 64) |= bit_of(sequence);
	return true;
}
