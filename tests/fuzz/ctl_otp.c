// Edits of a users file of one-time passwords: the user's lines change, and no byte of the others.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/otp.h"

static void need(int what)
{
	if (!what)
		abort();
}

// Twice is the same as once, and what was put in comes out again.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[OTP_SECRET_SIZE];
	const struct otp_edit set = { "joe", OTP_TIME, secret }, remove = { .user = "joe" };
	char *copy = malloc(size > 0 ? size : 1), *once, *twice, *without;
	size_t once_len, twice_len, without_len;

	memcpy(copy, data, size);
	need(otp_edit(copy, size, &set, &once, &once_len) == 0);
	need(otp_edit(once, once_len, &set, &twice, &twice_len) == 0);
	need(twice_len == once_len && memcmp(once, twice, once_len) == 0);
	need(otp_edit(once, once_len, &remove, &without, &without_len) == 0);
	need(without_len < once_len && memcmp(once, without, without_len) == 0);
	free(copy);
	free(once);
	free(twice);
	free(without);
	return 0;
}
