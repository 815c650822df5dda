// One connection's bytes, cut where the first byte says: the verdict must not depend on the cut.
#include <stdlib.h>
#include <string.h>

#include "control/worker/endpoint.h"
#include "control/worker/http.h"
#include "control/worker/text.h"

static int run(const uint8_t *data, size_t size, size_t step, unsigned *requests)
{
	struct http h;
	uint8_t cookie[COOKIE_SIZE];
	char text[LIMIT_QUERY + 1];
	size_t n;
	int ret = 0;

	http_init(&h);
	for (*requests = 0; size > 0; data += n, size -= n) {
		n = size < step ? size : step;
		ret = http_feed(&h, data, n);
		if (ret < 0)
			break;
		if (ret == 0)
			continue;
		++*requests;
		if (http_path(&h)[0] != '/' || h.body_len > LIMIT_HTTP_BODY)
			abort();
		http_query(&h);
		if (endpoint_find(http_path(&h)))
			endpoint_takes(endpoint_find(http_path(&h)), h.verb);
		if (http_header(&h, "Cookie", 0))
			cookie_get(http_header(&h, "Cookie", 0), cookie);
		number_clamped(http_header(&h, "X-CSTP-MTU", 0));
		break;
	}
	if (ret < 0 && http_refusal(&h) < 400)
		abort();
	if (ret < 0 && http_is_understood(&h) && http_path(&h)[0] != '/')
		abort();
	if (ret == 1 && http_query(&h))
		query_decode(http_query(&h), strlen(http_query(&h)), text, sizeof(text));
	http_fini(&h);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned whole, cut;

	if (size < 1 || size > 65536)
		return 0;
	if (run(data + 1, size - 1, size, &whole) == 1)
		if (run(data + 1, size - 1, data[0] % 32 + 1, &cut) < 0 || cut != whole)
			abort();
	return 0;
}
