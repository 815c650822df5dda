// A file that somebody has put in the place of an OCSP response.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/worker/staple.h"

static X509 *leaf(void)
{
	X509 *x = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"ca", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	return x;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[32];
	static X509 *cert;
	static int fd;
	char why[LIMIT_TEXT + 1];
	struct staple s = { 0 };

	if (!cert) {
		cert = leaf();
		fd = memfd_create("staple", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	if (staple_read(&s, path, cert, why) == 0 && (!s.der || s.len != size || s.len > STAPLE_MOST))
		abort();
	staple_free(&s);
	return 0;
}
