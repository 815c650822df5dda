#include "control/main/nearest.h"

#include <ctype.h>
#include <string.h>

// Case and the kind of dash are the commonest mistakes and count nothing.
static char folded(char c)
{
	return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

// Letters to add, leave out, change or swap to make b of a. Neither is longer than NEAREST_MAX.
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][NEAREST_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2], *spare;
	size_t la = strlen(a), lb = strlen(b);

	for (size_t j = 0; j <= lb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			char ca = folded(a[i - 1]), cb = folded(b[j - 1]);

			now[j] = least_of(last[j] + 1, now[j - 1] + 1, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == folded(b[j - 2]) && folded(a[i - 2]) == cb && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		spare = before, before = last, last = now, now = spare;
	}
	return last[lb];
}

void nearest_begin(struct nearest *n, const char *given)
{
	*n = (struct nearest){ .given = given, .len = strlen(given) };
	// a third may be wrong, not more
	n->best = n->len < 6 ? 2 : (unsigned)(n->len / 3) + 1;
	if (n->len == 0 || n->len > NEAREST_MAX)
		n->best = 0;
}

bool nearest_offer(struct nearest *n, const char *known)
{
	size_t len = strlen(known);
	unsigned d;

	// every letter of difference in length is one to add or leave out
	if (len > NEAREST_MAX || len + n->best <= n->len || n->len + n->best <= len)
		return false;
	d = distance(n->given, known);
	if (d >= n->best)
		return false;
	n->best = d;
	strcpy(n->found, known);
	return true;
}
