// The Authorization header.
#include <stdlib.h>
#include <string.h>

#include "control/worker/credentials.h"
#include "proto/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *header = malloc(size + 1);
	uint8_t *token = malloc(64);
	enum auth_kind kind;
	int n;

	memcpy(header, data, size);
	header[size] = '\0';
	n = credentials_read(header, &kind, token, 64);
	if (n == 0 || n > 64 || (n > 0 && kind != AUTH_NEGOTIATE && kind != AUTH_BEARER))
		abort();
	free(token);
	free(header);
	return 0;
}
