// A client's KDC_PROXY_MESSAGE; what was taken out of it, wrapped again, has to say the same.
#include <stdlib.h>
#include <string.h>

#include "control/worker/kkdcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kkdcp k, again;
	uint8_t *out;
	size_t len;

	if (kkdcp_parse(data, size, &k) < 0)
		return 0;
	if (k.message < data || k.message + k.len > data + size || strlen(k.realm) > LIMIT_REALM)
		abort();
	out = malloc(k.len + KKDCP_OVERHEAD);
	len = kkdcp_wrap(k.message, k.len, out);
	if (len > k.len + KKDCP_OVERHEAD || kkdcp_parse(out, len, &again) < 0 || again.len != k.len ||
	    memcmp(again.message, k.message, k.len) != 0)
		abort();
	free(out);
	return 0;
}
