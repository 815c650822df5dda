// Waking a thread of ours that waits in the kernel. The sleeper arms, looks once more at what it waits for, and sleeps; whoever
// has put something there calls. At most one system call for each sleep.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_common.h>

struct wake {
	int fd;      // eventfd, for the sleeper's poll; set before start
	bool asleep; // sleeper: sets; both clear
} __rte_cache_aligned;

static inline void wake_arm(struct wake *w)
{
	__atomic_store_n(&w->asleep, true, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void wake_disarm(struct wake *w)
{
	uint64_t calls;

	__atomic_store_n(&w->asleep, false, __ATOMIC_SEQ_CST);
	if (read(w->fd, &calls, sizeof(calls)) < 0)
		return; // nobody called: a time-out, or a frame
}

// No fence: a caller that goes on polling may miss a sleeper once, and calls again before it sleeps itself.
static inline void wake_call(struct wake *w)
{
	const uint64_t one = 1;

	if (likely(!__atomic_load_n(&w->asleep, __ATOMIC_RELAXED)))
		return;
	__atomic_store_n(&w->asleep, false, __ATOMIC_RELAXED);
	if (write(w->fd, &one, sizeof(one)) < 0)
		return; // full: it is called already
}
