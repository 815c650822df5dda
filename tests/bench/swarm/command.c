// Standard input: a command a line, each answered by a line of JSON on standard output when it is done.
#include "swarm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ECHO_AGAIN 1.0

static char input[4096];
static size_t input_len;
static bool ended;
static uint64_t broken_before; // at the last answer: who has just been told to wait for an end may come after it

// What is being done.
static struct {
	char line[128];
	bool (*done)(void);
	double began, until, first, half;
	uint64_t want_broken;
	unsigned up_then;
} doing;

static unsigned count_up(void)
{
	unsigned i, n = 0;

	for (i = 0; i < wish.clients; i++)
		n += swarm[i].wanted && client_settled(&swarm[i]);
	return n;
}

static unsigned count_wanted(void)
{
	unsigned i, n = 0;

	for (i = 0; i < wish.clients; i++)
		n += swarm[i].wanted;
	return n;
}

// -------------------------------------------------------------------------------------------------------------- answers

static void print_list(const char *name, const char *const *names, const uint64_t *values)
{
	const char *comma = "";

	printf(", \"%s\": {", name);
	for (; *names; names++, values++) {
		if (*values == 0)
			continue;
		printf("%s\"%s\": %lu", comma, *names, *values);
		comma = ", ";
	}
	printf("}");
}

static void print_counts(void)
{
	static const char *const stages[STAGES + 1] = { "down", "tcp", "tls", "init", "user", "password", "connect", "up", NULL };
	unsigned i, dtls = 0, connected = 0;

	for (i = 0; i < wish.clients; i++) {
		connected += swarm[i].stage == STAGE_UP;
		dtls += swarm[i].channel == CHANNEL_UP;
	}
	printf(", \"wanted\": %u, \"connected\": %u, \"dtls\": %u, \"logins\": %lu, \"returns\": %lu, \"lost\": %lu, \"broken\": "
	       "%lu, "
	       "\"refused\": %lu, \"let_in\": %lu, \"goodbyes\": %lu, \"handshakes\": %lu, \"handshakes_failed\": %lu, \"sent\": "
	       "%lu, "
	       "\"answered\": %lu, \"astray\": %lu",
	       count_wanted(), connected, dtls, counts.logins, counts.returns, counts.lost, counts.broken, counts.refused,
	       counts.let_in, counts.goodbyes, counts.handshakes, counts.handshakes_failed, counts.sent, counts.answered,
	       counts.astray);
	print_list("failed", stages, counts.failed);
	print_list("deeds", churn_names, counts.deeds);
}

static void answer(bool ok)
{
	printf("{\"command\": \"%s\", \"ok\": %s, \"seconds\": %.2f", doing.line, ok ? "true" : "false", now - doing.began);
	if (doing.first > 0)
		printf(", \"first\": %.2f", doing.first - doing.began);
	if (doing.half > 0)
		printf(", \"half\": %.2f", doing.half - doing.began);
	print_counts();
	printf("}\n");
	fflush(stdout);
	broken_before = counts.broken;
	doing.done = NULL;
}

// ------------------------------------------------------------------------------------------------------------- commands

static bool at_once(void)
{
	return true;
}

static bool settled(void)
{
	unsigned i;

	for (i = 0; i < wish.clients; i++)
		if (!client_settled(&swarm[i]))
			return false;
	return true;
}

// When the first and the half of them were up (again): a gateway that serves nobody for a while is told from a slow one.
static void note_progress(void)
{
	unsigned up = count_up(), wanted = count_wanted();

	if (up < doing.up_then)
		doing.up_then = up;
	if (doing.first == 0 && up > doing.up_then)
		doing.first = now;
	if (doing.half == 0 && doing.first > 0 && up >= doing.up_then + (wanted - doing.up_then) / 2)
		doing.half = now;
}

static bool all_up(void)
{
	note_progress();
	return settled();
}

static void up(unsigned n)
{
	unsigned i;

	for (i = 0; i < wish.clients && i < n; i++)
		swarm[i].wanted = true;
	doing.done = all_up;
}

