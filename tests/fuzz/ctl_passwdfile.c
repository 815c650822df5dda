// Edits of a password file: the user's lines change, and no byte of the others.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/passwdfile.h"

static void need(int what)
{
	if (!what)
		abort();
}

// Twice is the same as once.
static void edit(const char *in, size_t len, enum passwdfile_action action)
{
	const struct passwdfile_edit e = { action, "joe", NULL, "$y$hash" };
	char *once, *twice;
	size_t once_len, twice_len;

	if (passwdfile_edit(in, len, &e, &once, &once_len) < 0)
		return;
	need(once_len == 0 || once[once_len - 1] == '\n');
	if (passwdfile_edit(once, once_len, &e, &twice, &twice_len) == 0) {
		need(action != PASSWDFILE_DELETE);
		need(twice_len == once_len && memcmp(once, twice, once_len) == 0);
		free(twice);
	}
	free(once);
}

// What is found lies in the text.
static void look(const char *in, size_t len)
{
	const char *at = in;
	struct passwdfile_line l;

	while (passwdfile_next(&at, in + len, &l)) {
		need(l.user >= in && l.user_len > 0 && l.groups == l.user + l.user_len + 1);
		need(l.hash > l.groups + l.groups_len && l.hash + l.hash_len <= in + len);
		need(at <= in + len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, data, size);
	for (int action = PASSWDFILE_SET; action <= PASSWDFILE_UNLOCK; action++)
		edit(copy, size, action);
	look(copy, size);
	free(copy);
	return 0;
}
