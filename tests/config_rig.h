// Configuration files of a test's own, and what loading them says.
#pragma once
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config.h"

#define RIG_UNUSED __attribute__((unused))

static char dir[64]; // of this test's files

static void write_file(const char *name, const char *text, size_t len)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static RIG_UNUSED int rig_set_up(void **state)
{
	strcpy(dir, "/tmp/penstock-config-XXXXXX");
	assert_non_null(mkdtemp(dir));
	write_file("cert.pem", "c", 1);
	write_file("key.pem", "k", 1);
	write_file("passwd", "", 0);
	return 0;
}

static RIG_UNUSED int rig_tear_down(void **state)
{
	static const char *const names[] = { "cert.pem", "key.pem", "passwd", "test.conf", "other.conf" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

struct heard {
	unsigned errors, warnings;
	char text[8192];
};

static void hear(void *who, const struct config_remark *r)
{
	struct heard *h = who;
	size_t used = strlen(h->text);

	*(r->level <= LOG_LEVEL_ERR ? &h->errors : &h->warnings) += 1;
	snprintf(h->text + used, sizeof(h->text) - used, "%s\n", r->whole);
}

#define GOOD                            \
	"auth = plain[passwd=passwd]\n" \
	"tcp-port = 443\n"              \
	"server-cert = cert.pem\n"      \
	"server-key = key.pem\n"        \
	"device = vpns\n"               \
	"run-as-user = nobody\n"        \
	"run-as-group = nogroup\n"      \
	"ipv4-network = 10.9.0.0/24\n"

static int load(const char *name, const char *text, enum config_mode mode, struct heard *h, struct config **c)
{
	char path[128];

	memset(h, 0, sizeof(*h));
	write_file(name, text, strlen(text));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return config_load(path, mode, hear, h, c);
}

// Loads, with these numbers of errors and warnings, one of which says `says`.
static RIG_UNUSED void file_says(const char *text, enum config_mode mode, unsigned errors, unsigned warnings, const char *says)
{
	struct config *c = NULL;
	struct heard h;
	int ret = load("test.conf", text, mode, &h, &c);

	if (h.errors != errors || h.warnings != warnings || (says && !strstr(h.text, says)))
		fail_msg("%s\ngave %u errors, %u warnings:\n%s", text, h.errors, h.warnings, h.text);
	assert_int_equal(ret, errors ? -EINVAL : 0);
	assert_int_equal(c == NULL, errors > 0);
	config_free(c);
}
