// The value of `auth`.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "secmod/authspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct authspec s;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (authspec_parse(text, &s) == 0) {
		if (s.name[0] == '\0' || s.n_options > AUTHSPEC_OPTIONS)
			abort();
		for (unsigned i = 0; i < s.n_options; i++)
			if (s.option[i].value[0] == '\0')
				abort();
	}
	free(text);
	return 0;
}
