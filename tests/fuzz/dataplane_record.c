// A UDP payload as a peer sends it: records one after the other, and the App-ID of a ClientHello. Nothing is found outside of it.
#include <stdint.h>
#include <stdlib.h>

#include "dataplane/record.h"

static void check_records(const uint8_t *data, size_t size)
{
	struct record r;

	while (record_parse(data, size, &r)) {
		if ((size_t)r.length + RECORD_HEADER > size || r.sequence >> 48 || r.type < CONTENT_CCS || r.type > CONTENT_DATA)
			abort();
		data += RECORD_HEADER + r.length;
		size -= RECORD_HEADER + r.length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *id = hello_app_id(data, size);

	if (id && (!record_is_hello(data, size) || id < data + RECORD_HEADER || id + HELLO_APP_ID > data + size))
		abort();
	check_records(data, size);
	return 0;
}
