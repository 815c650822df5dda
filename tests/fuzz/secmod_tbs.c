// The classifier of what workers want signed, against a second description of the same two structures.
#include <stdlib.h>
#include <string.h>

#include "secmod/tbs.h"

static int is_tls13(const uint8_t *d, size_t size)
{
	static const char frame[] =
	        "                                                                TLS 1.3, server CertificateVerify";

	return (size == sizeof(frame) + 32 || size == sizeof(frame) + 48) && memcmp(d, frame, sizeof(frame)) == 0;
}

static int is_tls12(const uint8_t *d, size_t size)
{
	if (size < 69 || memcmp(d + 64, "\x03\x00", 2) != 0 || size != 68u + d[67])
		return 0;
	switch (d[66]) {
	case 23:
		return d[67] == 65 && d[68] == 4;
	case 24:
		return d[67] == 97 && d[68] == 4;
	case 25:
		return d[67] == 133 && d[68] == 4;
	case 29:
		return d[67] == 32;
	case 30:
		return d[67] == 56;
	default:
		return 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum tbs_kind kind = tbs_classify(data, size), wanted = TBS_OTHER;

	if (is_tls13(data, size))
		wanted = TBS_TLS13;
	else if (is_tls12(data, size))
		wanted = TBS_TLS12;
	if (kind != wanted)
		abort();
	if (size >= 2 && scheme_allowed(kind, data[0] % (KEY_ED25519 + 1), data[0] << 8 | data[1]) && kind == TBS_OTHER)
		abort();
	for (unsigned key = 0; key <= KEY_ED25519; key++)
		for (uint16_t scheme = scheme_next(key, 0); scheme; scheme = scheme_next(key, scheme))
			if (scheme_digest(scheme) == NULL && scheme_is_pss(scheme))
				abort();
	return 0;
}
