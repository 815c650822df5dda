// penstock-metrics: tells the gateway's numbers over HTTP. It has them from main, which speaks no HTTP; it has nothing else.
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proto/chan.h"
#include "proto/err.h"
#include "proto/sandbox.h"
#include "proto/snapshot.h"
#include "server.h"

#define SERVE_MOST 64

struct reporter {
	struct chan main;
	struct event_base *base;
	struct event readable;
	struct server *server;
	struct page *page; // that main tells now; NULL: none
	uint32_t token;
	int spare; // a descriptor for what main sends, however many clients there are
	int status;
};

static void end(struct reporter *r, int status)
{
	r->status = status;
	event_base_loopbreak(r->base);
}

// ------------------------------------------------------------------------------------------------------------------ main

#define HANDLERS from_main
#define ON_MAIN_METRICS(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_metrics_listen(void *who, const struct msg_metrics_listen *m, const int *fds)
{
	struct reporter *r = who;
	int ret = server_listen(r->server, chan_take_fd(fds, 0));

	if (ret < 0)
		log_err("cannot listen: %s", strerror(-ret));
	return 0;
}

static int on_metrics_sample(void *who, const struct msg_metrics_sample *m, const int *fds)
{
	struct reporter *r = who;

	return r->page ? page_add(r->page, m) : 0;
}

static int on_metrics_end(void *who, const struct msg_metrics_end *m, const int *fds)
{
	struct reporter *r = who;

	if (!r->page || m->token != r->token)
		return 0;
	server_page(r->server, r->page);
	r->page = NULL;
	return 0;
}

static void on_main(evutil_socket_t fd, short what, void *arg)
{
	struct reporter *r = arg;
	int ret;

	close(r->spare);
	ret = chan_serve(&r->main, from_main, r, SERVE_MOST);
	r->spare = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (ret <= 0 && ret != -EAGAIN)
		end(r, ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS); // main's end is ours
}

static void ask(void *who)
{
	struct reporter *r = who;
	struct msg_metrics_ask m = { .token = ++r->token };
	int ret;

	page_free(r->page);
	r->page = page_new();
	ret = r->page ? CHAN_SEND(&r->main, METRICS_ASK, &m) : -ENOMEM;
	if (ret < 0)
		log_warn("main cannot be asked: %s", strerror(-ret)); // the clients are told when their time is over
}

// -------------------------------------------------------------------------------------------------------------- start-up

static int confine(const struct snapshot *conf)
{
	time_t now = time(NULL);
	struct tm tm;
	int ret;

	// reads the time zone's file, once
	localtime_r(&now, &tm);
	ret = sandbox_drop_user(SANDBOX_METRICS, snapshot_get(conf, "run-as-user"), snapshot_get(conf, "run-as-group"), true);
	if (ret == 0)
		ret = sandbox_limit(SANDBOX_METRICS, false);
	if (ret == 0)
		ret = sandbox_seccomp(SANDBOX_METRICS);
	return ret;
}

static int start(struct reporter *r)
{
	struct snapshot *conf;
	const char *form;
	int ret = snapshot_open(CHILD_FD_CONF, &conf);

	if (ret < 0)
		return errno_log(-ret, "no configuration: %s", strerror(-ret));
	close(CHILD_FD_CONF);
	form = snapshot_get(conf, "@log-form");
	log_init("penstock-metrics", (enum log_level)snapshot_number(conf, "@log-level"),
	         form && strcmp(form, "priority") == 0 ? LOG_FORM_PRIORITY : LOG_FORM_PLAIN);
	r->base = event_base_new();
	r->server = r->base ? server_new(r->base, ask, r) : NULL;
	r->spare = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (!r->server || r->spare < 0)
		ret = errno_log(ENOMEM, "out of memory");
	if (ret == 0)
		ret = confine(conf);
	snapshot_free(conf);
	return ret;
}

int main(void)
{
	static struct reporter r;

	log_init("penstock-metrics", LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	signal(SIGPIPE, SIG_IGN);
	if (sandbox_harden() < 0)
		return EXIT_FAILURE;
	chan_init(&r.main, CHILD_FD_MAIN, ROLE_METRICS, ROLE_MAIN, CHAN_PLAIN, "main");
	if (start(&r) < 0)
		return EXIT_FAILURE;
	event_assign(&r.readable, r.base, CHILD_FD_MAIN, EV_READ | EV_PERSIST, on_main, &r);
	event_add(&r.readable, NULL);
	event_base_dispatch(r.base);
	event_del(&r.readable);
	server_free(r.server);
	page_free(r.page);
	event_base_free(r.base);
	return r.status;
}
