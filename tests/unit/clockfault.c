// Preloaded into a program: its wall clock is wrong by as many seconds as the file CLOCK_FAULT says (an int64), which the test may
// write to at any time. The clocks that only run are left alone, as they are when somebody sets a machine's time.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *off_by;
static int (*real_gettime)(clockid_t, struct timespec *);

// Before main(), and so before a program may open nothing any more.
static void __attribute__((constructor)) begin(void)
{
	const char *path = getenv("CLOCK_FAULT");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof(*off_by), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (p == MAP_FAILED)
		_exit(125);
	close(fd);
	real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	off_by = p;
}

// Other libraries' constructors may ask earlier.
static int gettime(clockid_t clock, struct timespec *ts)
{
	if (!real_gettime)
		real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	return real_gettime(clock, ts);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int ret = gettime(clock, ts);

	if (ret == 0 && off_by != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
		ts->tv_sec += *off_by;
	return ret;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return -1;
	*tv = (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return -1;
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
