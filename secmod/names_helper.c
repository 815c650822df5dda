#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/sandbox.h"
#include "secmod/names.h"
#include "secmod/spawn.h"

#define SECONDS 20

static int say(const struct names_reply *reply)
{
	return send(SPAWN_FD, reply, sizeof(*reply), MSG_NOSIGNAL) == sizeof(*reply) ? 0 : -EPIPE;
}

static void say_group(void *who, const char *name)
{
	struct names_reply reply = { .more = 1 };

	// a longer one could not be chosen either
	if (snprintf(reply.name, sizeof(reply.name), "%s", name) < (int)sizeof(reply.name))
		say(&reply);
}

static int confine(void)
{
	const struct rlimit cpu = { SECONDS, SECONDS };

	setrlimit(RLIMIT_CPU, &cpu);
	if (sandbox_limit(SANDBOX_NAMES, false) < 0 ||
	    sandbox_drop_user(SANDBOX_NAMES, geteuid() == 0 ? "nobody" : NULL, NULL, true) < 0)
		return -EPERM;
	return sandbox_seccomp(SANDBOX_NAMES);
}

int names_helper_main(void)
{
	struct names_request request;
	struct names_reply last = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sandbox_harden() < 0 || fcntl(SPAWN_FD, F_SETFD, FD_CLOEXEC) < 0 || chdir("/") < 0 || confine() < 0)
		return 1;
	// also the case that sec-mod died before the prctl
	if (recv(SPAWN_FD, &request, sizeof(request), 0) != sizeof(request))
		return 1;
	request.name[NAMES_TEXT] = '\0';
	if (request.kind == NAMES_GROUPS)
		names_groups_here(request.gid_min, say_group, NULL);
	else
		names_host_here(request.name, &last.addr);
	return say(&last) < 0;
}
