// GnuTLS's priority strings (tls-priorities), translated into OpenSSL's words; the table is priority.def. Main process only. Pure.
#pragma once
#include <stdbool.h>

#include "proto/log.h"

#define PRIORITY_LIST 512 // longer than all of any kind
#define PRIORITY_WORDS 7

// What the nursery finds in the snapshot. Lists are separated by colons, the preferred first.
struct priority {
	char versions[PRIORITY_LIST];   // @tls-versions: of TLSv1.2 and TLSv1.3
	char ciphers[PRIORITY_LIST];    // @tls-ciphers: TLS 1.2's suites
	char suites[PRIORITY_LIST];     // @tls-suites: TLS 1.3's
	char groups[PRIORITY_LIST];     // @tls-groups
	char signatures[PRIORITY_LIST]; // @tls-signatures
	char options[PRIORITY_LIST];    // @tls-options: of server-precedence and no-tickets
	char dtls[PRIORITY_LIST];       // @dtls-ciphers: by GnuTLS's names
};

// What is wrong with the string, or with a word of it.
typedef void priority_report(void *who, enum log_level level, const char *text);

// report may be NULL. 0; -EINVAL where there was an error, and out is untouched.
int priority_parse(const char *string, struct priority *out, priority_report *report, void *who);

// "@tls-versions" and so on, PRIORITY_WORDS of them.
const char *priority_key(unsigned n);
const char *priority_value(const struct priority *p, unsigned n);
