// What a process gives up once it has started: descriptors, user, memory, system calls.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// No core dumps, no ptrace by equals (PR_SET_DUMPABLE 0), no new privileges. First thing in every process.
// With SANDBOX_TRACEABLE in the environment (penstockd -x) debuggers and core dumps are let in.
#define SANDBOX_TRACEABLE "PENSTOCK_TRACEABLE"
int sandbox_harden(void);

// Become uid/gid with no supplementary groups; keep no capability. Names as configured; a number is accepted. -ENOENT names it in
// the log.
int sandbox_drop_user(const char *user, const char *group);

// Of the capabilities, keep those of this mask (1 << CAP_KILL and the like): root's files stay root's, the machine is no longer
// his.
int sandbox_keep_capabilities(uint64_t mask);

// Is this a build for sanitizers, whose shadow alone is larger than any limit of ours?
bool sandbox_sanitized(void);
// Limits of a worker: address space data (bytes, 0 = leave), no new files beyond `files`, no child processes, no core.
int sandbox_limit(size_t data_bytes, unsigned files);

// Close every descriptor from `first` up but those listed.
void sandbox_close_from(int first, const int *keep, int n_keep);

enum sandbox_role {
	SANDBOX_WORKER,
	SANDBOX_NURSERY,
	SANDBOX_DATAPLANE,
	SANDBOX_METRICS,
	SANDBOX_SECMOD,
	SANDBOX_OIDC,
	SANDBOX_ROLES
};
// Seccomp: anything outside the role's list (seccomp.def) kills the process (SIGSYS in the log of whoever reaps it).
// Sanitizer builds need calls that the lists do not have: there it does nothing and says so once.
int sandbox_seccomp(enum sandbox_role role);
// Build the filter ahead, in a process that forks others: what is left for them takes a third of the time and no memory.
int sandbox_seccomp_prepare(enum sandbox_role role);
