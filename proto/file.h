// Bytes on their way into files: whole, onto the disk, or sealed in memory for another process.
#pragma once
#include <stddef.h>

// All of it, or -errno. A pipe's other end may be gone: SIGPIPE is the caller's affair.
int file_write(int fd, const void *bytes, size_t len);
// That a name in the directory of `path` has changed is on the disk too. 0 or -errno.
int file_sync_directory(const char *path);

// A memfd with these bytes, which nobody can change any more. 0 or -errno.
int file_seal(const char *name, const void *bytes, size_t len, int *fd);
// Such a one for reading, of 1 to `most` bytes; munmap() in the end. -EBADMSG: it is not sealed so, or of no such size. 0 or
// -errno.
int file_map_sealed(int fd, size_t most, const void **map, size_t *len);
