#include "secmod/otpfile.h"

#include <errno.h>
#include <fcntl.h>
#include <liboath/oath.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 2000 // for who has the file; penstock-passwd has it for a moment only
#define STEP_MS 10
#define TIME_STEP 30

// liboath changes the umask of the process while it writes.
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

int otpfile_check(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), ret;

	if (fd < 0)
		return -errno;
	ret = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	close(fd);
	return ret == 0 && oath_init() != OATH_OK ? -ENOTSUP : ret;
}

static void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
}

// Locked as penstock-passwd does it: the file that has the name, not one that has just been replaced. `real` is where it is, so
// that a link to it stays one.
static int lock(const char *path, char real[PATH_MAX], struct stat *st)
{
	struct stat now;
	int fd;

	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		if (realpath(path, real) == NULL)
			return -errno;
		fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 && errno != ENOENT)
			return -errno;
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, st) == 0 && stat(real, &now) == 0 &&
		    now.st_ino == st->st_ino && now.st_dev == st->st_dev)
			return fd;
		if (fd >= 0)
			close(fd);
		rest();
	}
	return -EBUSY;
}

// A user who is not there costs what one with a wrong code does.
static void work_for_nobody(const char *code)
{
	static const char secret[20];

	oath_totp_validate(secret, sizeof(secret), time(NULL), TIME_STEP, 0, OTPFILE_WINDOW, code);
}

static int verdict(int rc, const char *code)
{
	switch (rc) {
	case OATH_OK:
		return 1;
	case OATH_UNKNOWN_USER:
	case OATH_BAD_PASSWORD: // the line has a PIN besides, and we have none
		work_for_nobody(code);
		return 0;
	case OATH_INVALID_OTP:
	case OATH_REPLAYED_OTP:
	case OATH_INVALID_DIGITS:
		return 0;
	case OATH_NO_SUCH_FILE:
		return -ENOENT;
	default:
		return -EIO;
	}
}

static int ask(const char *path, const char *user, const char *code)
{
	char real[PATH_MAX];
	struct stat st;
	time_t last;
	int fd = lock(path, real, &st), rc;

	if (fd < 0)
		return fd;
	// no PIN is an empty one: NULL would pass over that of the line, and the code alone let in
	rc = oath_authenticate_usersfile(real, user, code, OTPFILE_WINDOW, "", &last);
	if (rc == OATH_OK && chmod(real, st.st_mode & 0777) < 0)
		rc = OATH_FILE_CREATE_ERROR;
	close(fd);
	return verdict(rc, code);
}

int otpfile_ask(const char *path, const char *user, const char *code)
{
	int ret;

	pthread_mutex_lock(&turn);
	ret = ask(path, user, code);
	pthread_mutex_unlock(&turn);
	return ret;
}
