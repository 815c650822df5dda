// What a PAM helper says: a packet that passes the check can be used as it is.
#include <stdlib.h>
#include <string.h>

#include "proto/states.h"
#include "secmod/pamwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pamwire w;

	memset(&w, 0, sizeof(w));
	memcpy(&w, data, size < sizeof(w) ? size : sizeof(w));
	if (pamwire_from_helper(&w, size) && size != sizeof(w))
		abort();
	// a short one is filled with zeros, so that the fuzzer need not be as long as the struct
	if (pamwire_from_helper(&w, sizeof(w)) && w.kind == PAMWIRE_RESULT) {
		if (strlen(w.result.user) > LIMIT_USER || strlen(w.result.group) > LIMIT_GROUP ||
		    strlen(w.result.reason) > PAMWIRE_REASON || strlen(w.result.say) > LIMIT_PROMPT)
			abort();
		if (w.result.outcome == AUTH_OK && w.result.user[0] == '\0')
			abort();
	}
	if (pamwire_from_secmod(&w, sizeof(w)) && w.kind == PAMWIRE_START && strlen(w.start.user) > LIMIT_USER)
		abort();
	return 0;
}
