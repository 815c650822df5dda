// How a hostile test touches its victim: packets with as many descriptors as it likes, and what /proc says about the victim.
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBE_UNUSED __attribute__((unused))
#define PROBE_FDS_MAX 253 // the kernel's SCM_MAX_FD

// Send bytes with n copies of one descriptor; 0 or -errno.
static PROBE_UNUSED int probe_send(int fd, const void *bytes, size_t len, int n)
{
	static char control[CMSG_SPACE(PROBE_FDS_MAX * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { (void *)bytes, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	static int null_fd = -1;
	struct cmsghdr *cm;
	int i;

	if (null_fd < 0)
		null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (n > 0) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		for (i = 0; i < n; i++)
			memcpy(CMSG_DATA(cm) + (size_t)i * sizeof(int), &null_fd, sizeof(int));
	}
	return sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

// Open descriptors of a process (0: of this one).
static PROBE_UNUSED int probe_count_fds(pid_t pid)
{
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), pid ? "/proc/%d/fd" : "/proc/self/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2 - (pid == 0);
}

// A line of a program's /proc/PID/status in KiB ("VmHWM:"), or -1.
static PROBE_UNUSED long probe_status_kib(pid_t pid, const char *key)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

// A process that was sent SIGSTOP has stopped. False: there is none.
static PROBE_UNUSED bool probe_stops(pid_t pid)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (state != 'T') {
		FILE *f = fopen(path, "re");
		int n = f ? fscanf(f, "%*d (%*[^)]) %c", &state) : 0;

		if (f)
			fclose(f);
		if (n != 1)
			return false;
	}
	return true;
}
