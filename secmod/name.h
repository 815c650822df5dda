// Names of users that others give: a certificate's, a RADIUS server's. They become parts of paths, of log lines and of messages.
// sec-mod only. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// Printable, not empty, and good as the name of a file: no slash, no two dots, no dot at its beginning.
bool name_is_fit(const void *name, size_t len);
