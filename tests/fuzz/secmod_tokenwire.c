// What a token's helper says: a packet that passes the check can be used as it is.
#include <stdlib.h>
#include <string.h>

#include "secmod/tokenwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tokenwire w;

	memset(&w, 0, sizeof(w));
	memcpy(&w, data, size < sizeof(w) ? size : sizeof(w));
	if (tokenwire_from_helper(&w, size) && size != sizeof(w))
		abort();
	// a short one is filled with zeros, so that the fuzzer need not be as long as the struct
	if (tokenwire_from_helper(&w, sizeof(w))) {
		if (w.kind == TOKENWIRE_READY && strlen(w.ready.reason) > TOKENWIRE_REASON)
			abort();
		if (w.kind == TOKENWIRE_SIGNED &&
		    (w.signature.len > LIMIT_SIGNATURE || strlen(w.signature.reason) > TOKENWIRE_REASON))
			abort();
	}
	if (tokenwire_from_secmod(&w, sizeof(w)) && w.kind == TOKENWIRE_START && strlen(w.start.url) > TOKENWIRE_URL)
		abort();
	return 0;
}
