// A few threads that do what takes time or waits: password hashes, signatures. Bounded queue, completion by eventfd.
// pool_put(), pool_reap() and done() belong to the loop's thread; run() to a thread of the pool, which runs at a lower priority
// unless the pool is urgent.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define POOL_THREADS_MAX 16

struct health;

struct pool_job {
	void (*run)(struct pool_job *job, void *scratch); // in a thread of the pool
	void (*done)(struct pool_job *job);               // in the loop; owns the job again
	STAILQ_ENTRY(pool_job) next;
	int64_t put_us;
};

struct pool;

// Each thread has scratch_size bytes of its own, zeroed before each job. NULL, errno.
struct pool *pool_new(unsigned threads, unsigned most_jobs, size_t scratch_size);
struct pool *pool_new_urgent(unsigned threads, unsigned most_jobs, size_t scratch_size); // as urgent as the loop
// 0, or -EAGAIN: too many wait already, the job stays the caller's.
int pool_put(struct pool *p, struct pool_job *job);
// At the end: jobs that wait are done() without having run. 0 and p is freed, or -ETIMEDOUT: a thread is still at work after
// patience_ms, and the process must not run exit handlers under its feet.
int pool_stop(struct pool *p, int patience_ms);
int pool_fd(const struct pool *p); // readable: call pool_reap()
void pool_reap(struct pool *p);
// Its numbers into a row whose texts are the caller's. failures: what found no room.
void pool_health(const struct pool *p, struct health *h);
