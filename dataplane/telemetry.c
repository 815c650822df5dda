#include "telemetry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_version.h>

#include "control.h"
#include "report.h"

#define NAME_MAX_ECHOED 64

struct json {
	char *text;
	size_t used;
};

// What finds no room is cut: the answer is no JSON then, but ends in its room.
__attribute__((format(printf, 2, 3))) static void put(struct json *j, const char *fmt, ...)
{
	size_t room = TELEMETRY_ANSWER_MAX - j->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(j->text + j->used, room, fmt, ap);
	va_end(ap);
	j->used += n < 0 ? 0 : RTE_MIN((size_t)n, room - 1);
}

static void put_number(struct json *j, const char *before, const char *name, uint64_t value)
{
	put(j, "%s\"%s\":%llu", before, name, (unsigned long long)value);
}

// ------------------------------------------------------------------------------------------------------------- commands

static void put_list(const struct control *c, struct json *j);

static void put_info(const struct control *c, struct json *j)
{
	put(j, "{\"version\":\"%s\",\"pid\":%d,\"max_output_len\":%d}", rte_version(), (int)getpid(), TELEMETRY_ANSWER_MAX);
}

static void put_cores(const struct control *c, struct json *j)
{
	put(j, "{");
	for (unsigned i = 0; i < c->dp.n_cores; i++) {
		const struct msg_dp_core m = report_see_core(c, i);
		put(j, "%s\"%u\":", i ? "," : "", m.lcore);
		put_number(j, "{", "cpu", m.cpu);
		put_number(j, ",", "busy_permille", m.busy);
		put_number(j, ",", "busy_now_permille", m.busy_now);
		put_number(j, ",", "busy_us", m.busy_us);
		put_number(j, ",", "packets", m.packets);
		put_number(j, ",", "cycles_per_packet", m.cycles_per_packet);
		put_number(j, ",", "sleeps", m.sleeps);
		put_number(j, ",", "tunnels", m.tunnels);
		put(j, "}");
	}
	put(j, "}");
}

static void put_counters(const struct control *c, struct json *j)
{
	const struct counters sum = report_sum(c);

	for (unsigned i = 0; i < COUNTERS; i++)
		put_number(j, i ? "," : "{", counter_descs[i].name, sum.value[i]);
	put(j, "}");
}

static void put_tunnels(const struct control *c, struct json *j)
{
	uint32_t dtls = RTE_MIN(c->on_dtls, c->n_active);

	put_number(j, "{", "up", c->n_active);
	put_number(j, ",", "dtls", dtls);
	put_number(j, ",", "cstp", c->n_active - dtls);
	put_number(j, ",", "max", c->dp.tunnels_max);
	put(j, "}");
}

static void put_pool(struct json *j, const char *name, uint32_t total, uint32_t free)
{
	put(j, "\"%s\":", name);
	put_number(j, "{", "total", total);
	put_number(j, ",", "free", free);
	put(j, "}");
}

static void put_pools(const struct control *c, struct json *j)
{
	put(j, "{");
	for (unsigned i = 0; i < NUMA_MAX; i++) {
		const struct rte_mempool *p = c->ports.pool[i];
		if (!p)
			continue;
		put_pool(j, p->name, p->size, rte_mempool_avail_count(p));
		put(j, ",");
	}
	put_pool(j, "key sets", c->keys.n, c->keys.n_free);
	put(j, "}");
}

static const struct command_desc {
	const char *name;
	void (*put)(const struct control *c, struct json *j);
} commands[] = {
	{ "/", put_list },
	{ "/info", put_info },
	{ "/penstock/cores", put_cores },
	{ "/penstock/counters", put_counters },
	{ "/penstock/pools", put_pools },
	{ "/penstock/tunnels", put_tunnels },
};

static void put_list(const struct control *c, struct json *j)
{
	for (size_t i = 0; i < RTE_DIM(commands); i++)
		put(j, "%s\"%s\"", i ? "," : "[", commands[i].name);
	put(j, "]");
}

// As in EAL, an unknown command comes back with nothing; what would have to be escaped does not.
static void put_unknown(struct json *j, const char *command, size_t n)
{
	static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-";

	put(j, "{\"");
	for (size_t i = 0; i < RTE_MIN(n, (size_t)NAME_MAX_ECHOED); i++)
		if (command[i] && strchr(fine, command[i]))
			put(j, "%c", command[i]);
	put(j, "\":null}");
}

size_t telemetry_answer(const struct control *c, const char *command, size_t n, char out[TELEMETRY_ANSWER_MAX])
{
	const char *comma = memchr(command, ',', n); // parameters: there are none that we know
	size_t name = comma ? (size_t)(comma - command) : n;
	struct json j = { .text = out };

	for (size_t i = 0; i < RTE_DIM(commands); i++) {
		if (strlen(commands[i].name) != name || memcmp(commands[i].name, command, name) != 0)
			continue;
		put(&j, "{\"%s\":", commands[i].name);
		commands[i].put(c, &j);
		put(&j, "}");
		return j.used;
	}
	put_unknown(&j, command, name);
	return j.used;
}

// -------------------------------------------------------------------------------------------------------------- clients

static bool say(int fd, const char *text, size_t n)
{
	return send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

static int place_free(const struct telemetry *t)
{
	for (int i = 0; i < TELEMETRY_CLIENTS; i++)
		if (!t->fd[i])
			return i;
	return -EUSERS;
}

int telemetry_greet(struct telemetry *t, int fd)
{
	char text[TELEMETRY_ANSWER_MAX];
	struct json j = { .text = text };
	int place = place_free(t);

	put_info(NULL, &j);
	if (place >= 0 && !say(fd, text, j.used))
		place = -EPIPE;
	if (place < 0)
		close(fd);
	else
		t->fd[place] = fd + 1;
	return place;
}

void telemetry_drop(struct telemetry *t, unsigned place)
{
	close(t->fd[place] - 1);
	t->fd[place] = 0;
}

void telemetry_serve(struct control *c, unsigned place)
{
	char command[TELEMETRY_COMMAND_MAX], answer[TELEMETRY_ANSWER_MAX];
	int fd = c->telemetry.fd[place] - 1;
	ssize_t n;

	if (fd < 0)
		return;
	n = recv(fd, command, sizeof(command), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !say(fd, answer, telemetry_answer(c, command, (size_t)n, answer)))
		telemetry_drop(&c->telemetry, place);
}
