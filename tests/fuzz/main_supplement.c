// Names that become files' names: one that is let through stays in its directory, and can be shown.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/supplement.h"

static void need(int what)
{
	if (!what)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1);

	memcpy(name, data, size);
	name[size] = '\0';
	if (supplement_name_fits(name)) {
		need(name[0] != '\0' && strlen(name) <= 255);
		need(strchr(name, '/') == NULL && strstr(name, "..") == NULL && name[0] != '.');
		for (const char *p = name; *p != '\0'; p++)
			need((unsigned char)*p >= ' ' && *p != 0x7f);
	}
	free(name);
	return 0;
}
