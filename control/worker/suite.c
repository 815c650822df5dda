#include <stddef.h>
#include <string.h>

#include "suite.h"
#include "text.h"

// Of each header the better before the worse, by the same taste as ocserv's.
static const struct suite suites[] = {
	{ "OC-DTLS1_2-AES256-GCM", false, { 0x00, 0x9d }, AEAD_AES_256_GCM, 32, "(DTLS1.2)-(RSA)-(AES-256-GCM)" },
	{ "OC-DTLS1_2-AES128-GCM", false, { 0x00, 0x9c }, AEAD_AES_128_GCM, 16, "(DTLS1.2)-(RSA)-(AES-128-GCM)" },
	{ "AES256-SHA", false, { 0x00, 0x35 }, AEAD_NONE, 32, "(RSA)-(AES-256-CBC)-(SHA1)" },
	{ "AES128-SHA", false, { 0x00, 0x2f }, AEAD_NONE, 16, "(RSA)-(AES-128-CBC)-(SHA1)" },
	{ "AES256-GCM-SHA384", true, { 0x00, 0x9d }, AEAD_AES_256_GCM, 32, "(DTLS1.2)-(RSA)-(AES-256-GCM)" },
	{ "ECDHE-RSA-AES256-GCM-SHA384", true, { 0xc0, 0x30 }, AEAD_AES_256_GCM, 32, "(DTLS1.2)-(ECDHE-RSA)-(AES-256-GCM)" },
	{ "ECDHE-RSA-AES128-GCM-SHA256", true, { 0xc0, 0x2f }, AEAD_AES_128_GCM, 16, "(DTLS1.2)-(ECDHE-RSA)-(AES-128-GCM)" },
	{ "AES128-GCM-SHA256", true, { 0x00, 0x9c }, AEAD_AES_128_GCM, 16, "(DTLS1.2)-(RSA)-(AES-128-GCM)" },
	{ "AES256-SHA", true, { 0x00, 0x35 }, AEAD_NONE, 32, "(RSA)-(AES-256-CBC)-(SHA1)" },
	{ "AES128-SHA", true, { 0x00, 0x2f }, AEAD_NONE, 16, "(RSA)-(AES-128-CBC)-(SHA1)" },
};

static const struct suite *find(const char *word, size_t len, bool dtls12)
{
	size_t i;

	for (i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (suites[i].dtls12 == dtls12 && strlen(suites[i].name) == len && memcmp(suites[i].name, word, len) == 0)
			return &suites[i];
	return NULL;
}

static ptrdiff_t rank(const struct suite *s, const struct ciphers *may)
{
	const size_t n = sizeof(suites) / sizeof(suites[0]);

	if (!s || !ciphers_have(may, s->cipher, s->aes))
		return -1;
	return s->cipher != AEAD_NONE && s->cipher == may->aead[0] ? (ptrdiff_t)n : suites + n - 1 - s;
}

const struct suite *suite_choose(const char *list, bool dtls12, const struct ciphers *may)
{
	const struct suite *best = NULL, *s;
	const char *word;
	size_t len;

	while ((word = list_next(&list, ':', &len))) {
		s = find(word, len, dtls12);
		if (rank(s, may) > rank(best, may))
			best = s;
	}
	return best;
}

const struct suite *suite_choose_any(const char *dtls12, const char *dtls, const struct ciphers *may)
{
	const struct suite *a = suite_choose(dtls12, true, may), *b = suite_choose(dtls, false, may);

	return a && (!b || a->cipher != AEAD_NONE || b->cipher == AEAD_NONE) ? a : b;
}
