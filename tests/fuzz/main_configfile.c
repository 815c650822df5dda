// Whole configuration files: read, folded, checked, and used, as a start, -t, a reload and the file of a user would. What -t lets
// pass can be used; what it does not is said; and a virtual host changes nothing outside it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "control/main/config_read.h"
#include "control/main/lease.h"
#include "control/main/policy.h"
#include "proto/snapshot.h"
#include "proto/utf8.h"

#define NOBODY 65534
#define POOL_BITS 12 // larger ones take their time

struct heard {
	unsigned errors, warnings;
};

static void check(int truth)
{
	if (!truth)
		abort();
}

// One line, fit for a terminal.
static void hear(void *who, const struct config_remark *r)
{
	struct heard *h = who;
	const char *line = r->whole;
	size_t len = strlen(line), n;

	*(r->level <= LOG_LEVEL_ERR ? &h->errors : &h->warnings) += 1;
	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)line + i, len - i);
		check(n > 0);
	}
}

// Paths in the file are looked at by somebody who may not open any device.
static int load(const uint8_t *data, size_t size, enum config_mode mode, struct heard *h, struct config **c)
{
	int fd = memfd_create("penstock.conf", MFD_CLOEXEC), us, ret;
	char path[32];

	check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	us = setfsuid(NOBODY);
	*c = NULL;
	ret = mode == CONFIG_TEST + 1 ? config_load_supplement(path, hear, h, c) : config_load(path, mode, hear, h, c);
	setfsuid((uid_t)us);
	close(fd);
	check(ret == 0 || ret == -EINVAL || ret == -EFBIG);
	check((ret == 0) == (h->errors == 0) && (ret == 0) == (*c != NULL));
	return ret;
}

static void same(const struct config *a, const struct config *b)
{
	for (int o = 0; o < OPT_COUNT; o++) {
		check(config_count(a, (enum opt)o) == config_count(b, (enum opt)o));
		for (unsigned n = 0; n < config_count(a, (enum opt)o); n++)
			check(strcmp(config_nth(a, (enum opt)o, n), config_nth(b, (enum opt)o, n)) == 0);
	}
}

static void try_vhost(const struct config *c, const struct snapshot *s, unsigned vhost)
{
	const char *there, *here;

	check(strcmp(snapshot_vhost_name(s, vhost), config_vhost_name(c)) == 0);
	for (int o = 0; o < OPT_COUNT; o++) {
		unsigned count = opt_table[o].kind == KIND_SECRET ? 0 : config_count(c, (enum opt)o);

		for (unsigned n = 0; n < count; n++) {
			here = config_nth(c, (enum opt)o, n);
			there = snapshot_vhost_nth(s, vhost, opt_table[o].name, n);
			check(there ? strcmp(there, here) == 0 : !here[0] && vhost > 0);
		}
		check(snapshot_vhost_nth(s, vhost, opt_table[o].name, count) == NULL);
	}
}

// The children see what main sees, but for secrets.
static void try_snapshot(const struct config *c)
{
	struct snapshot *s;
	int fd;

	check(config_snapshot(c, NULL, VIEW_PUBLIC, &fd) == 0 && snapshot_open(fd, &s) == 0);
	close(fd);
	check(snapshot_vhosts(s) == config_vhosts(c));
	for (unsigned i = 0; i < config_vhosts(c); i++)
		try_vhost(config_vhost(c, i), s, i);
	snapshot_free(s);
}

static void try_pool(const struct addr *network, unsigned subnet)
{
	struct lease_pool *pool;

	if (!network->family || subnet - network->prefix > POOL_BITS)
		return;
	check(lease_pool_new(network, subnet, &pool) == 0);
	lease_pool_free(pool);
}

static void try_policy(const struct config *c)
{
	struct policy p;

	check(policy_load(c, &p) == 0);
	check(p.n_vhosts == config_vhosts(c) && policy_vhost(&p, "") == &p.vhost[0]);
	for (unsigned i = 0; i < p.n_vhosts; i++) {
		try_pool(&p.vhost[i].terms->ipv4_network, 32);
		try_pool(&p.vhost[i].terms->ipv6_network, p.vhost[i].terms->ipv6_subnet_prefix);
	}
	policy_free(&p);
}

// Where the first section begins; all of it where there is none.
static size_t before_sections(const uint8_t *data, size_t size)
{
	struct config_reader r;
	struct config_line line;
	size_t at = 0;

	config_read_init(&r, (const char *)data, size);
	do
		config_read(&r, &line);
	while (line.kind != LINE_SECTION && line.kind != LINE_END);
	for (unsigned n = 1; line.kind == LINE_SECTION && n < line.line; at++)
		n += data[at] == '\n';
	return line.kind == LINE_SECTION ? at : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c, *again, *global, *own;
	struct heard h[5] = { 0 };
	struct terms *terms;

	load(data, size, CONFIG_TEST + 1, &h[0], &own);
	if (load(data, size, CONFIG_START, &h[1], &c) == 0) {
		check(load(data, size, CONFIG_RELOAD, &h[2], &again) == 0 && h[1].warnings == h[2].warnings);
		check(config_keep(c, again, hear, &h[2]) == 0);
		same(c, again);
		check(load(data, before_sections(data, size), CONFIG_START, &h[3], &global) == 0);
		same(c, global);
		try_snapshot(c);
		try_policy(c);
		if (own && terms_new(c, own, own, own, &terms) == 0)
			terms_put(terms);
		config_free(global);
		config_free(again);
	}
	config_free(c);
	// stricter than a start, in unknown options only
	if (load(data, size, CONFIG_TEST, &h[4], &again) == 0)
		check(h[1].errors == 0);
	config_free(again);
	config_free(own);
	return 0;
}
