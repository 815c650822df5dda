// CPU time of a server: one process and all its descendants, those that were waited for included. DPDK's poll cores are left out:
// they spin.
#pragma once
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct server_cpu {
	double seconds;
	size_t processes;
};

struct process {
	int pid, parent;
	double children; // seconds of those it has waited for
	bool ours;
};

static size_t file_read(const char *path, char *text, size_t room)
{
	FILE *f = fopen(path, "re");
	size_t len = f ? fread(text, 1, room - 1, f) : 0;

	if (f)
		fclose(f);
	text[len] = 0;
	return len;
}

// Fields 4, 16 and 17 of proc(5)'s stat: parent, cutime, cstime.
static bool process_read(int pid, struct process *p)
{
	unsigned long long user, system;
	char path[64], text[1024], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file_read(path, text, sizeof(text));
	end = strrchr(text, ')');
	if (!end ||
	    sscanf(end + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %llu %llu", &p->parent, &user, &system) != 3)
		return false;
	p->pid = pid;
	p->children = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	p->ours = false;
	return true;
}

// In nanoseconds, where stat would round each of many short lives down to nothing.
static double thread_seconds(int pid, int thread)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, thread);
	file_read(path, text, sizeof(text));
	if (strncmp(text, "rte-worker", 10) == 0 || strncmp(text, "lcore-worker", 12) == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, thread);
	file_read(path, text, sizeof(text));
	return strtod(text, NULL) / 1e9;
}

static double process_seconds(const struct process *p)
{
	double sum = p->children;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", p->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL)
		if (atoi(entry->d_name) > 0)
			sum += thread_seconds(p->pid, atoi(entry->d_name));
	if (dir)
		closedir(dir);
	return sum;
}

static size_t processes_read(struct process **all)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	struct process one;
	size_t n = 0;

	*all = NULL;
	while (dir && (entry = readdir(dir)) != NULL) {
		if (atoi(entry->d_name) <= 0 || !process_read(atoi(entry->d_name), &one))
			continue;
		*all = realloc(*all, (n + 1) * sizeof(**all));
		if (!*all)
			abort();
		(*all)[n++] = one;
	}
	if (dir)
		closedir(dir);
	return n;
}

static struct server_cpu server_cpu(int top)
{
	struct server_cpu sum = { 0 };
	struct process *all;
	size_t n = processes_read(&all), i, j;
	bool more = true;

	for (i = 0; i < n; i++)
		all[i].ours = all[i].pid == top;
	while (more) {
		more = false;
		for (i = 0; i < n; i++)
			for (j = 0; j < n && !all[i].ours; j++)
				if (all[j].ours && all[j].pid == all[i].parent)
					more = all[i].ours = true;
	}
	for (i = 0; i < n; i++) {
		if (!all[i].ours)
			continue;
		sum.seconds += process_seconds(&all[i]);
		sum.processes++;
	}
	free(all);
	return sum;
}
