// The doctor on what processes have given up (proto/confine.def): what the kernel can, and what those that run have.
#include <stdlib.h>
#include <string.h>

#include "doctor_tree.h"
#include "proto/confine.h"

#define FILTERED 2 // "Seccomp:" of /proc/PID/status

// A line of /proc/PID/status as a number to this base; -1 without it.
static long long status_of(const struct doctor *d, unsigned long pid, const char *field, int base)
{
	char text[DOCTOR_TEXT], name[32];
	const char *line;

	tree_read(d, text, sizeof(text), "/proc/%lu/status", pid);
	snprintf(name, sizeof(name), "\n%s:", field);
	line = strstr(text, name);
	return line ? strtoll(line + strlen(name), NULL, base) : -1;
}

bool doctor_confined(struct doctor *d, enum sandbox_role role, unsigned long pid)
{
	const struct confinement *c = &confinements[role];
	const long long seccomp = status_of(d, pid, "Seccomp", 10), powers = status_of(d, pid, "CapBnd", 16);
	const uint32_t before = d->found;

	if (seccomp < 0)
		return true; // it has just ended, or this kernel does not tell
	if (c->calls != CALLS_FREE && seccomp != FILTERED)
		doctor_say(d, DOCTOR_WARN, "isolate-workers = true, then a restart",
		           "%s (pid %lu) runs without a list of system calls", c->name, pid);
	if (status_of(d, pid, "NoNewPrivs", 10) != 1)
		doctor_say(d, DOCTOR_WARN, "restart it; it was not started by penstockd", "%s (pid %lu) can gain privileges",
		           c->name, pid);
	if (powers > 0 && ((uint64_t)powers & ~c->capabilities) != 0)
		doctor_say(d, DOCTOR_WARN, "CAP_SETPCAP for penstockd", "%s (pid %lu) has kept capabilities that it does not need",
		           c->name, pid);
	if (c->capabilities == 0 && status_of(d, pid, "Uid", 10) == 0)
		doctor_say(d, DOCTOR_WARN, "run-as-user = nobody, or a user of its own", "%s (pid %lu) runs as root", c->name, pid);
	return d->found == before;
}

static void look_at_those_that_run(struct doctor *d)
{
	static const struct {
		const char *key;
		enum sandbox_role role;
	} parts[] = {
		{ "Server PID", SANDBOX_MAIN },
		{ "Sec-mod PID", SANDBOX_SECMOD },
		{ "Nursery PID", SANDBOX_NURSERY },
		{ "Dataplane PID", SANDBOX_DATAPLANE },
	};
	struct answer a = { 0 };
	bool all = true;
	const char *why;

	if (!d->ctl)
		return;
	if (ctl_ask(d->ctl, "show status", NULL, &a, &why) == 0 && a.ok) {
		for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
			const struct cell *c = answer_cell(&a, 0, answer_record_end(&a, 0), parts[i].key);

			if (c && c->number > 0)
				all &= doctor_confined(d, parts[i].role, c->number);
		}
		if (all)
			doctor_say(d, DOCTOR_OK, "",
			           "those that run have given up what they should; main, and helpers with foreign modules (PAM, "
			           "tokens), "
			           "have no list of system calls");
	}
	answer_fini(&a);
}

void doctor_confinement(struct doctor *d)
{
	const int version = d->landlock ? d->landlock() : -1;

	if (version == 0)
		doctor_say(d, DOCTOR_WARN, "Linux 5.13 or later, with landlock among lsm= of its command line",
		           "this kernel has no Landlock: sec-mod can write any file, and others are kept from files by less");
	else if (version > 0)
		doctor_say(d, DOCTOR_OK, "", "this kernel has Landlock, version %d", version);
	look_at_those_that_run(d);
}
