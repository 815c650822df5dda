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

// What each keeps is a table, confine.def; the functions below make one process keep no more than that.
enum sandbox_role {
#define PROCESS(id, ...) SANDBOX_##id,
#include "proto/confine.def"
#undef PROCESS
	SANDBOX_ROLES
};

// Files: an empty root directory (for who may change it), and Landlock where the kernel has it. `places` are the directories to
// write in of a role that has such; what is not there is left out. This thread only, and those that it starts later.
// What a build for sanitizers, or SANDBOX_TRACEABLE, needs (/proc, core files) lies beyond: there it does nothing.
int sandbox_files(enum sandbox_role role, const char *const *places, size_t n);
// The version of the kernel's Landlock; 0: it has none, or it is switched off.
int sandbox_landlock(void);

// Become uid/gid with no supplementary groups and no capability, also none to come by executing something. Names as configured; a
// number is accepted, and without a user it stays who it is. -ENOENT names it in the log. `files`: with sandbox_files(), once the
// names are known.
int sandbox_drop_user(enum sandbox_role role, const char *user, const char *group, bool files);

// Of the capabilities, keep the role's: root's files stay root's, the machine is no longer his.
int sandbox_keep_capabilities(enum sandbox_role role);

// Is this a build for sanitizers, whose shadow alone is larger than any limit of ours?
bool sandbox_sanitized(void);
// The role's limits of memory (unless it is to be `boundless`), descriptors and children; no core.
int sandbox_limit(enum sandbox_role role, bool boundless);

// Close every descriptor from `first` up but those listed.
void sandbox_close_from(int first, const int *keep, int n_keep);

// Seccomp: what the role may not call (seccomp.def) kills the process (SIGSYS in the log of whoever reaps it).
// Sanitizer builds need calls that the lists do not have: there it does nothing and says so once.
int sandbox_seccomp(enum sandbox_role role);
// Build the filter ahead, in a process that forks others: what is left for them takes a third of the time and no memory.
int sandbox_seccomp_prepare(enum sandbox_role role);
