// route-add-cmd and route-del-cmd: words, as a shell would see them, and none of a shell's other powers. Pure.
// Words are separated by blanks; what stands in '...' or "..." is part of one word as it is. %{R} is the network as ocserv writes
// it (IPv4 with its netmask), %{RI} with its prefix length, %{D} the inner interface; no value ever becomes more than a part of its
// word.
#pragma once
#include "proto/addr.h"

#define ROUTECMD_WORDS 64

// NULL-terminated, in *argv. 0; -EINVAL, and then *wrong says what is; -ENOMEM.
int routecmd_words(const char *text, const struct addr *network, const char *device, char ***argv, const char **wrong);
void routecmd_free(char **argv); // NULL is fine
