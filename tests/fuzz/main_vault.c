// What main says to its keeper, as anybody could have written it: packets, each with a length before it. What counts in the end is
// written out as for another main, and read.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/state.h"
#include "control/main/vault.h"
#include "proto/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const struct vault *v)
{
	struct state_reader r;
	struct state_record rec;
	struct state_writer w;

	state_writer_init(&w);
	vault_write(v, &w);
	state_write(&w, "end", NULL, 0);
	if (w.error)
		abort();
	if (state_reader_init(&r, w.buf, w.used) == 0)
		while (state_next(&r, &rec) == 1)
			;
	state_reader_fini(&r);
	state_writer_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vault v;
	uint16_t len;
	int ret = 0;

	log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	if (vault_init(&v) < 0)
		return 0;
	while (ret == 0 && size >= sizeof(len)) {
		memcpy(&len, data, sizeof(len));
		data += sizeof(len);
		size -= sizeof(len);
		if (len > size)
			len = (uint16_t)size;
		ret = vault_take(&v, data, len, NULL, 0);
		data += len;
		size -= len;
	}
	read_back(&v);
	vault_fini(&v);
	return 0;
}
