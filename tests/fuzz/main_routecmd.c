// route-add-cmd: any text, with networks and interfaces as they are.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/routecmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr network = { .family = 6, .prefix = 64, .ip = { 0xfd, 0x50 } };
	char *text = malloc(size + 1), **argv = NULL;
	const char *wrong = NULL;
	size_t n = 0, room = 0;
	int ret;

	memcpy(text, data, size);
	text[size] = 0;
	ret = routecmd_words(text, &network, "vpns0", &argv, &wrong);
	assert(ret == 0 ? argv && argv[0] && argv[0][0] : wrong && !argv);
	for (; argv && argv[n]; n++)
		room += strlen(argv[n]);
	assert(n <= ROUTECMD_WORDS);
	// nothing grows but by the values
	assert(room <= size * sizeof("fd50::/64"));
	routecmd_free(argv);
	free(text);
	return 0;
}
