// The doctor on cores and memory: huge pages, who else runs on poll cores, where they are.
#include <stdlib.h>
#include <string.h>

#include "doctor_tree.h"

#define NODES 64
#define HUGE_WANTED_MB 256 // twice what 8192 clients take

// ------------------------------------------------------------------------------------------------------------- huge pages

static long long huge_mb(const struct doctor *d, const char *what)
{
	long long small = tree_number(d, "/sys/kernel/mm/hugepages/hugepages-2048kB/%s", what);
	long long large = tree_number(d, "/sys/kernel/mm/hugepages/hugepages-1048576kB/%s", what);

	return (small > 0 ? small * 2 : 0) + (large > 0 ? large * 1024 : 0);
}

void doctor_huge_pages(struct doctor *d)
{
	static const char *const fix = "sysctl vm.nr_hugepages=512, and the same in /etc/sysctl.d/, then restart the gateway";
	long long all = huge_mb(d, "nr_hugepages"), free_mb = huge_mb(d, "free_hugepages");
	char wanted[16];

	if (conf_nth(d->conf, "huge-pages", 0, wanted, sizeof(wanted)) && strcmp(wanted, "no") == 0)
		doctor_say(d, DOCTOR_OK, "", "huge-pages = no: none are wanted");
	else if (all == 0)
		doctor_say(d, DOCTOR_WARN, fix, "there are none: the data path runs on ordinary memory, which is slower");
	else if (all < HUGE_WANTED_MB)
		doctor_say(d, DOCTOR_WARN, fix, "%lld MB are few, and %lld MB of them free", all, free_mb);
	else
		doctor_say(d, DOCTOR_OK, "", "%lld MB, %lld MB of them free", all, free_mb);
}

// ----------------------------------------------------------------------------------------------------------------- cores

static void say_governor(struct doctor *d, unsigned cpu)
{
	char governor[32];

	if (!tree_read(d, governor, sizeof(governor), "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", cpu))
		return;
	if (strcmp(governor, "performance") != 0)
		doctor_say(d, DOCTOR_WARN, "cpupower frequency-set -g performance", "CPU %u may slow down: its governor is %s", cpu,
		           governor);
}

// Two threads of one core share what AES is computed with.
static void say_sibling(struct doctor *d, unsigned cpu)
{
	bool siblings[DOCTOR_CPUS] = { false };
	char text[256];

	if (!tree_read(d, text, sizeof(text), "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu) ||
	    !cpulist_parse(text, siblings))
		return;
	for (unsigned i = cpu + 1; i < DOCTOR_CPUS; i++)
		if (siblings[i] && d->poll[i])
			doctor_say(d, DOCTOR_WARN, "name one CPU of each core in poll-core",
			           "CPUs %u and %u, which both poll, are one core", cpu, i);
}

static void say_others(struct doctor *d, const char *cores)
{
	bool isolated[DOCTOR_CPUS] = { false };
	char text[DOCTOR_TEXT], mode[16] = "";
	unsigned shared = 0;

	if (tree_read(d, text, sizeof(text), "/sys/devices/system/cpu/isolated"))
		cpulist_parse(text, isolated);
	for (unsigned i = 0; i < DOCTOR_CPUS; i++)
		shared += d->poll[i] && !isolated[i];
	conf_nth(d->conf, "poll-mode", 0, mode, sizeof(mode));
	if (!shared)
		doctor_say(d, DOCTOR_OK, "", "CPUs %s poll, and are isolated", cores);
	else if (strcmp(mode, "busy") == 0)
		doctor_say(d, DOCTOR_WARN, "isolcpus= and nohz_full= on the kernel's command line, with the CPUs of poll-core",
		           "CPUs %s poll all the time, and other programs may run there", cores);
	else
		doctor_say(d, DOCTOR_OK, "", "CPUs %s poll when there is something to do; other programs may run there as well",
		           cores);
}

void doctor_cores(struct doctor *d)
{
	char cores[256] = "", text[DOCTOR_TEXT];
	bool online[DOCTOR_CPUS] = { false };
	size_t used = 0;

	if (!tree_read(d, text, sizeof(text), "/sys/devices/system/cpu/online") || !cpulist_parse(text, online))
		return;
	for (unsigned i = 0; i < DOCTOR_CPUS; i++) {
		if (!d->poll[i])
			continue;
		if (used < sizeof(cores) - 8)
			used += (size_t)snprintf(cores + used, sizeof(cores) - used, "%s%u", used ? "," : "", i);
		if (!online[i]) {
			doctor_say(d, DOCTOR_FAIL, "name others in poll-core, or switch it on in /sys/devices/system/cpu",
			           "CPU %u of poll-core is not there", i);
			continue;
		}
		say_governor(d, i);
		say_sibling(d, i);
	}
	say_others(d, cores);
}

void doctor_encryption(struct doctor *d)
{
	static const char *const wanted[] = { " vaes", " avx512f", " aes" };
	char text[65536], *flags, *end;

	if (!tree_read(d, text, sizeof(text), "/proc/cpuinfo"))
		return;
	flags = strstr(text, "\nflags");
	end = flags ? strchr(flags + 1, '\n') : NULL;
	if (end)
		*end = '\0';
	for (size_t i = 0; flags && i < sizeof(wanted) / sizeof(*wanted); i++)
		if (strstr(flags, wanted[i])) {
			doctor_say(d, DOCTOR_OK, "", "the CPU has%s", wanted[i]);
			return;
		}
	doctor_say(d, DOCTOR_WARN, "in a virtual machine: pass the host's CPU through (-cpu host)",
	           "the CPU has no instructions for AES");
}
