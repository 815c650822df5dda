// Whatever a gateway answers penstockctl: it becomes text and JSON in which nothing moves a terminal's cursor. The first byte picks
// the command; an event is shown too, and a packet written down.
#include <jansson.h>
#include <stdio.h>

#include "control/ctl/answer.h"
#include "control/ctl/capture.h"
#include "control/ctl/events.h"
#include "control/ctl/render.h"
#include "control/ctl/text.h"
#include "control/ctl/top.h"
#include "proto/utf8.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = { "ID",     "Username",         "vhost",      "IP",  "Score", "counters", "cores",
	                             "users",  "raw_connected_at", "1700000000", "_RX", "name",  "value",    "raw_rx",
	                             "Packet", "Stages",           "Status",     NULL };

// Lines of printable text, with tabs of ours.
static void check_text(const char *text, size_t len)
{
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = *text == '\n' || *text == '\t' ? 1 : utf8_printable((const uint8_t *)text, len);
		if (n == 0)
			abort();
	}
}

static void check_json(const char *text, size_t len, bool lines)
{
	json_t *whole = json_loadb(text, len, lines ? JSON_DISABLE_EOF_CHECK : 0, NULL);

	if (!whole)
		abort();
	json_decref(whole);
}

static void show(const struct command *c, const struct answer *a)
{
	const struct look look = { .now = 1700000100 };
	char *text;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	if (!out || render_text(out, c, a, &look) < 0 || fclose(out) != 0)
		abort();
	check_text(text, len);
	free(text);
	out = open_memstream(&text, &len);
	if (!out || render_json(out, c, a) < 0 || fclose(out) != 0)
		abort();
	check_json(text, len, false);
	free(text);
}

static void show_event(const struct msg_admin_event *m)
{
	struct events e;
	char *text;
	size_t len;

	for (int json = 0; json < 2; json++) {
		e = (struct events){ .out = open_memstream(&text, &len), .json = json };
		if (!e.out || events_add(&e, m) < 0 || fclose(e.out) != 0)
			abort();
		if (json)
			check_json(text, len, true);
		else
			check_text(text, len);
		free(text);
	}
}

static void add(struct answer *a, enum msg_number number, const union msg_any *m, struct capture *to)
{
	if (number == MSG_ADMIN_VALUE && answer_add(a, &m->admin_value) < 0)
		abort();
	if (number == MSG_ADMIN_EVENT)
		show_event(&m->admin_event);
	if (number == MSG_ADMIN_PACKET && capture_add(to, &m->admin_packet) < 0)
		abort();
}

// None that stands for another: nobody gets an answer to it.
static const struct command *command_of(size_t which)
{
	do
		which = (which + 1) % commands_count;
	while (commands[which].alias_of);
	return &commands[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct capture capture;
	struct talk t = { data, data + size, words };
	const struct command *c = command_of(talk_byte(&t));
	struct top before = { 0 }, now = { .at_ms = 1000 };
	struct answer a = { 0 }, sums = { 0 };
	union msg_any m;

	if (!capture.fd) {
		text_init();
		if (capture_open(&capture, "/dev/null") < 0)
			abort();
	}
	while (t.at < t.end)
		add(&a, talk_message(&t, ROLE_MAIN, ROLE_CTL, &m), &m, &capture);
	if (c->answer == ANSWER_TABLE || c->answer == ANSWER_RECORDS || c->answer == ANSWER_STATUS)
		show(c, &a);
	now.status = now.users = now.dataplane = a;
	if (top_between(&before, &now, (enum top_order)(size % TOP_ORDERS), &sums) < 0)
		abort();
	answer_fini(&sums);
	answer_fini(&a);
	return 0;
}
