#include "eal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_pci.h>

#include "proto/log.h"

#define ARGS_MAX 64
#define ARG_ROOM 8192
#define HUGEPAGES "/sys/kernel/mm/hugepages"
// EAL's own heaps, device objects and what page boundaries waste, on top of what we ask for.
#define SPARE_BYTES (24u << 20)
#define HUGE_PAGE (2u << 20) // as sysctl vm.nr_hugepages counts them

struct args {
	char *argv[ARGS_MAX + 1];
	int argc;
	char text[ARG_ROOM];
	size_t used;
	bool full;
};

static void args_add(struct args *a, const char *word)
{
	size_t n = strlen(word) + 1;

	if (a->argc == ARGS_MAX || n > sizeof(a->text) - a->used) {
		a->full = true;
		return;
	}
	a->argv[a->argc++] = memcpy(a->text + a->used, word, n);
	a->argv[a->argc] = NULL;
	a->used += n;
}

__attribute__((format(printf, 2, 3))) static void args_addf(struct args *a, const char *fmt, ...)
{
	char word[512];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(word, sizeof(word), fmt, ap) >= (int)sizeof(word))
		a->full = true;
	va_end(ap);
	args_add(a, word);
}

static void args_add_words(struct args *a, const char *words)
{
	char word[512];
	size_t n;

	while (*(words += strspn(words, " \t"))) {
		n = strcspn(words, " \t");
		if (n >= sizeof(word)) {
			a->full = true;
			return;
		}
		memcpy(word, words, n);
		word[n] = 0;
		args_add(a, word);
		words += n;
	}
}

// --------------------------------------------------------------------------------------------------------------- memory

static unsigned long read_number(const char *dir, const char *file)
{
	char path[512];
	unsigned long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), HUGEPAGES "/%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

// The size of huge page that has room for all that is needed, 0 if none has. `found` lists what there is.
static unsigned long huge_page_kb(size_t need, char *found, size_t room)
{
	unsigned long kb, avail, best = 0;
	struct dirent *e;
	size_t used = 0;
	DIR *d = opendir(HUGEPAGES);

	found[0] = 0;
	while (d && (e = readdir(d))) {
		if (sscanf(e->d_name, "hugepages-%lukB", &kb) != 1 || kb == 0)
			continue;
		avail = read_number(e->d_name, "free_hugepages");
		avail -= RTE_MIN(avail, read_number(e->d_name, "resv_hugepages"));
		if (used < room)
			used += (size_t)snprintf(found + used, room - used, "%s%lu of %lu kB", used ? ", " : "", avail, kb);
		if (avail * kb >= (need >> 10) && (best == 0 || kb < best))
			best = kb;
	}
	if (d)
		closedir(d);
	return best;
}

static void choose_memory(const struct snapshot *s, size_t need, struct args *a, struct eal_report *r)
{
	const char *wish = snapshot_get(s, "huge-pages");
	unsigned long kb = 0, mb = (need + (1u << 20) - 1) >> 20;
	char found[256];

	if (wish && strcmp(wish, "no") == 0) {
		snprintf(r->memory, sizeof(r->memory), "no huge pages: huge-pages = no, %lu MB of plain memory", mb);
	} else {
		kb = huge_page_kb(need, found, sizeof(found));
		if (kb)
			snprintf(r->memory, sizeof(r->memory), "huge pages of %lu kB, %lu MB needed", kb, mb);
		else
			snprintf(r->memory, sizeof(r->memory), "no huge pages: free are %s, %lu MB needed",
			         found[0] ? found : "none", mb);
	}
	r->huge = kb != 0;
	if (r->huge) {
		args_add(a, "--in-memory");
		return;
	}
	// Without huge pages EAL takes all it will ever have at once, and refuses --in-memory.
	args_add(a, "--no-huge");
	args_add(a, "-m");
	args_addf(a, "%lu", mb);
	args_add(a, "--no-shconf");
	args_addf(a, "--file-prefix=penstock-%d", (int)getpid());
}

// ---------------------------------------------------------------------------------------------------------------- cores

