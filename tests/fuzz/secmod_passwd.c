// The password file: whatever is in it, every entry that comes out is one that a login may be checked against.
#include <stdlib.h>
#include <string.h>

#include "secmod/passwd.h"

static void need(int what)
{
	if (!what)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), group[LIMIT_GROUP + 1];
	struct passwd_table t;

	memcpy(text, data, size);
	need(passwd_parse(text, size, &t) == 0);
	for (uint32_t i = 0; i < t.count; i++) {
		const struct passwd_entry *e = &t.entries[i];

		need(e->user[0] != '\0' && strlen(e->user) <= LIMIT_USER && strchr(e->user, ':') == NULL);
		need(e->hash[0] != '\0' && e->hash[0] != '!' && strlen(e->hash) <= PASSWD_HASH_MAX);
		need(passwd_find(&t, e->user) == e);
		need(passwd_group(e->groups, "", group) && strlen(group) <= LIMIT_GROUP);
		if (passwd_group(e->groups, e->user, group))
			need(strcmp(group, e->user) == 0);
	}
	passwd_free(&t);
	return 0;
}
