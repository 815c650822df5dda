#include "ciphers.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

static const struct {
	enum aead_cipher cipher;
	const char *name, *psk; // GnuTLS's and OpenSSL's
} aeads[] = {
	{ AEAD_AES_256_GCM, "AES-256-GCM", "PSK-AES256-GCM-SHA384" },
	{ AEAD_AES_128_GCM, "AES-128-GCM", "PSK-AES128-GCM-SHA256" },
	{ AEAD_CHACHA20_POLY1305, "CHACHA20-POLY1305", "PSK-CHACHA20-POLY1305" },
};

#define AEADS (sizeof(aeads) / sizeof(*aeads))

const struct ciphers ciphers_all = {
	.aead = { AEAD_AES_256_GCM, AEAD_AES_128_GCM, AEAD_CHACHA20_POLY1305 },
	.n = 3,
	.aes256_cbc = true,
	.aes128_cbc = true,
};

static bool is_in(const struct ciphers *c, enum aead_cipher cipher)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->aead[i] == cipher)
			return true;
	return false;
}

static void add(struct ciphers *c, enum aead_cipher cipher)
{
	if (cipher != AEAD_NONE && !is_in(c, cipher) && c->n < AEAD_LAST)
		c->aead[c->n++] = cipher;
}

static void add_named(struct ciphers *c, const char *name, size_t len)
{
	for (size_t i = 0; i < AEADS; i++)
		if (strlen(aeads[i].name) == len && memcmp(aeads[i].name, name, len) == 0)
			add(c, aeads[i].cipher);
	c->aes256_cbc |= len == 11 && memcmp(name, "AES-256-CBC", len) == 0;
	c->aes128_cbc |= len == 11 && memcmp(name, "AES-128-CBC", len) == 0;
}

void ciphers_load(struct ciphers *c, const struct snapshot *conf, unsigned vhost)
{
	const char *list = snapshot_vhost_get(conf, vhost, "@dtls-ciphers"), *name;
	size_t len;

	*c = snapshot_vhost_get(conf, vhost, "@tls-versions") ? (struct ciphers){ 0 } : ciphers_all;
	c->match = snapshot_vhost_bool(conf, vhost, "match-tls-dtls-ciphers");
	while (list && (name = list_next(&list, ':', &len)))
		add_named(c, name, len);
}

struct ciphers ciphers_beside(const struct ciphers *c, enum aead_cipher tls)
{
	struct ciphers own = *c;

	own.n = 0;
	if (is_in(c, tls))
		add(&own, tls);
	if (c->match) {
		own.aes256_cbc = own.aes128_cbc = false;
		return own;
	}
	for (unsigned i = 0; i < c->n; i++)
		add(&own, c->aead[i]);
	return own;
}

bool ciphers_have(const struct ciphers *c, enum aead_cipher cipher, unsigned aes)
{
	if (cipher != AEAD_NONE)
		return is_in(c, cipher);
	return aes == 32 ? c->aes256_cbc : c->aes128_cbc;
}

void ciphers_psk(const struct ciphers *c, char out[CIPHERS_TEXT])
{
	size_t used = 0;

	out[0] = 0;
	for (unsigned n = 0; n < c->n; n++)
		for (size_t i = 0; i < AEADS; i++)
			if (aeads[i].cipher == c->aead[n])
				used += (size_t)snprintf(out + used, CIPHERS_TEXT - used, "%s%s", used ? ":" : "", aeads[i].psk);
}
