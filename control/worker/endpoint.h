// The gateway's URLs: endpoint.def as data. Worker only. Pure.
#pragma once
#include <stdbool.h>

#include "http.h"

enum endpoint_who { ENDPOINT_LOGIN, ENDPOINT_PROFILE, ENDPOINT_PHONE, ENDPOINT_TUNNEL, ENDPOINT_TEXT };

#define METHOD_GET 1u
#define METHOD_POST 2u
#define METHOD_CONNECT 4u

struct endpoint {
	const char *path;
	bool below; // and all that begins with it
	unsigned methods;
	enum endpoint_who who;
	const char *type, *body; // of a text
	const char *help;
};

// The one of this path (without its query), or NULL.
const struct endpoint *endpoint_find(const char *path);
// Is there something for a request with this method? HEAD is answered for texts and the login.
bool endpoint_takes(const struct endpoint *e, enum http_verb verb);
// The n-th of all, NULL past the end.
const struct endpoint *endpoint_nth(unsigned n);
