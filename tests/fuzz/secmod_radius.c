// What a RADIUS server answers: a packet that passes the check can be taken apart, and what is granted is clean.
#include <stdlib.h>
#include <string.h>

#include "proto/utf8.h"
#include "secmod/radius_answer.h"
#include "secmod/radius_packet.h"

static const uint8_t request[RADIUS_HEADER];

static int on_setting(void *who, const char *key, const char *value)
{
	size_t len = strlen(value), n;

	if (key[0] == '\0' || len == 0 || len > LIMIT_TEXT)
		abort();
	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)value + i, len - i);
		if (n == 0)
			abort();
	}
	return 0;
}

static void read_answer(const uint8_t *bytes, size_t len, const char *wanted)
{
	const struct radius_reading how = { .wanted = wanted, .separator = ';', .setting = on_setting };
	struct radius_answer a;

	if (radius_answer_read(bytes, len, &how, &a) == NULL && wanted[0] != '\0' && a.member && strcmp(a.group, wanted) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct radius_attribute a;
	struct radius_walk w;
	unsigned n = 0;
	size_t len = size;

	if (radius_check(data, &len) != NULL)
		return 0;
	if (len > size)
		abort();
	radius_walk_begin(&w, data, len);
	while (radius_walk_next(&w, &a)) {
		if (a.value < data + RADIUS_HEADER || a.value + a.len > data + len || ++n > RADIUS_ATTRIBUTES_MAX)
			abort();
	}
	// nobody guesses a signature
	if (radius_check_answer(data, len, request, "a secret", true) == NULL ||
	    radius_check_request(data, len, "a secret") == NULL)
		abort();
	read_answer(data, len, "");
	read_answer(data, len, "staff");
	return 0;
}
