// A session record out of a file: what is taken from it is fit for use, and is written again as it was.
// The bytes are an entry's kind and fields; length and checksum are put around them here, for no fuzzer finds a SHA-256.
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "proto/states.h"
#include "secmod/grants.h"
#include "secmod/stored.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t entry[STORED_MAX + 4], again[STORED_MAX + 4];
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct stored s;
	uint32_t len = (uint32_t)size + STORED_CHECK;

	stored_get(data, size, &s) > 0 ? stored_fini(&s) : (void)0;
	if (size > 65536)
		return 0;
	for (int i = 0; i < 4; i++)
		entry[i] = (uint8_t)(len >> (24 - 8 * i));
	memcpy(entry + 4, data, size);
	SHA256(data, size, hash);
	memcpy(entry + 4 + size, hash, STORED_CHECK);
	if (stored_get(entry, 4 + len, &s) <= 0)
		return 0;
	if (s.kind == STORED_RECORD) {
		if (s.record.user[0] == '\0' || strlen(s.record.user) > LIMIT_USER || strlen(s.record.method) > LIMIT_METHOD ||
		    s.record.reason > END_REASON_LAST || grants_count(s.record.grants) > LIMIT_GRANTS)
			abort();
	}
	if (stored_put(&s, again, sizeof(again)) != 4 + len || memcmp(again, entry, 4 + len) != 0)
		abort();
	stored_fini(&s);
	return 0;
}
