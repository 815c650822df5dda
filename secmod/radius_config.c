#include "secmod/radius_config.h"

#include <errno.h>
#include <radcli/radcli.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/lookup.h"

#define DEAD_SECONDS 30 // where radius_deadtime says nothing
#define DEAD_SECONDS_MAX 86400
#define TIMES_MAX 300 // seconds to wait, and how often: more would outlive any login

_Static_assert(RADIUS_SECRET_MAX == MAX_SECRET_LENGTH && RADIUS_SERVERS_MAX == SERVER_MAX, "radcli's bounds");

// ---------------------------------------------------------------------------------------------------- what radcli complains of

// It tells syslog, and syslog tells descriptor 2: what comes there meanwhile is kept.
struct hearing {
	int stderr_fd, heard;
};

static void hearing_begin(struct hearing *h)
{
	h->stderr_fd = dup(2);
	h->heard = memfd_create("radcli", MFD_CLOEXEC);
	if (h->heard >= 0)
		dup2(h->heard, 2);
	openlog("radcli", LOG_PERROR, LOG_AUTH);
	setlogmask(LOG_UPTO(LOG_ERR));
}

// "radcli: radcli: rc_read_config: FILE: line 1: ..." a line; the words before the file say nothing to an operator.
static void hearing_end(struct hearing *h, char text[LIMIT_TEXT + 1])
{
	char heard[LIMIT_TEXT / 2] = "", *p;
	ssize_t n = h->heard >= 0 ? pread(h->heard, heard, sizeof(heard) - 1, 0) : 0;

	closelog();
	if (h->stderr_fd >= 0) {
		dup2(h->stderr_fd, 2);
		close(h->stderr_fd);
	}
	if (h->heard >= 0)
		close(h->heard);
	heard[n > 0 ? n : 0] = '\0';
	while ((p = strstr(heard, "radcli: ")) != NULL)
		memmove(p, p + 8, strlen(p + 8) + 1);
	while ((p = strstr(heard, "rc_")) != NULL && strstr(p, ": ") != NULL)
		memmove(p, strstr(p, ": ") + 2, strlen(strstr(p, ": ") + 2) + 1);
	for (p = heard; (p = strchr(p, '\n')) != NULL;)
		*p = p[1] != '\0' ? ';' : '\0';
	text_copy(text, LIMIT_TEXT, heard);
}

// ---------------------------------------------------------------------------------------------------------------- reading

static int copy_word(char *out, size_t most, const char *word)
{
	if (word == NULL)
		return 0;
	if (strlen(word) > most)
		return -EINVAL;
	strcpy(out, word);
	return 0;
}

static int copy_ip(struct addr *out, const char *text)
{
	struct addr a;

	if (text == NULL || strcmp(text, "*") == 0)
		return 0;
	if (addr_parse(text, &a) < 0)
		return -EINVAL;
	*out = a;
	return 0;
}

static int take_server(struct radius_config_server *s, const SERVER *list, int i, const char *file, char text[LIMIT_TEXT + 1])
{
	if (copy_word(s->name, RADIUS_SERVER_NAME_MAX, list->name[i]) < 0)
		return text_refuse(text, "%s: the name of a server is too long", file);
	if (copy_word(s->secret, RADIUS_SECRET_MAX, list->secret[i]) < 0)
		return text_refuse(text, "%s: the secret of %s is longer than %d bytes", file, s->name, RADIUS_SECRET_MAX);
	s->addr.port = list->port[i];
	return 0;
}

static int take_servers(struct radius_config *c, const rc_handle *rh, const char *file, char text[LIMIT_TEXT + 1])
{
	const char *option = c->purpose == RADIUS_AUTH ? "authserver" : "acctserver";
	const SERVER *list = rc_conf_srv(rh, option);
	int ret = 0;

	if (list == NULL || list->max <= 0)
		return text_refuse(text, "%s: no %s is there", file, option);
	for (int i = 0; i < list->max && i < SERVER_MAX && ret == 0; i++)
		ret = take_server(&c->server[c->n_servers++], list, i, file, text);
	return ret;
}

