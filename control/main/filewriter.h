// A file that is written whole again and again, and nobody waits for the disk: a thread of its own writes it beside the old one,
// with fsync, and puts it in its place. Main process only; everything here is called from the loop's thread.
#pragma once
#include <stddef.h>

struct filewriter;

struct filewriter *filewriter_new(const char *path); // NULL, errno
// The text is taken over (malloc); one that still waits gives way to it.
void filewriter_put(struct filewriter *w, char *text, size_t len);
// Of the last that was put: 0 when it is on the disk, -EINPROGRESS until then, or -errno.
int filewriter_result(struct filewriter *w);
// Waits for that. 0 or -errno.
int filewriter_free(struct filewriter *w);
