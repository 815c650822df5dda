// A place on this machine where the operator's programs connect by streams: "127.0.0.1:9190", "[::1]:9190", or the path of a Unix
// socket. Main process only.
#pragma once

// NULL: it is one. Else why not, for people.
const char *endpoint_wrong(const char *text);
// A listening socket there, not blocking. The descriptor or -errno.
int endpoint_listen(const char *text);
// A Unix socket's file goes.
void endpoint_remove(const char *text);
