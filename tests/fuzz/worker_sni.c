// The name that a ClientHello asks for: what comes out is a host name that fits, in small letters.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "control/worker/sni.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[LIMIT_VHOST + 1];

	if (sni_parse(data, size, name) < 0)
		return 0;
	if (strnlen(name, sizeof(name)) == 0 || strnlen(name, sizeof(name)) > LIMIT_VHOST)
		abort();
	for (size_t i = 0; name[i]; i++)
		if (isupper((unsigned char)name[i]))
			abort();
	return 0;
}