#define CPUS_AUTO_MOST 4

static int cpu_add(struct cpu_list *l, unsigned long cpu)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->cpu[i] == cpu)
			return 0;
	if (l->n == CORES_MAX)
		return -E2BIG;
	l->cpu[l->n++] = (uint16_t)cpu;
	return 0;
}

// "2", "2-5", "1,4-7".
static int cpus_parse(const char *word, const cpu_set_t *may, struct cpu_list *out)
{
	unsigned long from, to;
	char *end;

	do {
		if (!isdigit((unsigned char)*word))
			return -EINVAL;
		from = to = strtoul(word, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			to = strtoul(end + 1, &end, 10);
		for (; from <= to; from++)
			if (from >= CPU_SETSIZE || !CPU_ISSET(from, may) || cpu_add(out, from) < 0)
				return -ERANGE;
		word = end + 1;
	} while (*end == ',');
	return *end ? -EINVAL : 0;
}

static void cpus_text(const cpu_set_t *set, char *out, size_t room)
{
	size_t used = 0;

	out[0] = 0;
	for (unsigned i = 0; i < CPU_SETSIZE && used < room - 8; i++)
		if (CPU_ISSET(i, set))
			used += (size_t)snprintf(out + used, room - used, "%s%u", used ? "," : "", i);
}

// The last half: the first CPUs are where a machine does everything else.
static void cpus_auto(const cpu_set_t *may, struct cpu_list *out)
{
	unsigned all = (unsigned)CPU_COUNT(may), want = RTE_MIN(all / 2, (unsigned)CPUS_AUTO_MOST), skip;

	want = RTE_MAX(want, 1u);
	skip = all - want;

	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, may))
			continue;
		if (skip > 0)
			skip--;
		else
			cpu_add(out, i);
	}
}

int eal_cpus(const struct snapshot *s, struct cpu_list *out, char *why)
{
	char all[CPU_SETSIZE * 5];
	const char *word;
	cpu_set_t may;
	int ret;

	memset(out, 0, sizeof(*out));
	if (sched_getaffinity(0, sizeof(may), &may) < 0)
		return START_ERROR(why, errno, "sched_getaffinity: %s", strerror(errno));
	for (unsigned n = 0; (word = snapshot_nth(s, "poll-core", n)); n++) {
		if (strcmp(word, "auto") == 0)
			continue;
		ret = cpus_parse(word, &may, out);
		if (ret == 0)
			continue;
		cpus_text(&may, all, sizeof(all));
		return START_ERROR(why, -ret,
		                   "poll-core = %s: wanted are CPUs as in 2,4-7, at most %d; this process may use %.200s", word,
		                   CORES_MAX, all);
	}
	if (out->n == 0)
		cpus_auto(&may, out);
	return 0;
}

static void choose_cores(const struct cpu_list *cpus, struct args *a)
{
	char all[CPU_SETSIZE * 5], map[CORES_MAX * 16 + sizeof(all)];
	cpu_set_t may;
	size_t used;

	sched_getaffinity(0, sizeof(may), &may);
	cpus_text(&may, all, sizeof(all));
	used = (size_t)snprintf(map, sizeof(map), "--lcores=%d@(%s)", LCORE_CONTROL, all);
	for (unsigned i = 0; i < cpus->n; i++)
		used += (size_t)snprintf(map + used, sizeof(map) - used, ",%u@%u", LCORE_POLL + i, cpus->cpu[i]);
	args_add(a, map);
	args_addf(a, "--main-lcore=%d", LCORE_CONTROL);
}

// -------------------------------------------------------------------------------------------------------------- devices

bool eal_is_pci(const char *word)
{
	struct rte_pci_addr addr;
	char name[64];
	size_t n = strcspn(word, ",");

	if (n >= sizeof(name))
		return false;
	memcpy(name, word, n);
	name[n] = 0;
	return strchr(name, ':') && rte_pci_addr_parse(name, &addr) == 0;
}

