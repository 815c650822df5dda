// What reads DPDK's telemetry (dpdk-telemetry.py) is answered in its protocol, by the control thread: sums only, nothing
// of any client. EAL's own server stays off: it makes a thread for each connection, and what it offers makes calls that seccomp
// forbids.
#pragma once
#include <stddef.h>

#define TELEMETRY_COMMAND_MAX 1024 // as in EAL
#define TELEMETRY_ANSWER_MAX 16384 // likewise; said to each client

#define TELEMETRY_CLIENTS 4

struct control;

struct telemetry {
	int fd[TELEMETRY_CLIENTS]; // descriptor + 1; 0: none
};

// Takes fd and says who we are. Its place, or -errno, and then fd is closed.
int telemetry_greet(struct telemetry *t, int fd);
// One command of that client, and its answer; the client goes when it has closed or does not read. Never blocks.
void telemetry_serve(struct control *c, unsigned place);
void telemetry_drop(struct telemetry *t, unsigned place);

// JSON in answer to a command of n bytes; its length. No I/O.
size_t telemetry_answer(const struct control *c, const char *command, size_t n, char out[TELEMETRY_ANSWER_MAX]);
