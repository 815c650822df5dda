// Whether the kernel interfaces behind our ports are up. Control thread: opened while it may still open sockets, then told by the
// kernel of every change.
#pragma once
#include "port.h"

// The descriptor to wait for, or -errno. Notes what is up now.
int portlink_open(struct ports *p);
// Something can be read from it.
void portlink_read(int fd, struct ports *p);
