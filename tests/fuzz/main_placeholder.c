// Any text with any names in it, in any room: what comes out fits, ends, and without a placeholder is what went in.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/placeholder.h"

#define ROOM_MOST 255

// The next text of the input, up to a NUL or its end.
static char *next_text(const uint8_t **data, size_t *size)
{
	size_t len = strnlen((const char *)*data, *size);
	char *text = strndup((const char *)*data, len);

	if (!text)
		abort();
	*data += len < *size ? len + 1 : len;
	*size -= len < *size ? len + 1 : len;
	return text;
}

static void run(const char *text, const char *user, const char *group, bool in_url, size_t room)
{
	char *out = malloc(room);
	int ret;

	if (!out)
		abort();
	ret = placeholder_fill(text, user, group, in_url, out, room);
	if (strnlen(out, room) == room || (ret < 0 && out[0]))
		abort();
	if (ret == 0 && !strstr(text, "%{U}") && !strstr(text, "%{G}") && strcmp(out, text) != 0)
		abort();
	if (ret < 0 && !strstr(text, "%{") && strlen(text) < room)
		abort();
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *user, *group;
	size_t room;

	if (size < 2)
		return 0;
	room = 1 + data[0] % ROOM_MOST;
	data++;
	size--;
	text = next_text(&data, &size);
	user = next_text(&data, &size);
	group = next_text(&data, &size);
	run(text, user, group, false, room);
	run(text, user, group, true, room);
	placeholder_unknown(text);
	free(text);
	free(user);
	free(group);
	return 0;
}
