// auth = plain[passwd=FILE]: a file of crypt(3) hashes. The hash is computed in a thread of the pool.
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/method.h"
#include "secmod/pool.h"
#include "secmod/settings.h"
#include "secmod/userfile.h"

#define THREADS_MAX 4
// At 20 ms a hash and two threads, ten seconds of waiting: beyond that it is better to say no.
#define JOBS_MAX 1024
#define STOP_PATIENCE_MS 1000

struct plain_job {
	struct pool_job job;
	struct attempt *attempt;   // NULL: it has been cancelled
	struct settings *settings; // keeps the file open for the thread
	struct userfile *file;
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1];
	char password[LIMIT_PASSWORD + 1];
	enum auth_outcome outcome;
	int error;
};

// The threads outlive any configuration.
static struct pool *pool;
static struct event *completion;

static void on_completion(evutil_socket_t fd, short what, void *who)
{
	pool_reap(who);
}

static int plain_start(struct event_base *base)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (pool != NULL)
		return 0;
	pool = pool_new(cpus > THREADS_MAX ? THREADS_MAX : cpus > 1 ? cpus : 1, JOBS_MAX, sizeof(struct crypt_data));
	if (pool == NULL)
		return -errno;
	completion = event_new(base, pool_fd(pool), EV_READ | EV_PERSIST, on_completion, pool);
	return completion != NULL && event_add(completion, NULL) == 0 ? 0 : -ENOMEM;
}

static int plain_stop(void)
{
	if (completion != NULL)
		event_free(completion);
	completion = NULL;
	return pool != NULL ? pool_stop(pool, STOP_PATIENCE_MS) : 0;
}

static int plain_load(const struct authspec *spec, void **config, char text[LIMIT_TEXT + 1])
{
	const char *path = NULL;

	for (unsigned i = 0; i < spec->n_options; i++) {
		if (strcmp(spec->option[i].key, "passwd") != 0 && spec->option[i].key[0] != '\0') {
			return text_refuse(text, "auth = plain: option %s is not supported (supported: passwd=FILE)",
			                   spec->option[i].key);
		}
		path = spec->option[i].value;
	}
	if (path == NULL) {
		return text_refuse(text, "auth = plain: names no file: plain[passwd=FILE]");
	}
	*config = userfile_open(path);
	if (*config == NULL) {
		return text_refuse(text, "auth = plain: %s: %s", path, strerror(errno));
	}
	return 0;
}

static void plain_unload(void *config)
{
	userfile_close(config);
}

// --------------------------------------------------------------------------------------------------------------- attempt

static void plain_begin(struct attempt *a)
{
	attempt_ask(a, "Password:", false);
}

static void check(struct plain_job *j, struct crypt_data *data)
{
	struct userfile_answer answer;
	const char *hash;
	bool same;

	j->error = userfile_ask(j->file, j->user, j->group, &answer);
	if (j->error < 0) {
		j->outcome = AUTH_ERROR;
		return;
	}
	hash = crypt_r(j->password, answer.hash, data);
	same = hash != NULL && hash[0] != '*' && strlen(hash) == strlen(answer.hash) &&
	       secret_equal(hash, answer.hash, strlen(hash));
	j->outcome = same && answer.usable ? AUTH_OK : AUTH_BAD;
	strcpy(j->group, answer.group);
	secret_wipe(&answer, sizeof(answer));
}

static void on_run(struct pool_job *job, void *scratch)
{
	struct plain_job *j = (struct plain_job *)job;

	check(j, scratch);
	secret_wipe(j->password, sizeof(j->password));
}

static void job_free(struct plain_job *j)
{
	settings_put(j->settings);
	secret_wipe(j, sizeof(*j));
	free(j);
}

static void on_done(struct pool_job *job)
{
	struct plain_job *j = (struct plain_job *)job;

	if (j->attempt != NULL)
		attempt_end(j->attempt, j->outcome, j->user, j->group, j->error < 0 ? strerror(-j->error) : NULL);
	job_free(j);
}

static void plain_answer(struct attempt *a, const char *password)
{
	struct plain_job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		attempt_end(a, AUTH_ERROR, NULL, NULL, "no memory");
		return;
	}
	j->job = (struct pool_job){ .run = on_run, .done = on_done };
	j->attempt = a;
	j->settings = settings_get(a->settings);
	j->file = a->config;
	strcpy(j->user, a->user);
	strcpy(j->group, a->group);
	strcpy(j->password, password);
	a->work = j;
	if (pool_put(pool, &j->job) < 0) {
		job_free(j);
		attempt_end(a, AUTH_ERROR, NULL, NULL, "too many logins wait for their password to be checked");
	}
}

static void plain_cancel(struct attempt *a)
{
	struct plain_job *j = a->work;

	if (j != NULL)
		j->attempt = NULL;
	a->work = NULL;
}

const struct method method_plain = {
	.name = "plain",
	.kind = AUTH_PASSWORD,
	.start = plain_start,
	.stop = plain_stop,
	.load = plain_load,
	.unload = plain_unload,
	.begin = plain_begin,
	.answer = plain_answer,
	.cancel = plain_cancel,
};
