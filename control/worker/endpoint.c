#include "endpoint.h"

#include <string.h>

#define EMPTY_MANIFEST "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<vpn rev=\"1.0\">\n</vpn>\n"
#define EMPTY_PAGE "<html></html>\n"
#define EXACT false
#define BELOW true

static const struct endpoint endpoints[] = {
#define ENDPOINT(path, reach, methods, who, type, body, help) { path, reach, methods, ENDPOINT_##who, type, body, help },
#include "endpoint.def"
#undef ENDPOINT
};
#define ENDPOINTS (sizeof(endpoints) / sizeof(*endpoints))

const struct endpoint *endpoint_find(const char *path)
{
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		size_t len = strlen(endpoints[i].path);

		if (strncmp(endpoints[i].path, path, len) == 0 && (endpoints[i].below || !path[len]))
			return &endpoints[i];
	}
	return NULL;
}

bool endpoint_takes(const struct endpoint *e, enum http_verb verb)
{
	switch (verb) {
	case VERB_GET:
		return e->methods & METHOD_GET;
	case VERB_HEAD:
		return e->who == ENDPOINT_TEXT || e->who == ENDPOINT_LOGIN;
	case VERB_POST:
		return e->methods & METHOD_POST;
	case VERB_CONNECT:
		return e->methods & METHOD_CONNECT;
	default:
		return false;
	}
}

const struct endpoint *endpoint_nth(unsigned n)
{
	return n < ENDPOINTS ? &endpoints[n] : NULL;
}
