// Sockets in the file system that root alone may connect to, or a group beside him, and who comes there.
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/types.h>

struct unixsocket {
	int fd;
	int spare; // where no descriptor is left, this one is for who comes: the operator has to be able to look
	char *path;
	struct event *readable, pause;
	void (*on_client)(void *who, int fd);
	void *who;
};

// A listening socket of that type (SOCK_SEQPACKET, SOCK_STREAM) and mode at that path, not blocking. What a dead gateway has left
// there is replaced. The descriptor or -errno.
int unixsocket_listen(const char *path, int type, mode_t mode);
// SEQPACKET, not blocking. What a dead gateway has left there is replaced. on_client() gets each client's descriptor, which is its
// own from then on. 0 or -errno (logged).
int unixsocket_open(struct unixsocket *u, struct event_base *base, const char *path, void (*on_client)(void *who, int fd),
                    void *who);
// The same, with a socket that has come from another penstockd: who has connected meanwhile waits in it. 0 or -ENOMEM.
int unixsocket_again(struct unixsocket *u, struct event_base *base, const char *path, int fd, void (*on_client)(void *who, int fd),
                     void *who);
// Nobody comes for a while: a fifth of a second.
void unixsocket_pause(struct unixsocket *u);
// Members of this group may connect, too; 0: root alone again. 0 or -errno (logged).
int unixsocket_share(const struct unixsocket *u, gid_t group);
void unixsocket_close(struct unixsocket *u); // and removes the file
