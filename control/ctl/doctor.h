// penstockctl doctor: is this machine fit for the gateway? It looks at the configuration, /proc and /sys, changes nothing, and
// needs no gateway that runs. Each thing that it finds has a state, and a line that says what to do where it is not well.
#pragma once
#include "ctl.h"
#include "proto/sandbox.h"

enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

#define DOCTOR_CPUS 1024
#define DOCTOR_TEXT 4096

// What is looked at, and where what is found goes.
struct doctor {
	const char *root;      // stands in the place of /: "" but in tests
	const struct ctl *ctl; // whose gateway may run; NULL: none is asked
	const char *conf_file;
	char *conf;             // its text; "" where it cannot be read
	bool poll[DOCTOR_CPUS]; // CPUs that poll
	// What neither /proc nor /sys tells; NULL: nobody is asked. Output (the caller's) and exit status of a program; NULL: it
	// could not be run.
	char *(*run)(char *const argv[], int *status);
	int (*clock)(void);    // 1: synchronised, 0: not, -1: nobody knows
	int (*landlock)(void); // its version, 0: there is none

	struct answer *out;
	const char *check; // that looks now
	uint32_t found;
	enum doctor_state worst;
};

// All checks. d->out is to be ended by the caller, and not whole only without memory (-ENOMEM).
int doctor_look(struct doctor *d);
// The command: looks at this machine and prints. file: the configuration, NULL: the usual one. enum ctl_exit: refused where
// anything failed.
int doctor_run(const struct ctl *ctl, const char *file);

// For the checks: the fix is "" where all is well.
void doctor_say(struct doctor *d, enum doctor_state state, const char *fix, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

void doctor_configuration(struct doctor *d);
void doctor_certificates(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_huge_pages(struct doctor *d);
void doctor_cores(struct doctor *d);
void doctor_encryption(struct doctor *d);
void doctor_nics(struct doctor *d);
void doctor_mtu(struct doctor *d);
void doctor_forwarding(struct doctor *d);
void doctor_nat(struct doctor *d);
void doctor_conntrack(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_kernel(struct doctor *d);
void doctor_confinement(struct doctor *d);
// Of one process that runs: true if it has given up what it should have; what not is said.
bool doctor_confined(struct doctor *d, enum sandbox_role role, unsigned long pid);
