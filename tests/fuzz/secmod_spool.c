// Files of the spool: what is read of them lies inside, and no record is longer than a packet.
#include <stdlib.h>
#include <string.h>

#include "secmod/spool.h"

#define NEED(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spool_record r;
	size_t at = 0, n;

	for (; (n = spool_parse(data + at, size - at, &r)) > 0; at += n) {
		NEED(n <= size - at && r.len <= SPOOL_RECORD_MAX);
		NEED(r.data >= data + at && r.data + r.len == data + at + n);
		NEED(r.kind >= SPOOL_START && r.kind <= SPOOL_KIND_LAST);
	}
	return 0;
}
