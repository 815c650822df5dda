#include "secmod/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "secmod/health.h"

#define POOL_NICE 5

STAILQ_HEAD(job_queue, pool_job);

struct pool_thread {
	struct pool *pool;
	pthread_t id;
	_Alignas(max_align_t) char scratch[];
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job_queue todo, finished; // under lock
	unsigned pending;                // put and not yet reaped; the loop's
	unsigned most;
	uint64_t put, refused;
	struct health_times times;
	bool stop; // under lock
	struct pool_thread *thread[POOL_THREADS_MAX];
	unsigned n_threads;
	size_t scratch_size;
	int nice;
	int fd;
};

// NULL: the end.
static struct pool_job *take(struct pool *p)
{
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = STAILQ_FIRST(&p->todo)) == NULL && !p->stop)
		pthread_cond_wait(&p->work, &p->lock);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&p->todo, next);
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void hand_back(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(&p->finished, job, next);
	pthread_mutex_unlock(&p->lock);
	eventfd_write(p->fd, 1);
}

static void *work_forever(void *arg)
{
	struct pool_thread *t = arg;
	struct pool_job *job;

	if (t->pool->nice != 0)
		setpriority(PRIO_PROCESS, gettid(), t->pool->nice);
	while ((job = take(t->pool)) != NULL) {
		job->run(job, t->scratch);
		secret_wipe(t->scratch, t->pool->scratch_size);
		hand_back(t->pool, job);
	}
	return NULL;
}

static int start_thread(struct pool *p)
{
	struct pool_thread *t = calloc(1, sizeof(*t) + p->scratch_size);
	int ret;

	if (t == NULL)
		return -ENOMEM;
	t->pool = p;
	ret = -pthread_create(&t->id, NULL, work_forever, t);
	if (ret < 0)
		free(t);
	else
		p->thread[p->n_threads++] = t;
	return ret;
}

static int start_threads(struct pool *p, unsigned threads)
{
	sigset_t all, before;
	int ret = 0;

	// signals are the loop's
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < threads && i < POOL_THREADS_MAX && ret == 0; i++)
		ret = start_thread(p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

static struct pool *new_at(int nice, unsigned threads, unsigned most_jobs, size_t scratch_size)
{
	struct pool *p = calloc(1, sizeof(*p));
	int ret;

	if (p == NULL)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	STAILQ_INIT(&p->todo);
	STAILQ_INIT(&p->finished);
	p->nice = nice;
	p->most = most_jobs;
	p->scratch_size = scratch_size;
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = p->fd < 0 ? -errno : start_threads(p, threads);
	if (ret == 0)
		return p;
	pool_stop(p, 1000);
	errno = -ret;
	return NULL;
}

struct pool *pool_new(unsigned threads, unsigned most_jobs, size_t scratch_size)
{
	return new_at(POOL_NICE, threads, most_jobs, scratch_size);
}

struct pool *pool_new_urgent(unsigned threads, unsigned most_jobs, size_t scratch_size)
{
	return new_at(0, threads, most_jobs, scratch_size);
}

static int join(struct pool *p, const struct timespec *deadline)
{
	int ret = 0;

	for (unsigned i = 0; i < p->n_threads; i++) {
		if (pthread_clockjoin_np(p->thread[i]->id, NULL, CLOCK_MONOTONIC, deadline) != 0)
			ret = -ETIMEDOUT;
		else
			free(p->thread[i]);
	}
	return ret;
}

int pool_stop(struct pool *p, int patience_ms)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += patience_ms / 1000;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	STAILQ_CONCAT(&p->finished, &p->todo);
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	if (join(p, &deadline) < 0)
		return -ETIMEDOUT;
	pool_reap(p);
	if (p->fd >= 0)
		close(p->fd);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return 0;
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int pool_put(struct pool *p, struct pool_job *job)
{
	if (p->pending >= p->most) {
		p->refused++;
		return -EAGAIN;
	}
	p->pending++;
	p->put++;
	job->put_us = now_us();
	pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(&p->todo, job, next);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int pool_fd(const struct pool *p)
{
	return p->fd;
}

void pool_reap(struct pool *p)
{
	struct job_queue finished = STAILQ_HEAD_INITIALIZER(finished);
	struct pool_job *job;
	eventfd_t count;

	eventfd_read(p->fd, &count);
	pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(&finished, &p->finished);
	pthread_mutex_unlock(&p->lock);
	while ((job = STAILQ_FIRST(&finished)) != NULL) {
		STAILQ_REMOVE_HEAD(&finished, next);
		p->pending--;
		health_took(&p->times, now_us() - job->put_us);
		job->done(job);
	}
}

void pool_health(const struct pool *p, struct health *h)
{
	h->kind = HEALTH_POOL;
	h->outstanding = p->pending;
	h->room = p->most;
	h->asked = p->put;
	h->failures = p->refused;
	h->times = p->times;
}
