// Where systemd has started us (Type=notify), it is told how we are: sd_notify(3)'s datagrams, and its watchdog is fed from the
// event loop. A few lines of our own: libsystemd would bring its compressors into the process that runs as root. Main process only.
// Without NOTIFY_SOCKET all of it does nothing.
#pragma once
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

// What the environment says of the watchdog, for process `pid`: how often it wants to be fed (half of its patience), in
// milliseconds; 0: not at all. usec, for_pid: WATCHDOG_USEC and WATCHDOG_PID, or NULL.
uint64_t notify_watchdog_ms(const char *usec, const char *for_pid, int pid);
// NOTIFY_SOCKET as an address: a path, or @ and an abstract name. -EINVAL for anything else.
struct sockaddr_un;
int notify_address(const char *text, struct sockaddr_un *sun, unsigned *len);

// NOTIFY_SOCKET itself, for who tells systemd in the place of others; -1: there is none (a wrong one is logged).
int notify_socket(void);
// From here on another tells it; NULL: we do.
void notify_through(bool (*tell)(void *who, const char *text), void *who);

// Begin to feed the watchdog, if there is one. 0 or -errno (logged): a wrong environment is no reason not to start.
int notify_open(struct event_base *base);
void notify_close(void);

void notify_ready(void);
void notify_alive(void);           // feeds the watchdog now: what comes next may take its time
void notify_reloading(void);       // until notify_ready()
void notify_stopping(uint64_t ms); // which takes so much longer than it would; 0: no longer
// For `systemctl status`; the same as before is not said again.
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