static bool all_back(void)
{
	note_progress();
	return counts.broken - broken_before >= doing.want_broken && settled();
}

// So many connections are ended by the other side since the last answer, and all come back.
static void await_return(unsigned n)
{
	doing.want_broken = n;
	doing.done = all_back;
}

// An answer to any echo since it was asked for will do.
static bool has_answer(const struct client *c)
{
	return c->stage == STAGE_UP && (int16_t)(c->echo_answered - c->pinged) > 0;
}

static bool all_answered(void)
{
	bool all = true;
	unsigned i;

	for (i = 0; i < wish.clients; i++) {
		struct client *c = &swarm[i];

		if (!c->wanted || has_answer(c))
			continue;
		all = false;
		if (c->stage == STAGE_UP && now - c->echo_sent > ECHO_AGAIN)
			tunnel_echo(c, 0);
	}
	return all;
}

static void ping(unsigned n)
{
	unsigned i;

	for (i = 0; i < wish.clients; i++) {
		swarm[i].echo_sent = 0;
		swarm[i].pinged = swarm[i].echo;
	}
	doing.done = all_answered;
}

static void cut_all(unsigned n)
{
	unsigned i;

	for (i = 0; i < wish.clients; i++)
		if (swarm[i].stage != STAGE_DOWN)
			client_break(&swarm[i], false);
	doing.done = all_up;
}

static bool churned(void)
{
	return churn_done() && settled();
}

static void churn(unsigned seconds)
{
	doing.until += seconds;
	churn_begin(seconds);
	doing.done = churned;
}

// Every one of the UDP ways is open again.
static void udp_all(unsigned n)
{
	unsigned i;

	for (i = 0; i < wish.clients; i++) {
		if (swarm[i].silent && swarm[i].stage == STAGE_UP && !wish.no_dtls)
			dtls_begin(&swarm[i]);
		swarm[i].silent = false;
	}
	doing.done = settled;
}

static void down(unsigned n)
{
	unsigned i;

	for (i = 0; i < wish.clients; i++)
		client_goodbye(&swarm[i]);
	doing.done = settled;
}

static void say_counts(unsigned n)
{
	doing.done = at_once;
}

static const struct {
	const char *name;
	void (*begin)(unsigned n);
	unsigned n; // where it is not said; 0: as many as there are clients
} commands[] = {
	{ "up", up, 0 },        { "return", await_return, 0 }, { "ping", ping, 0 }, { "cut", cut_all, 0 },
	{ "churn", churn, 10 }, { "udp", udp_all, 0 },         { "down", down, 0 }, { "counts", say_counts, 0 },
};

static void begin(const char *line)
{
	size_t i, len = strcspn(line, " ");

	memset(&doing, 0, sizeof(doing));
	snprintf(doing.line, sizeof(doing.line), "%.*s", (int)strcspn(line, "\"\\"), line);
	doing.began = now;
	doing.until = now + wish.patience;
	doing.up_then = count_up();
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		unsigned n = line[len] ? (unsigned)atoi(line + len) : 0;

		if (strlen(commands[i].name) != len || strncmp(commands[i].name, line, len) != 0)
			continue;
		n = n ? n : commands[i].n;
		commands[i].begin(n ? n : wish.clients);
		return;
	}
	fprintf(stderr, "there is no command '%s'\n", doing.line);
	answer(false);
}

void command_read(void)
{
	ssize_t n;

	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	n = read(STDIN_FILENO, input + input_len, sizeof(input) - 1 - input_len);
	if (n > 0)
		input_len += (size_t)n;
	ended |= n == 0 || input_len == sizeof(input) - 1;
	input[input_len] = 0;
}

void command_tick(void)
{
	char *end;

	if (doing.done && (doing.done() || now > doing.until))
		answer(doing.done());
	end = doing.done ? NULL : strchr(input, '\n');
	if (!end)
		return;
	*end = 0;
	begin(input);
	input_len -= (size_t)(end + 1 - input);
	memmove(input, end + 1, input_len + 1);
}

bool command_ended(void)
{
	return ended && !doing.done && !strchr(input, '\n');
}
