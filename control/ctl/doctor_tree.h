// What the doctor reads: small files below its root, lists of CPUs, and options in the text of a configuration.
#pragma once
#include "doctor.h"

// The beginning of a file, without the newline at its end. False: it cannot be read; out is "" then.
bool tree_read(const struct doctor *d, char *out, size_t room, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
// The number that a file begins with; -1: there is none.
long long tree_number(const struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool tree_has(const struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The last part of what a symbolic link points to. False: it is none.
bool tree_link(const struct doctor *d, char *out, size_t room, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

// "0-3,8": set[n] for each. False: it is no such list, or beyond DOCTOR_CPUS.
bool cpulist_parse(const char *text, bool set[DOCTOR_CPUS]);

// The nth value of an option outside virtual hosts, in the text of a configuration; without quotes around it. False: there is none.
bool conf_nth(const char *text, const char *option, unsigned n, char *out, size_t room);
// Likewise, those of virtual hosts as well.
bool conf_any(const char *text, const char *option, unsigned n, char *out, size_t room);
