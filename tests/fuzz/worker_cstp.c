#include <stdlib.h>

#include "control/worker/cstp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cstp_frame f;

	if (cstp_parse(data, size, &f) == 0) {
		if (f.payload + f.len != data + size)
			abort();
		cstp_goodbye(&f);
	}
	return 0;
}