static int refuse_line(char *line, const char *file, char text[LIMIT_TEXT + 1])
{
	char *rest, *key = strtok_r(line, " \t\r\n", &rest), *value = key != NULL ? strtok_r(NULL, " \t\r\n", &rest) : NULL;
	struct addr a;

	if (value == NULL)
		return 0;
	if (strcmp(key, "serv-type") == 0 && strcasecmp(value, "udp") != 0)
		return text_refuse(text, "%s: serv-type %s is not supported: only udp is", file, value);
	if (strcmp(key, "bindaddr") == 0 && copy_ip(&a, value) < 0)
		return text_refuse(text, "%s: bindaddr is no address", file);
	return 0;
}

// What radcli would not only read but do: it connects to servers of TLS, and resolves bindaddr.
static int refuse_deeds(const char *file, char text[LIMIT_TEXT + 1])
{
	FILE *f = fopen(file, "re");
	char line[512];
	int ret = 0;

	while (f != NULL && ret == 0 && fgets(line, sizeof(line), f) != NULL)
		ret = refuse_line(line, file, text);
	secret_wipe(line, sizeof(line));
	if (f != NULL)
		fclose(f);
	return ret;
}

// What is there but cannot be followed is refused: silently leaving TLS away would be the worst of all.
static int refuse_others(const rc_handle *rh, const char *file, char text[LIMIT_TEXT + 1])
{
	const char *kind = rc_conf_str(rh, "serv-type");

	if (kind != NULL && strcasecmp(kind, "udp") != 0)
		return text_refuse(text, "%s: serv-type %s is not supported: only udp is", file, kind);
	if (rc_conf_str(rh, "namespace") != NULL)
		return text_refuse(text, "%s: namespace is not supported", file);
	return 0;
}

static uint32_t at_most(int n, int most)
{
	return (uint32_t)(n < most ? n : most);
}

static int take_options(struct radius_config *c, const rc_handle *rh, const char *file, char text[LIMIT_TEXT + 1])
{
	int dead = rc_conf_int(rh, "radius_deadtime");

	// radcli has refused what is below 1
	c->wait_ms = 1000 * at_most(rc_conf_int(rh, "radius_timeout"), TIMES_MAX);
	c->retries = at_most(rc_conf_int(rh, "radius_retries"), TIMES_MAX);
	c->dead_ms = 1000 * at_most(dead > 0 ? dead : DEAD_SECONDS, DEAD_SECONDS_MAX);
	if (copy_word(c->nas_identifier, RADIUS_WORD_MAX, rc_conf_str(rh, "nas-identifier")) < 0)
		return text_refuse(text, "%s: nas-identifier is longer than %d bytes", file, RADIUS_WORD_MAX);
	if (copy_word(c->realm, RADIUS_WORD_MAX, rc_conf_str(rh, "default_realm")) < 0)
		return text_refuse(text, "%s: default_realm is longer than %d bytes", file, RADIUS_WORD_MAX);
	if (copy_ip(&c->nas_ip, rc_conf_str(rh, "nas-ip")) < 0)
		return text_refuse(text, "%s: nas-ip is no address", file);
	if (copy_ip(&c->bind, rc_conf_str(rh, "bindaddr")) < 0)
		return text_refuse(text, "%s: bindaddr is no address", file);
	return 0;
}

// ---------------------------------------------------------------------------------------------------------------- secrets

static bool is_meant(const char *name, const struct radius_config_server *s, bool by_address)
{
	struct addr a = { 0 };

	return by_address ? lookup_numeric(name, &a) == 0 && addr_equal(&a, &s->addr) : strcasecmp(name, s->name) == 0;
}

