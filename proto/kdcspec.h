// A line of `kkdcp`: "/PATH REALM udp@HOST:PORT", or with tcp@. Main checks it, workers know the paths, sec-mod the KDCs. Pure.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "limits.h"

struct kdcspec {
	char path[LIMIT_URL_PATH + 1];
	char realm[LIMIT_REALM + 1];
	char host[LIMIT_VHOST + 1]; // a name or an address, without brackets
	char port[6];               // decimal
	bool tcp;
};

// NULL, or what is wrong with it.
const char *kdcspec_parse(const char *text, struct kdcspec *out);
