// The operator's commands with any words and arguments, on a gateway that has a session, a ban and no children.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/main/admin.h"
#include "control/main/session.h"
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gateway g;
static int theirs;

// Over the real socket, as penstockctl does it.
static void client_new(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "/tmp/penstock-fuzz-%d.socket", (int)getpid());
	theirs = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (admin_open(&g, sun.sun_path) < 0 || connect(theirs, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
	unlink(sun.sun_path);
}

static void gateway_new(void)
{
	const struct ban_rules rules = { 1, 1000000, 1000000 };
	struct msg_session_reply m = { .ok = 1, .sid_len = SID_SIZE, .user = "alice" };
	struct addr who;

	log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	g.base = event_base_new();
	gateway_tables_init(&g);
	g.bans = ban_list_new(&rules, 10);
	addr_parse("192.0.2.1", &who);
	ban_score(g.bans, &who, 1, clock_seconds());
	session_get(&g, &m);
}

// True: the answer has ended.
static bool drain(void)
{
	uint8_t buf[LIMIT_MESSAGE];
	bool ended = false;
	ssize_t n;

	while ((n = recv(theirs, buf, sizeof(buf), 0)) > 0)
		ended = ended || msg_peek(buf, (size_t)n) == MSG_ADMIN_END;
	if (n == 0)
		abort(); // nothing that a client may ask costs it its channel
	return ended;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool ended = false;
	union msg_any m;
	const char *why;

	if (!g.base) {
		gateway_new();
		client_new();
	}
	if (msg_decode(MSG_ADMIN_REQ, data, size, &m, &why) < 0)
		return 0;
	// one ends us, the other never ends
	if (strcmp(m.admin_req.command, "stop now") == 0 || strcmp(m.admin_req.command, "show events") == 0)
		return 0;
	if (send(theirs, data, size, 0) < 0)
		abort();
	for (int i = 0; i < 100 && !ended; i++) {
		event_base_loop(g.base, EVLOOP_NONBLOCK);
		ended = drain();
	}
	if (!ended)
		abort();
	return 0;
}