// A line "name secret", or "name/ours secret" of a pair. Is it this server's? Then its secret is taken.
static bool take_secret(struct radius_config_server *s, char *line, bool by_address)
{
	char *rest, *name = strtok_r(line, " \t\r\n", &rest), *secret;

	if (name == NULL || name[0] == '#')
		return false;
	secret = strtok_r(NULL, " \t\r\n", &rest);
	if (secret == NULL || strlen(secret) > RADIUS_SECRET_MAX)
		return false;
	for (name = strtok_r(name, "/", &rest); name != NULL; name = strtok_r(NULL, "/", &rest)) {
		if (is_meant(name, s, by_address)) {
			strcpy(s->secret, secret);
			return true;
		}
	}
	return false;
}

// Not by radcli: where the last line is not the one, it takes that for a match, and the secret of another server with it.
static int find_secret(struct radius_config_server *s, const char *path, bool by_address)
{
	FILE *f = path != NULL ? fopen(path, "re") : NULL;
	char line[512];
	bool found = false;

	if (f == NULL)
		return -ENOENT;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = take_secret(s, line, by_address);
	secret_wipe(line, sizeof(line));
	fclose(f);
	return found ? 0 : -ENOENT;
}

// The secret stands beside the server, or in the file that `servers` names: under its name, or under its address however that is
// written. Names are not resolved for it.
static int complete(struct radius_config_server *s, const rc_handle *rh, char text[LIMIT_TEXT + 1])
{
	const char *path = rc_conf_str(rh, "servers");
	bool named = true;
	struct addr a;

	if (lookup_numeric(s->name, &a) == 0) {
		a.port = s->addr.port;
		s->addr = a;
		named = false;
	}
	if (s->secret[0] != '\0' || find_secret(s, path, false) == 0 || (!named && find_secret(s, path, true) == 0))
		return 0;
	s->addr.family = 0;
	return text_refuse(text, "server %s: it has no secret%s%s%s", s->name, path != NULL ? " in " : "", path != NULL ? path : "",
	                   named && path != NULL ? " under that name" : "");
}

static int complete_all(struct radius_config *c, const rc_handle *rh, const char *file, char text[LIMIT_TEXT + 1])
{
	unsigned good = 0;

	for (unsigned i = 0; i < c->n_servers; i++) {
		struct radius_config_server *s = &c->server[i];
		char why[LIMIT_TEXT + 1];

		if (complete(s, rh, why) < 0) {
			log_warn("RADIUS: %s: %s: it will not be asked before the next reload", file, why);
			text_format(text, "%s: %s", file, why);
			continue;
		}
		good++;
	}
	return good > 0 ? 0 : -EINVAL;
}

// ---------------------------------------------------------------------------------------------------------------- reading

static int take_all(struct radius_config *c, const rc_handle *rh, const char *file, char text[LIMIT_TEXT + 1])
{
	int ret = refuse_others(rh, file, text);

	if (ret == 0)
		ret = take_servers(c, rh, file, text);
	if (ret == 0)
		ret = take_options(c, rh, file, text);
	return ret == 0 ? complete_all(c, rh, file, text) : ret;
}

int radius_config_load(const char *file, enum radius_purpose purpose, struct radius_config *out, char text[LIMIT_TEXT + 1])
{
	char said[LIMIT_TEXT + 1];
	struct radius_config c;
	struct hearing h;
	rc_handle *rh;
	int ret = -EINVAL;

	if (refuse_deeds(file, text) < 0)
		return -EINVAL;
	memset(&c, 0, sizeof(c));
	c.purpose = purpose;
	hearing_begin(&h);
	rh = rc_read_config(file);
	hearing_end(&h, said);
	// of an option that is not there it complains too
	setlogmask(LOG_UPTO(LOG_EMERG));
	if (rh == NULL && strstr(said, file) != NULL)
		text_copy(text, LIMIT_TEXT, said);
	else if (rh == NULL)
		text_format(text, "%s: %s", file, said[0] != '\0' ? said : "radcli cannot read it");
	else
		ret = take_all(&c, rh, file, text);
	if (rh != NULL)
		rc_destroy(rh);
	setlogmask(LOG_UPTO(LOG_DEBUG));
	if (ret == 0)
		memcpy(out, &c, sizeof(c));
	secret_wipe(&c, sizeof(c));
	return ret;
}
