// What an attack costs the others: a row of the table that `make hostile` prints, and what every row has to show: nobody else's
// ping is lost, each process of the gateway is the same one with as many descriptors as before, and its memory has not grown by
// more than a bound.
#pragma once
#include <signal.h>

#include "bystander.h"
#include "probe.h"
#include "sanitized.h"

// From the first row to the last: the heap's own play, and what tunnels leave that were never used before.
#define MEASURE_GROWTH_KIB 6144
#define MEASURED_MAX 3

static struct measured {
	const char *name;
	pid_t pid;
	int fds, spare;      // so many of which are of somebody who will be gone at some time
	long first_kib, kib; // at the beginning, and of this row
} measured[MEASURED_MAX];
static int n_measured;

static struct {
	const char *name;
	long cases;
	uint64_t ended_us, login_us; // the longest until an offender had lost its channel; the slowest honest login meanwhile
	uint64_t attacked_us;
} row;

static PROBE_UNUSED void measure_process(const char *name, pid_t pid)
{
	assert_true(pid > 0); // tests send it signals, and -1 is everybody
	measured[n_measured++] = (struct measured){
		.name = name, .pid = pid, .fds = probe_count_fds(pid), .first_kib = probe_status_kib(pid, "VmRSS:")
	};
}

static PROBE_UNUSED void measure_begin(const char *name)
{
	memset(&row, 0, sizeof(row));
	row.name = name;
	for (int i = 0; i < n_measured; i++)
		measured[i].kib = probe_status_kib(measured[i].pid, "VmRSS:");
	bystander_begin();
}

static PROBE_UNUSED void measure_attack(void)
{
	row.cases++;
	row.attacked_us = now_us();
}

static PROBE_UNUSED void measure_ended(void)
{
	uint64_t took = now_us() - row.attacked_us;

	row.ended_us = took > row.ended_us ? took : row.ended_us;
}

static PROBE_UNUSED void measure_login(uint64_t began_us)
{
	uint64_t took = now_us() - began_us;

	row.login_us = took > row.login_us ? took : row.login_us;
}

static bool measure_fds_settle(const struct measured *m)
{
	for (int i = 0; i < 3000; i++) {
		int now = probe_count_fds(m->pid);

		if (now <= m->fds && now >= m->fds - m->spare)
			return true;
		usleep(1000);
	}
	return false;
}

static void put_ms(char *out, size_t room, uint64_t us)
{
	if (us)
		snprintf(out, room, "%.1f ms", (double)us / 1000);
	else
		snprintf(out, room, "-");
}

// | attack | cases | offender ended within | bystander: pings, lost, worst | honest login | descriptors | memory, MiB |
static PROBE_UNUSED void measure_end(void)
{
	char ended[32], login[32], pings[64] = "-", fds[64] = "", memory[128] = "", worst[32];
	uint32_t sent = 0, lost = bystander.lane >= 0 ? bystander_end(&sent) : 0;
	size_t at = 0, used = 0;

	for (int i = 0; i < n_measured; i++) {
		struct measured *m = &measured[i];
		bool same = kill(m->pid, 0) == 0 && measure_fds_settle(m);
		long now = probe_status_kib(m->pid, "VmRSS:");

		at += (size_t)snprintf(fds + at, sizeof(fds) - at, "%s%d -> %d", i ? ", " : "", m->fds, probe_count_fds(m->pid));
		used += (size_t)snprintf(memory + used, sizeof(memory) - used, "%s%.1f -> %.1f", i ? ", " : "",
		                         (double)m->kib / 1024, (double)now / 1024);
		if (!same)
			fail_msg("%s: %s (pid %d) has %d descriptors, not %d", row.name, m->name, (int)m->pid,
			         probe_count_fds(m->pid), m->fds);
		if (!SANITIZED && now - m->first_kib > MEASURE_GROWTH_KIB)
			fail_msg("%s: %s has grown from %ld to %ld KiB", row.name, m->name, m->first_kib, now);
	}
	put_ms(ended, sizeof(ended), row.ended_us);
	put_ms(login, sizeof(login), row.login_us);
	put_ms(worst, sizeof(worst), bystander.worst_us);
	if (sent)
		snprintf(pings, sizeof(pings), "%u of %u lost, %s", lost, sent, worst);
	print_message("| %s | %ld | %s | %s | %s | %s | %s |\n", row.name, row.cases, ended, pings, login, fds, memory);
	if (lost)
		fail_msg("%s: the bystander has lost %u of %u pings", row.name, lost, sent);
}
