// A tls-priorities string, which may be anything that a line of the configuration can hold.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/priority.h"

static void hear(void *who, enum log_level level, const char *text)
{
	unsigned *errors = who;

	*errors += level <= LOG_LEVEL_ERR;
	if (strlen(text) >= 256)
		abort();
}

// A list has no empty part and came to its end: the last name is one that OpenSSL knows, not a piece of one.
static void check_list(const char *list)
{
	size_t len = strlen(list);

	if (len >= PRIORITY_LIST - 1 || strstr(list, "::") || (len > 0 && (list[0] == ':' || list[len - 1] == ':')))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct priority p = { .versions = "untouched" }, again = p;
	char *string = malloc(size + 1);
	unsigned errors = 0;
	int ret;

	memcpy(string, data, size);
	string[size] = 0;
	ret = priority_parse(string, &p, hear, &errors);
	if ((ret < 0) != (errors > 0) || priority_parse(string, &again, NULL, NULL) != ret || memcmp(&p, &again, sizeof(p)) != 0)
		abort();
	if (ret == 0 && (!p.versions[0] || !p.groups[0] || !p.signatures[0] || !p.dtls[0] || (!p.ciphers[0] && !p.suites[0])))
		abort();
	for (unsigned n = 0; ret == 0 && n < PRIORITY_WORDS; n++)
		check_list(priority_value(&p, n));
	free(string);
	return 0;
}
