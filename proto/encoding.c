#include "encoding.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = { [COMPRESS_NONE] = "", [COMPRESS_LZ4] = "oc-lz4", [COMPRESS_LZS] = "lzs" };

const char *encoding_name(enum compressor how)
{
	return names[how];
}

enum compressor encoding_of(const char *name, size_t len)
{
	for (unsigned how = COMPRESS_NONE + 1; how <= COMPRESS_LAST; how++)
		if (strlen(names[how]) == len && strncasecmp(name, names[how], len) == 0)
			return (enum compressor)how;
	return COMPRESS_NONE;
}
