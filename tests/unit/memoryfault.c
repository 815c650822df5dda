// Preloaded into a program: an allocation of it fails, or some in a row, as if there were no memory. Which ones says the file
// MEMORY_FAULT, which the program, those that it forks and the test share; the test may write to it at any time.
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES 40

struct order {
	_Atomic int64_t left;    // allocations until the first that fails; from then on below 1
	int64_t span;            // so many fail
	_Atomic uint64_t count;  // of all, ever
	_Atomic uint64_t failed; // of these
	char where[4064];        // who asked for the last one that failed, a line each
	char crash[4096];        // where the program crashed, likewise
};

static struct order none, *order = &none;
static void *(*real_malloc)(size_t), *(*real_calloc)(size_t, size_t), *(*real_realloc)(void *, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static bool ready;
static __thread bool inside;
// What is asked for while dlsym() looks up who has memory; never given back.
static char first_room[16384];
static size_t first_used;

// Where in which file: addr2line knows the rest.
static void trace(char *text, size_t room, int skip)
{
	void *frames[FRAMES];
	int n = backtrace(frames, FRAMES), i, len;
	size_t used = 0;
	Dl_info at;

	for (i = skip; i < n; i++) {
		if (dladdr(frames[i], &at) == 0)
			continue;
		len = snprintf(text + used, room - used, "%s+0x%zx %s\n", at.dli_fname,
		               (size_t)((char *)frames[i] - (char *)at.dli_fbase) - 1, at.dli_sname ? at.dli_sname : "");
		if (len < 0 || (size_t)len >= room - used)
			return;
		used += (size_t)len;
	}
	memset(text + used, 0, room - used);
}

// It dies of the same once this has returned.
static void on_crash(__attribute__((unused)) int signal)
{
	trace(order->crash, sizeof(order->crash), 2);
}

static void prepare(void)
{
	const struct sigaction crash = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND };
	const char *path = getenv("MEMORY_FAULT");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *frames[FRAMES], *p;

	if (fd >= 0) {
		p = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		if (p == MAP_FAILED)
			_exit(125);
		backtrace(frames, FRAMES); // what it loads it loads now
		order = p;
		sigaction(SIGSEGV, &crash, NULL);
		sigaction(SIGABRT, &crash, NULL);
		sigaction(SIGFPE, &crash, NULL);
	}
	ready = true;
}

static void begin(void)
{
	inside = true;
	real_calloc = dlsym(RTLD_NEXT, "calloc");
	real_realloc = dlsym(RTLD_NEXT, "realloc");
	real_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	real_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
	real_malloc = dlsym(RTLD_NEXT, "malloc");
	prepare();
	inside = false;
}

static bool fails(void)
{
	int64_t left;

	if (inside)
		return false;
	if (!ready)
		begin();
	atomic_fetch_add(&order->count, 1);
	left = atomic_load(&order->left);
	do
		if (left <= -order->span)
			return false;
	while (!atomic_compare_exchange_weak(&order->left, &left, left - 1));
	if (left > 1 || left <= 1 - order->span)
		return false;
	inside = true;
	atomic_fetch_add(&order->failed, 1);
	trace(order->where, sizeof(order->where), 2);
	inside = false;
	errno = ENOMEM;
	return true;
}

static void *first(size_t size)
{
	void *p = first_room + first_used;

	first_used += (size + 15) & ~(size_t)15;
	if (first_used > sizeof(first_room))
		_exit(125);
	return p;
}

void *malloc(size_t size)
{
	if (fails())
		return NULL;
	return real_malloc ? real_malloc(size) : first(size);
}

void *calloc(size_t n, size_t size)
{
	if (fails())
		return NULL;
	return real_calloc ? real_calloc(n, size) : first(n * size);
}

void *realloc(void *p, size_t size)
{
	if (size > 0 && fails())
		return NULL;
	return real_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	return fails() ? ENOMEM : real_posix_memalign(p, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : real_aligned_alloc(alignment, size);
}
