// Sockets that systemd has opened for us (sd_listen_fds(3)): TCP in the place of listen-host and tcp-port, UDP in that of
// udp-listen-host. What each of them is, it says itself. Main process only.
#pragma once

enum activation { ACTIVATION_TCP, ACTIVATION_UDP };

// Before any descriptor of our own is opened. 0 (mostly there are none), or -errno (logged): one of them is none of these.
int activation_take(void);
// The next of that kind, which is the caller's from now on; -1: no more.
int activation_next(enum activation kind);
