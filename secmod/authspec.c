#include "secmod/authspec.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

// Copy without blanks and quotes around it; false if it does not fit.
static bool copy_trimmed(char *out, size_t most, const char *in, size_t len)
{
	while (len > 0 && strchr(" \t", in[0]))
		in++, len--;
	while (len > 0 && strchr(" \t", in[len - 1]))
		len--;
	if (len >= 2 && in[0] == '"' && in[len - 1] == '"')
		in++, len -= 2;
	if (len > most)
		return false;
	memcpy(out, in, len);
	out[len] = '\0';
	return true;
}

static bool add_option(struct authspec *out, const char *item, size_t len)
{
	const char *equals = memchr(item, '=', len);
	size_t key_len = equals != NULL ? (size_t)(equals - item) : 0;
	const char *value = equals != NULL ? equals + 1 : item;
	unsigned i = out->n_options;

	if (i >= AUTHSPEC_OPTIONS || !copy_trimmed(out->option[i].key, AUTHSPEC_NAME, item, key_len) ||
	    !copy_trimmed(out->option[i].value, LIMIT_TEXT, value, item + len - value))
		return false;
	out->n_options++;
	return out->option[i].value[0] != '\0';
}

int authspec_parse(const char *text, struct authspec *out)
{
	const char *open = strchr(text, '[');
	size_t len = strlen(text);
	const char *end, *item;
	struct authspec spec = { 0 };

	while (len > 0 && strchr(" \t", text[len - 1]))
		len--;
	end = text + len;
	if (!copy_trimmed(spec.name, AUTHSPEC_NAME, text, open != NULL ? (size_t)(open - text) : len) || spec.name[0] == '\0')
		return -EINVAL;
	if (open != NULL && end[-1] != ']')
		return -EINVAL;
	for (item = open != NULL ? open + 1 : end; item < end; item++) {
		const char *stop = memchr(item, ',', end - item);

		if (stop == NULL)
			stop = end - 1;
		if (!add_option(&spec, item, stop - item))
			return -EINVAL;
		item = stop;
	}
	*out = spec;
	return 0;
}
