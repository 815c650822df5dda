#include "secmod/tbs.h"

#include <string.h>

#define TLS13_PAD 64
static const char TLS13_LABEL[] = "TLS 1.3, server CertificateVerify"; // its NUL is the separator

#define TLS12_RANDOMS 64
#define CURVE_NAMED 3

// RFC 8422 5.4, RFC 7748: the length that a point of the group has, uncompressed where there is a choice.
static const struct group {
	uint16_t number;
	uint8_t point, first; // first: its first byte, 0 = any
} groups[] = {
	{ 23, 65, 4 },  // secp256r1
	{ 24, 97, 4 },  // secp384r1
	{ 25, 133, 4 }, // secp521r1
	{ 29, 32, 0 },  // x25519
	{ 30, 56, 0 },  // x448
};

static bool is_tls13(const uint8_t *tbs, size_t len)
{
	const size_t head = TLS13_PAD + sizeof(TLS13_LABEL);

	if (len != head + 32 && len != head + 48)
		return false;
	for (int i = 0; i < TLS13_PAD; i++)
		if (tbs[i] != ' ')
			return false;
	return memcmp(tbs + TLS13_PAD, TLS13_LABEL, sizeof(TLS13_LABEL)) == 0;
}

static bool is_tls12(const uint8_t *tbs, size_t len)
{
	const uint8_t *p = tbs + TLS12_RANDOMS;

	if (len < TLS12_RANDOMS + 5 || p[0] != CURVE_NAMED)
		return false;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		const struct group *g = &groups[i];

		if ((p[1] << 8 | p[2]) == g->number)
			return p[3] == g->point && len == TLS12_RANDOMS + 4u + g->point && (g->first == 0 || p[4] == g->first);
	}
	return false;
}

enum tbs_kind tbs_classify(const uint8_t *tbs, size_t len)
{
	if (is_tls13(tbs, len))
		return TBS_TLS13;
	if (is_tls12(tbs, len))
		return TBS_TLS12;
	return TBS_OTHER;
}

// TLS 1.2's ECDSA code points name a hash only, any curve goes with it; TLS 1.3 ties them together (RFC 8446 4.2.3).
static const struct rule {
	uint16_t scheme;
	uint8_t keys12, keys13; // bits of enum key_kind
	const char *digest;
	bool pss;
} rules[] = {
#define BIT(kind) (1u << KEY_##kind)
	{ SCHEME_RSA_PKCS1_SHA256, BIT(RSA), 0, "SHA256", false },
	{ SCHEME_RSA_PKCS1_SHA384, BIT(RSA), 0, "SHA384", false },
	{ SCHEME_RSA_PKCS1_SHA512, BIT(RSA), 0, "SHA512", false },
	{ SCHEME_ECDSA_P256_SHA256, BIT(P256) | BIT(P384), BIT(P256), "SHA256", false },
	{ SCHEME_ECDSA_P384_SHA384, BIT(P256) | BIT(P384), BIT(P384), "SHA384", false },
	{ SCHEME_ECDSA_P521_SHA512, BIT(P256) | BIT(P384), 0, "SHA512", false },
	{ SCHEME_PSS_RSAE_SHA256, BIT(RSA), BIT(RSA), "SHA256", true },
	{ SCHEME_PSS_RSAE_SHA384, BIT(RSA), BIT(RSA), "SHA384", true },
	{ SCHEME_PSS_RSAE_SHA512, BIT(RSA), BIT(RSA), "SHA512", true },
	{ SCHEME_PSS_PSS_SHA256, BIT(RSA_PSS), BIT(RSA_PSS), "SHA256", true },
	{ SCHEME_PSS_PSS_SHA384, BIT(RSA_PSS), BIT(RSA_PSS), "SHA384", true },
	{ SCHEME_PSS_PSS_SHA512, BIT(RSA_PSS), BIT(RSA_PSS), "SHA512", true },
	{ SCHEME_ED25519, BIT(ED25519), BIT(ED25519), NULL, false },
#undef BIT
};

static const struct rule *rule_find(uint16_t scheme)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].scheme == scheme)
			return &rules[i];
	return NULL;
}

bool scheme_allowed(enum tbs_kind tbs, enum key_kind key, uint16_t scheme)
{
	const struct rule *rule = rule_find(scheme);

	if (rule == NULL || tbs == TBS_OTHER)
		return false;
	return (tbs == TBS_TLS13 ? rule->keys13 : rule->keys12) >> key & 1;
}

uint16_t scheme_next(enum key_kind key, uint16_t scheme)
{
	const struct rule *rule = scheme != 0 ? rule_find(scheme) + 1 : rules;

	for (; rule < rules + sizeof(rules) / sizeof(*rules); rule++)
		if ((rule->keys12 | rule->keys13) >> key & 1)
			return rule->scheme;
	return 0;
}

const char *scheme_digest(uint16_t scheme)
{
	const struct rule *rule = rule_find(scheme);

	return rule != NULL ? rule->digest : NULL;
}

bool scheme_is_pss(uint16_t scheme)
{
	const struct rule *rule = rule_find(scheme);

	return rule != NULL && rule->pss;
}
