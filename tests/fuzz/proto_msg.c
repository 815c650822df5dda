// The codec. As it came: what peek and decode make of it under every number. Then again as the fields of one message, so that
// the fuzzer need not find the head: the first byte picks the number.
#include <stdlib.h>

#include "craft.h"

// What was accepted can be said again, and means the same.
static void check_accepted(int number, const union msg_any *m)
{
	static uint8_t buf[LIMIT_MESSAGE];
	static union msg_any again;
	int len = msg_encode((enum msg_number)number, m, buf, sizeof(buf));

	memset(&again, 0, sizeof(again));
	if (len < 0 || msg_peek(buf, (size_t)len) != number)
		abort();
	if (msg_decode((enum msg_number)number, buf, (size_t)len, &again, NULL) < 0 ||
	    memcmp(m, &again, msg_descs[number].size) != 0)
		abort();
}

static void decode(int number, const uint8_t *data, size_t size)
{
	static union msg_any m;
	const char *why = NULL;

	memset(&m, 0, sizeof(m));
	if (msg_decode((enum msg_number)number, data, size, &m, &why) == 0)
		check_accepted(number, &m);
	else if (!why)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct craft c;
	int number;

	msg_peek(data, size);
	for (number = 0; number < MSG_NUMBERS; number++)
		decode(number, data, size);
	if (size == 0 || size > LIMIT_MESSAGE)
		return 0;
	number = data[0] % MSG_NUMBERS;
	c.len = 0;
	craft_array(&c, msg_descs[number].n_fields + 1u);
	craft_byte(&c, (unsigned)number);
	craft_raw(&c, data + 1, size - 1);
	decode(number, c.buf, c.len);
	return 0;
}
