#include "server.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/limits.h"
#include "proto/snapshot.h"

#define FRESH_MS 500
#define ANSWER_SECONDS 5  // main's
#define SILENCE_SECONDS 5 // a client's
#define CLIENT_SECONDS 8  // all that it has
#define REQUEST_MAX 8192  // its headers
#define BODY_MAX 1024     // which nobody needs

struct waiting {
	TAILQ_ENTRY(waiting) all;
	struct server *s;
	struct evhttp_request *request;
};

// Which socket a descriptor was when we looked last, and how often it was there.
struct seen {
	uint64_t cookie;
	unsigned looks;
};

struct server {
	struct event_base *base;
	struct evhttp *http;
	struct evhttp_bound_socket *bound; // NULL: nowhere
	struct evconnlistener *listener;   // of bound
	struct event late, look;
	void (*ask)(void *who);
	void *who;
	bool asked;
	struct page *page; // NULL: there was none yet
	uint64_t page_ms;
	TAILQ_HEAD(waiting_list, waiting) waiting;
	struct seen seen[LIMIT_METRICS_FILES];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void timer_set(struct event *timer, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(timer, &tv);
}

// --------------------------------------------------------------------------------------------------------------- answers

static void header(struct evhttp_request *r, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(r), name, value);
}

static void answer_page(struct server *s, struct evhttp_request *r)
{
	enum page_form form = page_form_of(evhttp_find_header(evhttp_request_get_input_headers(r), "Accept"));
	struct evbuffer *text = page_text(s->page, form), *body = evbuffer_new();

	header(r, "Connection", "close");
	if (!text || !body || evbuffer_add_buffer_reference(body, text) < 0) {
		log_warn("no memory for a look at the metrics");
		evhttp_send_error(r, HTTP_SERVUNAVAIL, NULL);
	} else {
		header(r, "Content-Type", page_type(form));
		evhttp_send_reply(r, HTTP_OK, "OK", body);
	}
	if (body)
		evbuffer_free(body);
}

static void waiting_end(struct waiting *w)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(w->request), NULL, NULL);
	TAILQ_REMOVE(&w->s->waiting, w, all);
	free(w);
}

static void on_closed(struct evhttp_connection *c, void *arg)
{
	struct waiting *w = arg;

	TAILQ_REMOVE(&w->s->waiting, w, all);
	free(w);
}

static void answer_all(struct server *s, bool ok)
{
	struct evhttp_request *r;
	struct waiting *w;

	s->asked = false;
	evtimer_del(&s->late);
	while ((w = TAILQ_FIRST(&s->waiting))) {
		r = w->request;
		waiting_end(w);
		if (ok) {
			answer_page(s, r);
			continue;
		}
		header(r, "Connection", "close");
		evhttp_send_error(r, HTTP_SERVUNAVAIL, "the gateway does not answer");
	}
}

void server_page(struct server *s, struct page *page)
{
	page_free(s->page);
	s->page = page;
	s->page_ms = now_ms();
	answer_all(s, true);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	log_warn("main does not answer");
	answer_all(arg, false);
}

// -------------------------------------------------------------------------------------------------------------- requests

static void wait_for_page(struct server *s, struct evhttp_request *r)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w) {
		log_warn("no memory for a look at the metrics");
		evhttp_send_error(r, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	w->s = s;
	w->request = r;
	TAILQ_INSERT_TAIL(&s->waiting, w, all);
	evhttp_connection_set_closecb(evhttp_request_get_connection(r), on_closed, w);
	if (s->asked)
		return;
	s->asked = true;
	timer_set(&s->late, ANSWER_SECONDS * 1000);
	s->ask(s->who);
}

static void on_metrics(struct evhttp_request *r, void *arg)
{
	struct server *s = arg;

	if (evhttp_request_get_command(r) != EVHTTP_REQ_GET) {
		header(r, "Connection", "close");
		header(r, "Allow", "GET");
		evhttp_send_error(r, HTTP_BADMETHOD, NULL);
	} else if (s->page && now_ms() - s->page_ms < FRESH_MS) {
		answer_page(s, r);
	} else {
		wait_for_page(s, r);
	}
}

static void on_other(struct evhttp_request *r, void *arg)
{
	header(r, "Connection", "close");
	evhttp_send_error(r, HTTP_NOTFOUND, NULL);
}

// ----------------------------------------------------------------------------------------------------------- connections

static void look_at(struct seen *seen, int fd)
{
	socklen_t len = sizeof(uint64_t);
	uint64_t cookie = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 || cookie != seen->cookie)
		*seen = (struct seen){ .cookie = cookie };
	else if (cookie && ++seen->looks >= CLIENT_SECONDS)
		shutdown(fd, SHUT_RDWR);
}

// evhttp ends who is silent; this ends who says a byte now and then.
static void on_look(evutil_socket_t unused, short what, void *arg)
{
	struct server *s = arg;
	int own = s->bound ? evhttp_bound_socket_get_fd(s->bound) : -1;

	for (int fd = CHILD_FD_MAIN + 1; fd < LIMIT_METRICS_FILES; fd++)
		if (fd != own)
			look_at(&s->seen[fd], fd);
	if (s->listener)
		evconnlistener_enable(s->listener);
	timer_set(&s->look, 1000);
}

// As many clients as we may have descriptors: the others wait outside until the next look.
static void on_accept_error(struct evconnlistener *listener, void *http)
{
	evconnlistener_disable(listener);
}

int server_listen(struct server *s, int fd)
{
	struct evconnlistener *listener =
	        evconnlistener_new(s->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);

	if (!listener) {
		close(fd);
		return -ENOMEM;
	}
	if (s->bound)
		evhttp_del_accept_socket(s->http, s->bound);
	s->listener = listener;
	s->bound = evhttp_bind_listener(s->http, listener);
	if (s->bound) {
		evconnlistener_set_error_cb(listener, on_accept_error);
		return 0;
	}
	evconnlistener_free(listener);
	s->listener = NULL;
	return -ENOMEM;
}

// ------------------------------------------------------------------------------------------------------------ beginning, end

static struct evhttp *http_new(struct server *s)
{
	struct evhttp *http = evhttp_new(s->base);

	if (!http)
		return NULL;
	evhttp_set_timeout(http, SILENCE_SECONDS);
	evhttp_set_max_headers_size(http, REQUEST_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	// all that evhttp knows: it would say "not implemented" of those that are not allowed here
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
	                                         EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(http, on_other, s);
	if (evhttp_set_cb(http, "/metrics", on_metrics, s) == 0)
		return http;
	evhttp_free(http);
	return NULL;
}

struct server *server_new(struct event_base *base, void (*ask)(void *who), void *who)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = base;
	s->ask = ask;
	s->who = who;
	TAILQ_INIT(&s->waiting);
	s->http = http_new(s);
	if (!s->http) {
		free(s);
		return NULL;
	}
	evtimer_assign(&s->late, base, on_late, s);
	evtimer_assign(&s->look, base, on_look, s);
	timer_set(&s->look, 1000);
	return s;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	answer_all(s, false);
	evtimer_del(&s->look);
	evhttp_free(s->http);
	page_free(s->page);
	free(s);
}
