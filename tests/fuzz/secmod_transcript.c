// Handshakes as a hostile worker may hand them over: all places lie in what was given, in their order, and nothing is left over.
#include <stdlib.h>
#include <string.h>

#include "secmod/transcript.h"

static size_t place(const uint8_t *data, size_t size, struct span s)
{
	if (s.at < data || s.len > size || s.at + s.len > data + size)
		abort();
	return (size_t)(s.at - data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct transcript t;
	size_t at;

	memset(&t, 0xee, sizeof(t));
	if (transcript_parse(data, size, &t) < 0) {
		for (size_t i = 0; i < sizeof(t); i++)
			if (((uint8_t *)&t)[i] != 0xee)
				abort(); // untouched
		return 0;
	}
	at = place(data, size, (struct span){ t.client_random, TRANSCRIPT_RANDOM });
	if (t.retried > size || (t.retried > 0 && (!t.tls13 || at < t.retried)))
		abort();
	if (place(data, size, (struct span){ t.server_random, TRANSCRIPT_RANDOM }) < at)
		abort();
	at = place(data, size, t.server_cert);
	if (t.tls13 ? t.server_covers < at : place(data, size, t.params) < at)
		abort();
	at = place(data, size, t.server_signature);
	if (t.n_chain == 0 || t.n_chain > TRANSCRIPT_CERTS)
		abort();
	for (unsigned i = 0; i < t.n_chain; i++) {
		if (place(data, size, t.chain[i]) <= at || t.chain[i].len == 0)
			abort();
		at = place(data, size, t.chain[i]);
	}
	if (t.client_covers <= at || place(data, size, t.client_signature) <= t.client_covers)
		abort();
	if (t.client_signature.at + t.client_signature.len != data + size)
		abort();
	return 0;
}
