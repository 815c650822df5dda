#include "control/main/filewriter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"

struct filewriter {
	char *path, *beside;
	pthread_t thread;
	pthread_mutex_t lock; // of what follows
	pthread_cond_t work;
	char *text; // the next; NULL: none waits
	size_t len;
	int result;
	bool ends, busy;
};

// ------------------------------------------------------------------------------------------------------------ its thread

static int replace(const struct filewriter *w, const char *text, size_t len)
{
	int fd = open(w->beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), ret;

	if (fd < 0)
		return -errno;
	ret = file_write(fd, text, len);
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && rename(w->beside, w->path) < 0)
		ret = -errno;
	if (ret == 0)
		return file_sync_directory(w->path);
	unlink(w->beside); // a disk that is full gets that back
	return ret;
}

static void *run(void *arg)
{
	struct filewriter *w = arg;
	char *text;
	size_t len;
	int ret;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->text && !w->ends)
			pthread_cond_wait(&w->work, &w->lock);
		if (!w->text)
			break;
		text = w->text;
		len = w->len;
		w->text = NULL;
		w->busy = true;
		pthread_mutex_unlock(&w->lock);
		ret = replace(w, text, len);
		free(text);
		pthread_mutex_lock(&w->lock);
		w->result = ret;
		w->busy = false;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

// ---------------------------------------------------------------------------------------------------------- for the loop

// Directories above a file of ours, where they are missing.
static int directories_make(const char *path)
{
	char copy[4096];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

// Signals are the loop's.
static int thread_start(struct filewriter *w)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

static void memory_free(struct filewriter *w)
{
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w->text);
	free(w->beside);
	free(w->path);
	free(w);
}

struct filewriter *filewriter_new(const char *path)
{
	struct filewriter *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	w->path = strdup(path);
	ret = w->path && asprintf(&w->beside, "%s.new", path) >= 0 ? directories_make(path) : -ENOMEM;
	if (ret == 0)
		ret = thread_start(w);
	if (ret == 0)
		return w;
	memory_free(w);
	errno = -ret;
	return NULL;
}

void filewriter_put(struct filewriter *w, char *text, size_t len)
{
	pthread_mutex_lock(&w->lock);
	free(w->text);
	w->text = text;
	w->len = len;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

int filewriter_result(struct filewriter *w)
{
	int ret;

	pthread_mutex_lock(&w->lock);
	ret = w->text || w->busy ? -EINPROGRESS : w->result;
	pthread_mutex_unlock(&w->lock);
	return ret;
}

int filewriter_free(struct filewriter *w)
{
	int ret;

	pthread_mutex_lock(&w->lock);
	w->ends = true;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	ret = w->result;
	memory_free(w);
	return ret;
}
