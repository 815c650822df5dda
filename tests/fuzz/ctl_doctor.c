// Files that the doctor reads: a configuration, and lists of CPUs.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/doctor_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), out[64];
	bool set[DOCTOR_CPUS] = { false };

	memcpy(text, data, len);
	text[len] = '\0';
	for (unsigned n = 0; n < 4; n++) {
		if (conf_nth(text, "outer", n, out, sizeof(out)))
			assert(conf_any(text, "outer", n, out, sizeof(out)) && strlen(out) < sizeof(out));
	}
	cpulist_parse(text, set);
	free(text);
	return 0;
}
