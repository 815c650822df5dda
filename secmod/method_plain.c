// auth = plain[passwd=FILE,otp=FILE]: a file of crypt(3) hashes, and behind it or alone one of one-time passwords. Both are asked
// in a thread of the pool.
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/method.h"
#include "secmod/otpfile.h"
#include "secmod/places.h"
#include "secmod/pool.h"
#include "secmod/settings.h"
#include "secmod/userfile.h"

#define THREADS_MAX 4
// At 20 ms a hash and two threads, ten seconds of waiting: beyond that it is better to say no.
#define JOBS_MAX 1024
#define STOP_PATIENCE_MS 1000

#define OTP_PROMPT "One-time password:"
// What a code is computed on where there is no password file: as much work as a wrong password is.
#define NOBODY "$y$"

struct plain_config {
	struct userfile *file; // NULL: one-time passwords alone
	char *otp;             // liboath's users file; NULL: none
	char nobody[CRYPT_GENSALT_OUTPUT_SIZE];
};

struct plain_job {
	struct pool_job job;
	struct attempt *attempt;   // NULL: it has been cancelled
	struct settings *settings; // keeps the files for the thread
	const struct plain_config *config;
	bool otp; // what the user has said is a one-time password
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

// --------------------------------------------------------------------------------------------------------- configuration

static void plain_unload(void *config)
{
	struct plain_config *c = config;

	userfile_close(c->file);
	free(c->otp);
	free(c);
}

static int open_files(struct plain_config *c, const char *passwd, const char *otp, char text[LIMIT_TEXT + 1])
{
	int ret;

	if (passwd != NULL && (c->file = userfile_open(passwd)) == NULL)
		return text_refuse(text, "%s: %s", passwd, strerror(errno));
	if (otp == NULL)
		return 0;
	if (!places_allow(otp, text))
		return -EINVAL;
	ret = otpfile_check(otp);
	if (ret < 0)
		return text_refuse(text, "otp=%s: %s", otp, strerror(-ret));
	c->otp = strdup(otp);
	if (c->otp == NULL || crypt_gensalt_rn(NOBODY, 0, NULL, 0, c->nobody, sizeof(c->nobody)) == NULL)
		return text_refuse(text, "%s", strerror(errno));
	return 0;
}

static int plain_load(const struct authspec *spec, void **config, char text[LIMIT_TEXT + 1])
{
	const char *passwd = NULL, *otp = NULL;
	struct plain_config *c;
	int ret;

	for (unsigned i = 0; i < spec->n_options; i++) {
		const char *key = spec->option[i].key;

		if (strcmp(key, "passwd") == 0 || key[0] == '\0')
			passwd = spec->option[i].value;
		else if (strcmp(key, "otp") == 0)
			otp = spec->option[i].value;
		else
			return text_refuse(text, "option %s is not supported (supported: passwd=FILE, otp=FILE)", key);
	}
	if (passwd == NULL && otp == NULL)
		return text_refuse(text, "names no file: plain[passwd=FILE]");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return text_refuse(text, "no memory");
	ret = open_files(c, passwd, otp, text);
	if (ret == 0)
		*config = c;
	else
		plain_unload(c);
	return ret;
}

static void plain_groups(void *config, struct grouplist *out)
{
	struct plain_config *c = config;

	if (c->file != NULL)
		userfile_groups(c->file, out);
}

// --------------------------------------------------------------------------------------------------------------- attempt

static void plain_begin(struct attempt *a)
{
	const struct plain_config *c = a->config;

	attempt_ask(a, c->file != NULL ? "Password:" : OTP_PROMPT, false);
}

// A code alone says nothing about groups: who wants one is in none.
static int find_user(const struct plain_job *j, struct userfile_answer *out)
{
	if (j->config->file != NULL)
		return userfile_ask(j->config->file, j->user, j->group, out);
	*out = (struct userfile_answer){ .usable = j->group[0] == '\0' };
	strcpy(out->hash, j->config->nobody);
	return 0;
}

// The hash is computed for a code too: it costs what a password does, and hides what looking for its user takes.
static int check(struct plain_job *j, struct crypt_data *data)
{
	struct userfile_answer answer;
	const char *hash;
	bool right;
	int ret = find_user(j, &answer);

	if (ret < 0)
		return ret;
	hash = crypt_r(j->password, answer.hash, data);
	right = hash != NULL && hash[0] != '*' && strlen(hash) == strlen(answer.hash) &&
	        secret_equal(hash, answer.hash, strlen(hash));
	if (j->otp) {
		ret = otpfile_ask(j->config->otp, j->user, j->password);
		right = ret > 0;
	}
	j->outcome = right && answer.usable ? AUTH_OK : AUTH_BAD;
	strcpy(j->group, answer.group);
	secret_wipe(&answer, sizeof(answer));
	return ret;
}

static void on_run(struct pool_job *job, void *scratch)
{
	struct plain_job *j = (struct plain_job *)job;

	j->error = check(j, scratch);
	if (j->error < 0)
		j->outcome = AUTH_ERROR;
	secret_wipe(j->password, sizeof(j->password));
}

static void job_free(struct plain_job *j)
{
	settings_put(j->settings);
	secret_wipe(j, sizeof(*j));
	free(j);
}

// The password was right: its code is next, for the same group.
static void go_on(struct attempt *a, const struct plain_job *j)
{
	a->work = NULL;
	strcpy(a->group, j->group);
	attempt_ask(a, OTP_PROMPT, false);
}

static void on_done(struct pool_job *job)
{
	struct plain_job *j = (struct plain_job *)job;
	struct attempt *a = j->attempt;

	if (a != NULL && j->outcome == AUTH_OK && j->config->otp != NULL && !j->otp)
		go_on(a, j);
	else if (a != NULL)
		attempt_end(a, j->outcome, j->user, j->group, j->error < 0 ? strerror(-j->error) : NULL);
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
	j->config = a->config;
	j->otp = j->config->file == NULL || a->round > 1;
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

static void plain_health(health_row row, void *who)
{
	struct health h = { .name = "hashes", .owner = "plain", .state = "checked by threads" };

	pool_health(pool, &h);
	row(who, &h);
}

const struct method method_plain = {
	.name = "plain",
	.kind = AUTH_PASSWORD,
	.start = plain_start,
	.stop = plain_stop,
	.load = plain_load,
	.unload = plain_unload,
	.groups = plain_groups,
	.health = plain_health,
	.begin = plain_begin,
	.answer = plain_answer,
	.cancel = plain_cancel,
};
