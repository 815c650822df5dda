#include "secmod/issuerwire.h"

#include <string.h>

#include "proto/text.h"

static bool is_ended(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

#define ENDED(field) is_ended((field), sizeof(field))
#define PRINTABLE(field) text_fits((field), sizeof(field))

bool issuerwire_from_helper(const struct issuerwire *w, size_t len)
{
	if (len != sizeof(*w))
		return false;
	switch (w->kind) {
	case ISSUERWIRE_KEY:
		return ENDED(w->key.kid) && w->key.alg <= JOSE_ALG_LAST && w->key.der_len > 0 && w->key.der_len <= JWK_DER;
	case ISSUERWIRE_RESULT:
		return w->result.ok <= 1 && PRINTABLE(w->result.issuer) && PRINTABLE(w->result.reason) &&
		       (!w->result.ok || w->result.issuer[0] != '\0');
	default:
		return false;
	}
}

bool issuerwire_from_secmod(const struct issuerwire *w, size_t len)
{
	return len == sizeof(*w) && w->kind == ISSUERWIRE_START && ENDED(w->start.url) && ENDED(w->start.ca_file);
}
