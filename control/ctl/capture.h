// The file of `capture session`: penstockctl alone writes it, with the rights of who has called it.
#pragma once
#include "proto/messages.h"

struct capture {
	int fd;
	int error; // errno of the write that failed
	unsigned long packets;
};

// Into `path`, anew; "-" is standard output. 0 or -errno.
int capture_open(struct capture *c, const char *path);
// Whole blocks at once: whenever it ends, the file is whole. 0 or -errno.
int capture_add(struct capture *c, const struct msg_admin_packet *m);
int capture_close(struct capture *c); // 0 or -errno
