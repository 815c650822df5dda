// What the helpers for Kerberos and for an issuer's keys say: a packet that passes the check can be used as it is.
#include <stdlib.h>
#include <string.h>

#include "proto/states.h"
#include "secmod/gsswire.h"
#include "secmod/issuerwire.h"

static void hear_gssapi(const struct gsswire *w)
{
	if (!gsswire_from_helper(w, sizeof(*w)))
		return;
	if (w->kind == GSSWIRE_TOKEN && (w->token.len == 0 || w->token.len > LIMIT_TOKEN))
		abort();
	if (w->kind == GSSWIRE_RESULT &&
	    (strlen(w->result.user) > LIMIT_USER || strlen(w->result.group) > LIMIT_GROUP || w->result.token.len > LIMIT_TOKEN ||
	     strlen(w->result.reason) > GSSWIRE_REASON || (w->result.outcome == AUTH_OK && w->result.user[0] == '\0')))
		abort();
}

static void hear_issuer(const struct issuerwire *w)
{
	EVP_PKEY *key;

	if (!issuerwire_from_helper(w, sizeof(*w)))
		return;
	if (w->kind == ISSUERWIRE_RESULT && (strlen(w->result.issuer) > CLAIMS_URL || strlen(w->result.reason) > ISSUER_REASON))
		abort();
	if (w->kind != ISSUERWIRE_KEY)
		return;
	if (strlen(w->key.kid) > JWK_KID)
		abort();
	key = jwk_key(&w->key);
	if (key != NULL && !jose_key_is_good(key))
		abort();
	EVP_PKEY_free(key);
}

// A short one is filled with zeros, so that the fuzzer need not be as long as the structs.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gsswire g;
	static struct issuerwire i;

	memset(&g, 0, sizeof(g));
	memset(&i, 0, sizeof(i));
	memcpy(&g, data, size < sizeof(g) ? size : sizeof(g));
	memcpy(&i, data, size < sizeof(i) ? size : sizeof(i));
	if ((gsswire_from_helper(&g, size) && size != sizeof(g)) || (issuerwire_from_helper(&i, size) && size != sizeof(i)))
		abort();
	if (gsswire_from_secmod(&g, sizeof(g)) && g.kind == GSSWIRE_TOKEN && g.token.len > LIMIT_TOKEN)
		abort();
	if (issuerwire_from_secmod(&i, sizeof(i)) && strlen(i.start.url) > CLAIMS_URL)
		abort();
	hear_gssapi(&g);
	hear_issuer(&i);
	return 0;
}
