// penstock-secmod: holds the private keys, the users' secrets and the cookies. Started by penstockd with its channel and a
// snapshot.
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/sandbox.h"
#include "proto/secret.h"
#include "proto/snapshot.h"
#include "proto/text.h"
#include "secmod/account.h"
#include "secmod/coa.h"
#include "secmod/kdchost.h"
#include "secmod/key.h"
#include "secmod/lookup.h"
#include "secmod/method.h"
#include "secmod/names.h"
#include "secmod/pam_helper.h"
#include "secmod/places.h"
#include "secmod/secmod.h"
#include "secmod/signing.h"
#include "secmod/spawn.h"
#include "secmod/store.h"
#include "secmod/token_helper.h"

// One channel per connection; the kernel's own bound is fs.nr_open, by default this.
#define FILES_WANTED 1048576

// A closed 0 or 1 would be given to a socket, and a module that prints would speak on it.
static int fill_standard_fds(void)
{
	struct stat st;

	for (int fd = 0; fd <= 2; fd++)
		if (fstat(fd, &st) < 0 && open("/dev/null", O_RDWR) != fd)
			return -EBADF;
	return 0;
}

static void raise_file_limit(void)
{
	struct rlimit rl = { FILES_WANTED, FILES_WANTED };

	if (setrlimit(RLIMIT_NOFILE, &rl) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

// No secret to the swap. Only where the limit can be lifted: with one, later allocations would fail instead.
static void lock_memory(void)
{
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &rl) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_notice("memory is not locked: %s", strerror(errno));
}

static void settle_signals(void)
{
	// main speaks through the channel; what the terminal sends is meant for main
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static void start_log(const struct snapshot *snap)
{
	const char *form = snapshot_get(snap, "@log-form");
	uint64_t level = snapshot_get(snap, "@log-level") != NULL ? snapshot_number(snap, "@log-level") : LOG_LEVEL_INFO;

	log_init("penstock-secmod", level, form != NULL && strcmp(form, "priority") == 0 ? LOG_FORM_PRIORITY : LOG_FORM_PLAIN);
}

// What is done from here on is done with files, sockets and helpers. Capabilities are a thread's: there is no other yet.
static int drop_capabilities(char text[LIMIT_TEXT + 1])
{
	int ret = sandbox_keep_capabilities(SANDBOX_SECMOD);

	return ret < 0 ? text_refuse(text, "the system does not take capabilities back: %s", strerror(-ret)) : 0;
}

// Whatever starts programs is begun before there are threads and secrets, and before anybody but main is heard.
static int start_spawner(const struct secmod *sm, char text[LIMIT_TEXT + 1])
{
	char list[PLACES_TEXT];
	int ret = places_list(list);

	if (ret == 0)
		ret = spawner_start(sm->isolate ? list : "", sm->isolate);
	return ret < 0 ? text_refuse(text, "no process that starts helpers: %s", strerror(-ret)) : 0;
}

// Landlock is a thread's, too.
static int keep_to_files(const struct secmod *sm, char text[LIMIT_TEXT + 1])
{
	int ret = sm->isolate ? places_confine() : 0;

	return ret < 0 ? text_refuse(text, "the system refuses Landlock: %s", strerror(-ret)) : 0;
}

static struct settings *load_first(struct secmod *sm, char text[LIMIT_TEXT + 1])
{
	struct settings *s = NULL;
	struct snapshot *snap;
	int ret;

	ret = snapshot_open(CHILD_FD_CONF, &snap);
	if (ret < 0) {
		text_format(text, "the configuration cannot be read: %s", strerror(-ret));
		return NULL;
	}
	start_log(snap);
	lock_memory();
	key_memory_init();
	sm->isolate = snapshot_bool(snap, "isolate-workers");
	places_find(snap);
	if (start_spawner(sm, text) == 0 && drop_capabilities(text) == 0 && keep_to_files(sm, text) == 0)
		s = settings_load(snap, text);
	snapshot_free(snap);
	close(CHILD_FD_CONF);
	return s;
}

// All threads exist that hold a secret already, and those to come inherit it.
static int filter_calls(const struct secmod *sm, char text[LIMIT_TEXT + 1])
{
	int ret;

	if (!sm->isolate) {
		log_notice("isolate-workers is off: sec-mod runs without seccomp and Landlock");
		return 0;
	}
	ret = sandbox_seccomp(SANDBOX_SECMOD);
	return ret < 0 ? text_refuse(text, "the system refuses a seccomp filter: %s", strerror(-ret)) : 0;
}

static int take_orders(struct secmod *sm, char text[LIMIT_TEXT + 1])
{
	char why[LIMIT_TEXT + 1];
	int ret = 0;

	sm->coa = coa_new(sm);
	if (sm->coa == NULL)
		ret = text_refuse(text, "no memory");
	else if (!sm->settings->trial && coa_listen(sm->coa, sm->settings->coa, why) < 0)
		ret = text_refuse(text, "%s", why);
	return ret;
}

// Nobody outside hears of a trial.
static int start_lookups(struct secmod *sm)
{
	if (sm->settings->trial)
		return 0;
	lookup_start(sm->base);
	return kdchosts_start(sm->base, KDCHOST_AGAIN_MS);
}

static int serve(struct secmod *sm)
{
	struct msg_secmod_ready ready = { .ok = 0 };
	int ret;

	signing_init(sm->base);
	sm->settings = load_first(sm, ready.text);
	ret = sm->settings != NULL ? signing_start(sm->settings->signing_threads) : -EINVAL;
	if (ret == 0)
		ret = start_lookups(sm);
	// a reload may change the method: all are ready
	for (size_t i = 0; ret == 0 && methods[i] != NULL; i++)
		ret = methods[i]->start(sm->base);
	for (size_t i = 0; ret == 0 && accountings[i] != NULL; i++)
		ret = accountings[i]->start(sm->base);
	if (ret < 0 && sm->settings != NULL)
		text_format(ready.text, "cannot start: %s", strerror(-ret));
	if (ret == 0)
		ret = take_orders(sm, ready.text);
	if (ret == 0)
		ret = filter_calls(sm, ready.text);
	ready.ok = ret == 0;
	if (ret == 0)
		ret = CHAN_SEND(&sm->main, SECMOD_READY, &ready);
	else
		CHAN_SEND(&sm->main, SECMOD_READY, &ready);
	names_hurry();
	return ret < 0 ? ret : dispatch_run(sm);
}

// Keys and whatever is left of passwords go before the process does.
static void clean_up(struct secmod *sm, int status)
{
	bool busy = signing_stop() < 0;

	for (size_t i = 0; accountings[i] != NULL; i++)
		accountings[i]->stop(sm->base);
	for (size_t i = 0; methods[i] != NULL; i++)
		busy = methods[i]->stop() < 0 || busy;
	kdchosts_stop();
	busy = lookup_stop() < 0 || busy;
	settings_put(sm->pending);
	settings_put(sm->settings);
	if (busy)
		_exit(status);
	if (sm->base != NULL)
		event_base_free(sm->base);
	chan_fini(&sm->main);
}

int main(int argc, char **argv)
{
	struct secmod sm = { .started_ms = monotonic_ms() };
	int ret;

	if (argc == 2 && strcmp(argv[1], PAM_HELPER_OPTION) == 0)
		return pam_helper_main();
	if (argc == 2 && strcmp(argv[1], SPAWNER_OPTION) == 0)
		return spawner_main();
	if (argc == 2 && strcmp(argv[1], NAMES_HELPER_OPTION) == 0)
		return names_helper_main();
	if (argc == 2 && strcmp(argv[1], TOKEN_HELPER_OPTION) == 0)
		return token_helper_main();
	log_init("penstock-secmod", LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	if (argc != 1 || fcntl(CHILD_FD_MAIN, F_SETFD, FD_CLOEXEC) < 0 || fcntl(CHILD_FD_CONF, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr, "penstock-secmod is started by penstockd\n");
		return 2;
	}
	store_boot(sm.boot);
	if (sandbox_harden() < 0 || fill_standard_fds() < 0)
		return 1;
	raise_file_limit();
	settle_signals();
	chan_init(&sm.main, CHILD_FD_MAIN, ROLE_SECMOD, ROLE_MAIN, CHAN_PLAIN, "main");
	sm.base = event_base_new();
	ret = sm.base != NULL ? serve(&sm) : -ENOMEM;
	clean_up(&sm, ret < 0);
	return ret < 0;
}
