#include <stdlib.h>
#include <string.h>

#include "control/worker/text.h"
#include "control/worker/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct login_fields f;

	if (form_login((const char *)data, size, &f) == 0)
		if (strlen(f.user) > LIMIT_USER || strlen(f.password) > LIMIT_PASSWORD)
			abort();
	login_fields_wipe(&f);
	return 0;
}
