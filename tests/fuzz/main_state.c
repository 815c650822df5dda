// What one penstockd hands over to another, as anybody could have written it: every record is read into an object with a field of
// each kind, as the owners of the real ones do it.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/state.h"
#include "proto/addr.h"
#include "proto/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct thing {
	uint8_t small;
	uint64_t large;
	bool yes;
	char text[8], *string;
	uint16_t array[6];
	struct addr addr;
	int fd;
};

static const struct state_field fields[] = {
	STATE_NUMBER(struct thing, small), STATE_NUMBER(struct thing, large),  STATE_NUMBER(struct thing, yes),
	STATE_TEXT(struct thing, text),    STATE_STRING(struct thing, string), STATE_BYTES(struct thing, array),
	STATE_ADDR(struct thing, addr),    STATE_FD(struct thing, fd),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_reader r;
	struct state_record rec;
	int ret = state_reader_init(&r, data, size);

	log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	while (ret == 0 && (ret = state_next(&r, &rec)) == 1) {
		struct thing t[2] = { 0 };

		ret = state_read(&rec, STATE_PARTS(STATE_PART("", fields, &t[0]), STATE_PART("a.", fields, &t[1])));
		for (int i = 0; i < 2; i++) {
			if (ret == 0 && (strnlen(t[i].text, sizeof(t[i].text)) == sizeof(t[i].text) || (uint8_t)t[i].yes > 1))
				abort();
			free(t[i].string);
		}
	}
	state_reader_fini(&r);
	return 0;
}
