// Sockets in the file system that root alone may connect to. The caller removes the file.
#pragma once

// SEQPACKET, listening, not blocking. What a dead gateway has left there is replaced. The descriptor, or -errno (logged).
int unixsocket_open(const char *path);
