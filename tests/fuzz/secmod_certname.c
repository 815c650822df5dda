// Names out of any certificate: what comes out is fit for a path, a log line and a message.
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "proto/utf8.h"
#include "secmod/certname.h"

static void expect_fit(const char *name, size_t most)
{
	size_t len = strlen(name), n;

	if (len == 0 || len > most || name[0] == '.' || strchr(name, '/') != NULL || strstr(name, "..") != NULL)
		abort();
	for (size_t at = 0; at < len; at += n) {
		n = utf8_printable((const uint8_t *)name + at, len - at);
		if (n == 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const oids[] = { "2.5.4.3", "0.9.2342.19200300.100.1.1", "2.5.4.11", "SAN(rfc822name)" };
	static char group[CERTNAME_GROUPS][LIMIT_GROUP + 1];
	const unsigned char *at = data;
	X509 *cert = d2i_X509(NULL, &at, (long)size);
	char user[LIMIT_USER + 1];
	const char *why;
	unsigned n;

	for (int i = 0; cert != NULL && i < 4; i++) {
		if (certname_user(cert, oids[i], user, &why) == 0)
			expect_fit(user, LIMIT_USER);
		if (certname_groups(cert, oids[i], group, &n, &why) == 0)
			for (unsigned k = 0; k < n; k++)
				expect_fit(group[k], LIMIT_GROUP);
	}
	X509_free(cert);
	ERR_clear_error();
	return 0;
}
