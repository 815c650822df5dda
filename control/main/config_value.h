// What one option's value may be: text in, normalised text out. Pure: no file is looked at, no name is resolved.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "control/main/config_table.h"

#define VALUE_MAX 8192 // a directory and a line
#define VALUE_WHY 512

struct value_out {
	char text[VALUE_MAX]; // normalised
	char why[VALUE_WHY];  // what is wrong with it, or odd about it; "" otherwise
};

// dir: absolute directory that relative paths are meant from. 0; 1: fine, but `why` has a warning; -EINVAL: `why` has the reason.
int value_parse(const struct opt_info *o, const char *text, bool quoted, const char *dir, struct value_out *out);

// "10.9.0.7" and "255.255.255.0", or "fd00::" and "64": the network as address/prefix. Results as above.
int value_network(const struct opt_info *o, const char *address, const char *mask, struct value_out *out);

// "500", "20M", "1.5G" is none: whole bytes, with K, M, G or T for powers of 1000. 0 or -EINVAL.
int value_size(const char *text, uint64_t *out);

// "2027-03-31", "2027-03-31 18:00[:00]", the T between them or not: the moment that ends it, in local time. 0 or -EINVAL.
int value_until(const char *text, time_t *out);

// auth, enable-auth, acct: "method[key=value,...]", legacy forms included (config_auth.c). 0 or -EINVAL.
int value_auth(const char *text, const char *dir, struct value_out *out);
// The method's name alone, and the value of one of its keys (false: not there), out of a normalised value.
void value_auth_method(const char *auth, char *out, size_t size);
bool value_auth_key(const char *auth, const char *key, char *out, size_t size);

// Shared by the parsers: fill `why`, and return what they return.
int value_wrong(struct value_out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A path made absolute, without "./" in front. Appends to `to`, which has room for `size`. 0 or -ENAMETOOLONG.
int value_path(const char *path, size_t len, const char *dir, char *to, size_t size);
// "pkcs11:...", "tpmkey:..." and the like: no path.
bool value_is_url(const char *text, size_t len);