// Only what is named is touched: the machine's other NICs are none of our business.
static bool choose_devices(const struct snapshot *s, struct args *a)
{
	static const char *const options[] = { "outer", "inner" };
	const char *word;
	bool pci = false;

	for (size_t i = 0; i < RTE_DIM(options); i++) {
		for (unsigned n = 0; (word = snapshot_nth(s, options[i], n)); n++) {
			if (!eal_is_pci(word))
				continue;
			args_add(a, "-a");
			args_add(a, word);
			pci = true;
		}
	}
	if (!pci)
		args_add(a, "--no-pci");
	return pci;
}

// ------------------------------------------------------------------------------------------------------------------ log

// DPDK's drivers complain of much that does not matter (a qdisc that the kernel lacks, secondary processes). While starting, what
// they say is kept, and printed only if the start fails.
static struct {
	bool started;
	size_t used;
	char text[4096];
} eal_words;

static void keep_words(const char *buf, size_t n)
{
	size_t room = sizeof(eal_words.text) - eal_words.used;

	if (n + 1 > room)
		return;
	memcpy(eal_words.text + eal_words.used, buf, n);
	eal_words.text[eal_words.used + n] = 0;
	eal_words.used += n + 1;
}

static ssize_t eal_log(void *cookie, const char *buf, size_t size)
{
	int level = rte_log_cur_msg_loglevel();
	size_t n = size;

	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	if (n > 0 && !eal_words.started) {
		log_debug("%.*s", (int)n, buf);
		keep_words(buf, n);
	} else if (n > 0) {
		log_line(level > (int)RTE_LOG_WARNING ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "%.*s", (int)n, buf);
	}
	return (ssize_t)size;
}

void eal_started(bool good)
{
	for (size_t at = 0; !good && at < eal_words.used; at += strlen(eal_words.text + at) + 1)
		log_warn("%s", eal_words.text + at);
	eal_words.started = true;
}

static int redirect_log(void)
{
	static const cookie_io_functions_t io = { .write = eal_log };
	FILE *f = fopencookie(NULL, "w", io);

	if (!f)
		return -ENOMEM;
	setvbuf(f, NULL, _IOFBF, BUFSIZ);
	return rte_openlog_stream(f);
}

int eal_start(const struct snapshot *s, const struct cpu_list *cpus, size_t bytes, struct eal_report *report, char *why)
{
	static struct args args; // EAL keeps pointers into it
	struct args *a = &args;
	const char *words;
	bool pci;
	int ret;

	args_add(a, "penstock-dataplane");
	choose_memory(s, bytes + SPARE_BYTES, a, report);
	choose_cores(cpus, a);
	pci = choose_devices(s, a);
	if (pci && !report->huge)
		return START_ERROR(
		        why, ENOMEM,
		        "a NIC of the dataplane's own takes huge pages (sysctl vm.nr_hugepages=%zu, or lower max-clients): %s",
		        RTE_MAX((size_t)512, (bytes + SPARE_BYTES) / HUGE_PAGE + 64), report->memory);
	if (!pci)
		args_add(a, "--iova-mode=va");
	args_add(a, "--no-telemetry");
	args_add(a, "--log-level=warning");
	for (unsigned n = 0; (words = snapshot_nth(s, "eal-args", n)); n++)
		args_add_words(a, words);
	if (a->full)
		return START_ERROR(why, E2BIG, "eal-args: too many words for EAL");
	ret = redirect_log();
	if (ret < 0)
		return START_ERROR(why, -ret, "no log for EAL");
	ret = rte_eal_init(a->argc, a->argv);
	if (ret < 0 && rte_errno == ENOMEM)
		return START_ERROR(why, ENOMEM, "the machine has not the memory that max-clients takes, lower it: %s",
		                   report->memory);
	if (ret < 0)
		return START_ERROR(why, rte_errno ? rte_errno : EIO, "DPDK's EAL does not start: %s (%s)", rte_strerror(rte_errno),
		                   report->memory);
	// Made for all, used by none of ours: without shared configuration it stays empty.
	rmdir(rte_eal_get_runtime_dir());
	return 0;
}
