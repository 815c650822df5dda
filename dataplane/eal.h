// Start of DPDK's environment: which memory, which cores, which devices. Main thread, once, before anything else of DPDK.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "port.h"
#include "proto/limits.h"
#include "proto/snapshot.h"

// Why the start failed, for main's log: names the option. `why` is LIMIT_TEXT + 1 bytes.
#define START_ERROR(why, code, ...) (snprintf(why, LIMIT_TEXT + 1, __VA_ARGS__), -(code))

// EAL lcores: the control thread, and the poll cores from there on.
#define LCORE_CONTROL 0
#define LCORE_POLL 1

struct cpu_list {
	uint16_t cpu[CORES_MAX];
	unsigned n;
};

struct eal_report {
	bool huge;
	char memory[320]; // which memory and why, for people
};

// "0000:03:00.0" or "03:00.0".
bool eal_is_pci(const char *word);

// Which CPUs poll: those that poll-core names, or else the last half of those that this process may use, four at most. 0 or -errno
// with `why`.
int eal_cpus(const struct snapshot *s, struct cpu_list *out, char *why);
// bytes: what all pools and tables together will need. 0 or -errno with `why`.
int eal_start(const struct snapshot *s, const struct cpu_list *cpus, size_t bytes, struct eal_report *report, char *why);
// The start has ended: if it failed, what DPDK's drivers said goes to the log.
void eal_started(bool good);
