#include "camouflage.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "text.h"

static bool hash(const uint8_t salt[CAMOUFLAGE_SALT], const char *text, size_t len, uint8_t out[CAMOUFLAGE_HASH])
{
	uint8_t both[CAMOUFLAGE_SALT + LIMIT_QUERY];
	bool done;

	memcpy(both, salt, CAMOUFLAGE_SALT);
	memcpy(both + CAMOUFLAGE_SALT, text, len);
	done = EVP_Digest(both, CAMOUFLAGE_SALT + len, out, NULL, EVP_sha256(), NULL) == 1;
	secret_wipe(both, sizeof(both));
	return done;
}

int camouflage_load(struct camouflage *c, const struct snapshot *conf, unsigned vhost)
{
	const char *secret = snapshot_vhost_get(conf, vhost, "camouflage_secret");
	const char *realm = snapshot_vhost_get(conf, vhost, "camouflage_realm");

	memset(c, 0, sizeof(*c));
	c->on = snapshot_vhost_bool(conf, vhost, "camouflage");
	if (!c->on)
		return 0;
	// without a secret (which main refuses) nobody knows it
	if (secret_random(c->salt, sizeof(c->salt)) < 0 || secret_random(c->hash, sizeof(c->hash)) < 0)
		return -EIO;
	if (secret && secret[0] && !hash(c->salt, secret, strnlen(secret, LIMIT_CAMOUFLAGE), c->hash))
		return -ENOMEM;
	if (realm && realm[0] && !(c->realm = strdup(realm)))
		return -ENOMEM;
	return 0;
}

void camouflage_free(struct camouflage *c)
{
	free(c->realm);
	secret_wipe(c, sizeof(*c));
}

static bool is_hash_of(const struct camouflage *c, const char *text, size_t len)
{
	uint8_t digest[CAMOUFLAGE_HASH];

	return hash(c->salt, text, len, digest) && secret_equal(digest, c->hash, sizeof(digest));
}

bool camouflage_opens(const struct camouflage *c, const char *query)
{
	size_t len = query ? strlen(query) : 0;
	char plain[LIMIT_QUERY + 1];
	bool as_it_is, decoded;
	int n;

	if (!c->on || len == 0 || len > LIMIT_QUERY)
		return false;
	as_it_is = is_hash_of(c, query, len);
	n = query_decode(query, len, plain, sizeof(plain));
	decoded = n > 0 && is_hash_of(c, plain, (size_t)n);
	secret_wipe(plain, sizeof(plain));
	return as_it_is || decoded;
}
