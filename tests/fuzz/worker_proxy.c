// Headers of proxies, as anybody's bytes: one that is taken is bounded and says the same alone, and one that is waited for is
// wanted whole.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/worker/proxy.h"

#define NEED(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h, again;
	const char *why = NULL;
	int ret = proxy_parse(data, size, &h, &why);
	uint8_t *copy;

	if (ret == -EAGAIN)
		NEED(size < PROXY_HEADER_MAX);
	else if (ret < 0)
		NEED(ret == -EBADMSG && why);
	if (ret <= 0)
		return 0;
	NEED((size_t)ret <= size && ret <= PROXY_HEADER_MAX);
	NEED(h.client.family == 0 || h.client.family == 4 || h.client.family == 6);
	copy = malloc((size_t)ret); // so that a look behind it is seen
	memcpy(copy, data, (size_t)ret);
	NEED(proxy_parse(copy, (size_t)ret, &again, &why) == ret);
	NEED(addr_equal(&h.client, &again.client) && addr_equal(&h.local, &again.local));
	NEED(proxy_parse(copy, (size_t)ret - 1, &again, &why) == -EAGAIN);
	free(copy);
	return 0;
}
