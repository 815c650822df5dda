#include "control/main/packing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/encoding.h"

#define SEPARATORS ", \t"
#define PRIORITY_DIGITS 9

// One "name:number" of so many bytes.
static int parse_one(const char *word, size_t len, struct packing *p)
{
	const char *colon = memchr(word, ':', len);
	enum compressor how = colon ? encoding_of(word, (size_t)(colon - word)) : COMPRESS_NONE;
	size_t digits = colon ? len - (size_t)(colon + 1 - word) : 0;

	if (how == COMPRESS_NONE || digits == 0 || digits > PRIORITY_DIGITS || strspn(colon + 1, "0123456789") < digits)
		return -EINVAL;
	p->priority[how] = (uint32_t)strtoul(colon + 1, NULL, 10);
	return 0;
}

int packing_parse(const char *priorities, struct packing *out)
{
	struct packing p = { .priority = { [COMPRESS_LZ4] = 90, [COMPRESS_LZS] = 80 }, .above = out->above };
	const char *word = priorities ? priorities : "";
	size_t len;
	int ret = 0;

	for (word += strspn(word, SEPARATORS); *word && ret == 0; word += strspn(word, SEPARATORS)) {
		len = strcspn(word, SEPARATORS);
		ret = parse_one(word, len, &p);
		word += len;
	}
	if (ret == 0)
		*out = p;
	return ret;
}

enum compressor packing_choose(const struct packing *p, uint8_t accepted)
{
	enum compressor best = COMPRESS_NONE;

	for (unsigned how = COMPRESS_NONE + 1; how <= COMPRESS_LAST; how++)
		if (accepted & ENCODING_BIT(how) && p->priority[how] > p->priority[best])
			best = (enum compressor)how;
	return best;
}
