#include <string.h>

#include "suite.h"
#include "text.h"

static const struct suite suites[] = {
	{ "OC-DTLS1_2-AES256-GCM", false, { 0x00, 0x9d }, AEAD_AES_256_GCM, "(DTLS1.2)-(RSA)-(AES-256-GCM)" },
	{ "OC-DTLS1_2-AES128-GCM", false, { 0x00, 0x9c }, AEAD_AES_128_GCM, "(DTLS1.2)-(RSA)-(AES-128-GCM)" },
	{ "ECDHE-RSA-AES256-GCM-SHA384", true, { 0xc0, 0x30 }, AEAD_AES_256_GCM, "(DTLS1.2)-(ECDHE-RSA)-(AES-256-GCM)" },
	{ "ECDHE-RSA-AES128-GCM-SHA256", true, { 0xc0, 0x2f }, AEAD_AES_128_GCM, "(DTLS1.2)-(ECDHE-RSA)-(AES-128-GCM)" },
	{ "AES256-GCM-SHA384", true, { 0x00, 0x9d }, AEAD_AES_256_GCM, "(DTLS1.2)-(RSA)-(AES-256-GCM)" },
	{ "AES128-GCM-SHA256", true, { 0x00, 0x9c }, AEAD_AES_128_GCM, "(DTLS1.2)-(RSA)-(AES-128-GCM)" },
};

static const struct suite *find(const char *word, size_t len, bool dtls12)
{
	size_t i;

	for (i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (suites[i].dtls12 == dtls12 && strlen(suites[i].name) == len && memcmp(suites[i].name, word, len) == 0)
			return &suites[i];
	return NULL;
}

static int rank(const struct suite *s, enum aead_cipher prefer)
{
	return (s->cipher == prefer) * 2 + (s->cipher == AEAD_AES_256_GCM);
}

const struct suite *suite_choose(const char *list, bool dtls12, enum aead_cipher prefer)
{
	const struct suite *best = NULL, *s;
	const char *word;
	size_t len;

	while ((word = list_next(&list, ':', &len))) {
		s = find(word, len, dtls12);
		if (s && (!best || rank(s, prefer) > rank(best, prefer)))
			best = s;
	}
	return best;
}
