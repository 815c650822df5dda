// The process that starts sec-mod's helpers. It holds no key, no secret and no channel of a worker's or of main's, and does nothing
// but this: what a helper may do, its foreign libraries decide, and a child has at least the filter of its parent.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/sandbox.h"
#include "secmod/gsswire.h"
#include "secmod/issuerwire.h"
#include "secmod/names.h"
#include "secmod/pam_helper.h"
#include "secmod/places.h"
#include "secmod/spawn.h"
#include "secmod/token_helper.h"

#define SELF "penstock-secmod"
#define PATH_VARIABLE "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

// Where the operator has told main that a token's software is configured otherwise, its helper finds it there.
static const char *const token_keeps[] = { PLACES_VARIABLE, "SOFTHSM2_CONF", "TPM2OPENSSL_TCTI", NULL };
static const char *const keeps_nothing[] = { NULL };
// Of a sanitized build, all.
static const char *const sanitizers_keep[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", NULL };
#define KEEPS_MOST 7
#define VARIABLE_MAX (PLACES_TEXT + 64)

static const struct program {
	const char *name, *option; // no option: another program than this one, beside it
	const char *const *keeps;
} programs[SPAWN_KINDS] = {
	[SPAWN_PAM] = { SELF, PAM_HELPER_OPTION, keeps_nothing },     [SPAWN_TOKEN] = { SELF, TOKEN_HELPER_OPTION, token_keeps },
	[SPAWN_OIDC] = { ISSUER_HELPER, NULL, keeps_nothing },        [SPAWN_GSSAPI] = { GSS_HELPER, NULL, keeps_nothing },
	[SPAWN_NAMES] = { SELF, NAMES_HELPER_OPTION, keeps_nothing },
};

// Programs are installed, and built, side by side.
static int path_of(const struct program *p, char out[PATH_MAX])
{
	ssize_t n;
	char *slash;

	if (p->option != NULL)
		return snprintf(out, PATH_MAX, "/proc/self/exe") < PATH_MAX ? 0 : -ENAMETOOLONG;
	n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL || (size_t)snprintf(slash + 1, PATH_MAX - (size_t)(slash + 1 - out), "%s", p->name) >=
	                             PATH_MAX - (size_t)(slash + 1 - out))
		return -ENAMETOOLONG;
	return 0;
}

// n of them are there already; how many are then.
static int copy_environment(const char *const *names, char *env[], char text[][VARIABLE_MAX], int n)
{
	for (int i = 0; names[i] != NULL; i++) {
		const char *value = getenv(names[i]);

		if (value == NULL || snprintf(text[n], VARIABLE_MAX, "%s=%s", names[i], value) >= VARIABLE_MAX)
			continue;
		env[n] = text[n];
		n++;
	}
	env[n] = NULL;
	return n;
}

// In the child: why it is still itself.
static int become(const struct program *p, const char *path, int fd, bool unfiltered)
{
	char *const argv[] = { (char *)p->name, (char *)(p->option == NULL && unfiltered ? SPAWN_UNFILTERED : p->option), NULL };
	char *env[1 + KEEPS_MOST + 1] = { PATH_VARIABLE }, text[KEEPS_MOST][VARIABLE_MAX];
	int n;

	n = copy_environment(p->keeps, env + 1, text, 0);
	if (sandbox_sanitized())
		copy_environment(sanitizers_keep, env + 1, text, n);
	if (setsid() < 0 || dup2(fd, SPAWN_FD) < 0)
		return errno;
	execve(path, argv, env);
	return errno;
}

// The new process is sec-mod's child and not ours: it waits for it, and kills it.
static void start(const struct program *p, int fd, bool unfiltered, struct spawn_reply *reply, volatile int *failure)
{
	char path[PATH_MAX];
	pid_t pid;
	int ret = path_of(p, path);

	reply->error = -ret;
	if (ret < 0)
		return;
	*failure = 0;
	// with CLONE_VFORK it comes back when the child is another program, or has ended: then `failure` is known
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, 0UL);
	if (pid == 0) {
		*failure = become(p, path, fd, unfiltered);
		_exit(127);
	}
	reply->error = pid < 0 ? errno : *failure;
	reply->pid = pid < 0 ? 0 : pid;
}

// 1, 0 when sec-mod has gone, or -errno. The descriptor is the caller's.
static int receive(struct spawn_request *request, int *fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { request, sizeof(*request) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room) };
	ssize_t n;

	do
		n = recvmsg(SPAWN_FD, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (m.msg_controllen < sizeof(control.head) || control.head.cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(fd, CMSG_DATA(&control.head), sizeof(*fd));
	return n == sizeof(*request) && request->kind < SPAWN_KINDS ? 1 : -EPROTO;
}

int spawner_main(void)
{
	struct spawn_request request;
	int *failure, fd = -1, ret;

	if (sandbox_harden() < 0 || fcntl(SPAWN_FD, F_SETFD, FD_CLOEXEC) < 0 || chdir("/") < 0)
		return 1;
	failure = mmap(NULL, sizeof(*failure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	// what it executes has the filter, and what is left of capabilities, from its first instruction on
	if (failure == MAP_FAILED || sandbox_keep_capabilities(SANDBOX_SPAWNER) < 0 || sandbox_seccomp(SANDBOX_SPAWNER) < 0)
		return 1;
	while ((ret = receive(&request, &fd)) == 1) {
		struct spawn_reply reply = { 0 };

		start(&programs[request.kind], fd, request.unfiltered, &reply, failure);
		close(fd);
		if (send(SPAWN_FD, &reply, sizeof(reply), MSG_NOSIGNAL) != sizeof(reply))
			return 1;
	}
	return ret < 0;
}
