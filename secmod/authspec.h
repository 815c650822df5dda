// The value of `auth`: a method's name and its options, "plain[passwd=/etc/penstock/passwd]".
// Pure. An option without "=" has the key "" (ocserv's old form, "plain[/etc/ocserv/ocpasswd]").
#pragma once
#include "proto/limits.h"

#define AUTHSPEC_NAME 31
#define AUTHSPEC_OPTIONS 8

struct authspec {
	char name[AUTHSPEC_NAME + 1];
	unsigned n_options;
	struct {
		char key[AUTHSPEC_NAME + 1];
		char value[LIMIT_TEXT + 1];
	} option[AUTHSPEC_OPTIONS];
};

// 0 or -EINVAL.
int authspec_parse(const char *text, struct authspec *out);
