// What main tells penstock-metrics, and what a client of it asks for: each becomes a page, in both forms, of lines.
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/metrics/server.h"
#include "proto/log.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = { "anna", "default", "total", "user", "P-256", "outer", "0", NULL };
static struct page *page; // that is being told

static void check_page(struct page *p)
{
	for (int form = 0; form < PAGE_FORMS; form++) {
		struct evbuffer *text = page_text(p, (enum page_form)form);
		size_t len = text ? evbuffer_get_length(text) : 0;
		const char *at = text ? (const char *)evbuffer_pullup(text, -1) : NULL;

		if (!text || (len > 0 && at[len - 1] != '\n'))
			abort();
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)at[i] < ' ' && at[i] != '\n')
				abort();
	}
}

static void on_ask(void *who)
{
	(*(unsigned *)who)++;
}

// A client's bytes, through the real server.
static void ask_over_http(struct event_base *base, struct page *answer, const uint8_t *data, size_t size)
{
	unsigned asked = 0;
	struct server *s = server_new(base, on_ask, &asked);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sun);
	int door = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char buf[4096];

	// a name of the kernel's choice
	if (!s || bind(door, (struct sockaddr *)&sun, sizeof(sa_family_t)) < 0 || listen(door, 4) < 0 ||
	    getsockname(door, (struct sockaddr *)&sun, &len) < 0 || server_listen(s, door) < 0 ||
	    connect(client, (struct sockaddr *)&sun, len) < 0 || send(client, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		abort();
	for (int i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	server_page(s, answer);
	for (int i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	while (recv(client, buf, sizeof(buf), 0) > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
	close(client);
	event_base_loop(base, EVLOOP_NONBLOCK);
	server_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct talk t = { data, data + size, words };
	const size_t request = (size_t)talk_byte(&t) * 4;
	enum msg_number number;
	union msg_any m;

	if (!base) {
		base = event_base_new();
		log_init("fuzz", (enum log_level)(LOG_LEVEL_ERR - 1), LOG_FORM_PLAIN);
	}
	page = page_new();
	if (!base || !page)
		abort();
	if (request < size)
		t.end -= request;
	while (t.at < t.end) {
		number = talk_message(&t, ROLE_MAIN, ROLE_METRICS, &m);
		if (number == MSG_METRICS_SAMPLE && page_add(page, &m.metrics_sample) == -ENOMEM)
			abort();
	}
	check_page(page);
	if (request > 0 && request < size) {
		ask_over_http(base, page, t.end, request);
	} else {
		page_free(page);
	}
	return 0;
}
