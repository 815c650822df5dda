// Commands of what reads telemetry, on a dataplane that has nothing: every answer is one JSON object in its room.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct control control;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[TELEMETRY_ANSWER_MAX];
	size_t n, quotes = 0;

	if (size > TELEMETRY_COMMAND_MAX)
		return 0;
	n = telemetry_answer(&control, (const char *)data, size, out);
	if (n < 2 || n >= sizeof(out) || out[0] != '{' || out[n - 1] != '}')
		abort();
	for (size_t i = 0; i < n; i++) {
		if (out[i] < ' ' || out[i] > '~' || out[i] == '\\')
			abort();
		quotes += out[i] == '"';
	}
	if (quotes % 2)
		abort();
	return 0;
}
