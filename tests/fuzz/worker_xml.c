#include <stdlib.h>
#include <string.h>

#include "control/worker/text.h"
#include "control/worker/xml.h"
#include "proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct login_fields f;

	if (xml_login((const char *)data, size, &f) == 0)
		if (!utf8_is_printable(f.user) || !utf8_is_printable(f.password) || !utf8_is_printable(f.device_platform))
			abort();
	login_fields_wipe(&f);
	return 0;
}
