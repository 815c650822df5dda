#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/log.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/authspec.h"
#include "secmod/coa_inside.h"
#include "secmod/radius_config.h"

#define DEFAULT_PORT 3799
#define LINE_MAX_BYTES 512

// ------------------------------------------------------------------------------------------------------------------ where

// "ADDRESS", "ADDRESS:PORT", "[ADDRESS]:PORT".
int coa_address_parse(const char *text, struct addr *out)
{
	char ip[ADDR_TEXT + 2], *end = NULL;
	const char *port = NULL;
	unsigned long number = DEFAULT_PORT;

	if (strlen(text) >= sizeof(ip) + 6)
		return -EINVAL;
	if (text[0] == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':') || (size_t)(close - text - 1) >= sizeof(ip))
			return -EINVAL;
		snprintf(ip, sizeof(ip), "%.*s", (int)(close - text - 1), text + 1);
		port = close[1] ? close + 2 : NULL;
	} else {
		const char *colon = strchr(text, ':');
		bool only = colon && !strchr(colon + 1, ':'); // else it is an IPv6 address without a port

		if ((only ? (size_t)(colon - text) : strlen(text)) >= sizeof(ip))
			return -EINVAL;
		snprintf(ip, sizeof(ip), "%.*s", only ? (int)(colon - text) : (int)strlen(text), text);
		port = only ? colon + 1 : NULL;
	}
	if (port)
		number = strtoul(port, &end, 10);
	if (port && (*port < '0' || *port > '9' || *end || number == 0 || number > UINT16_MAX))
		return -EINVAL;
	if (strchr(ip, '/') || addr_parse(ip, out) < 0)
		return -EINVAL;
	out->port = (uint16_t)number;
	return 0;
}

// -------------------------------------------------------------------------------------------------------------------- who

static int client_add(struct coa_config *c, const struct addr *network, const char *name, const char *secret)
{
	struct coa_client *client;

	for (unsigned i = 0; i < c->n_clients; i++)
		if (addr_equal(&c->client[i].network, network) && c->client[i].network.prefix == network->prefix &&
		    strcmp(c->client[i].name, name) == 0 && strcmp(c->client[i].secret, secret) == 0)
			return 0;
	if (c->n_clients == COA_CLIENTS_MAX)
		return -ENOSPC;
	client = &c->client[c->n_clients++];
	client->network = *network;
	client->network.port = 0;
	snprintf(client->name, sizeof(client->name), "%s", name);
	snprintf(client->secret, sizeof(client->secret), "%s", secret);
	return 0;
}

// A line: address or network, and the secret; "#" begins a comment.
static int read_line(struct coa_config *c, char *line)
{
	char *save, *who = strtok_r(line, " \t\r\n", &save), *secret = who ? strtok_r(NULL, " \t\r\n", &save) : NULL;
	struct addr network;

	if (!who || who[0] == '#')
		return 0;
	if (addr_parse(who, &network) < 0 || !secret || strlen(secret) > RADIUS_SECRET_MAX || strtok_r(NULL, " \t\r\n", &save))
		return -EINVAL;
	return client_add(c, &network, "", secret);
}

static int read_clients(struct coa_config *c, const char *file, char text[LIMIT_TEXT + 1])
{
	FILE *f = fopen(file, "re");
	char line[LINE_MAX_BYTES];
	unsigned number = 0;
	struct stat st;
	int ret = 0;

	if (!f)
		return text_refuse(text, "coa-clients %s: %s", file, strerror(errno));
	if (fstat(fileno(f), &st) == 0 && (st.st_mode & 077))
		log_warn("coa-clients %s: others than its owner may read the secrets in it", file);
	while (ret == 0 && fgets(line, sizeof(line), f)) {
		number++;
		ret = strchr(line, '\n') || feof(f) ? read_line(c, line) : -EINVAL;
	}
	secret_wipe(line, sizeof(line));
	fclose(f);
	if (ret == -ENOSPC)
		return text_refuse(text, "coa-clients %s:%u: more than %d clients", file, number, COA_CLIENTS_MAX);
	if (ret < 0)
		return text_refuse(text, "coa-clients %s:%u: has to be ADDRESS SECRET, or ADDRESS/PREFIX SECRET", file, number);
	return 0;
}

static void add_identity(struct coa_config *c, const struct radius_config *r)
{
	if (c->n_nas == COA_NAS_MAX)
		return;
	c->nas[c->n_nas].ip = r->nas_ip;
	snprintf(c->nas[c->n_nas].identifier, sizeof(c->nas[c->n_nas].identifier), "%s", r->nas_identifier);
	c->n_nas++;
}

// The servers of a radius[...] that logs in or accounts, and who we are to them.
static void read_servers(struct coa_config *c, const char *value, enum radius_purpose purpose, bool take_secrets)
{
	const char *file = RADIUS_CONFIG_DEFAULT, *identifier = NULL;
	char text[LIMIT_TEXT + 1]; // what is wrong with it, its own option says
	struct radius_config r;
	struct authspec spec;

	if (authspec_parse(value, &spec) < 0 || strcmp(spec.name, "radius") != 0)
		return;
	for (unsigned i = 0; i < spec.n_options; i++) {
		if (spec.option[i].key[0] == '\0' || strcmp(spec.option[i].key, "config") == 0)
			file = spec.option[i].value;
		if (strcmp(spec.option[i].key, "nas-identifier") == 0)
			identifier = spec.option[i].value;
	}
	if (radius_config_load(file, purpose, &r, text) < 0)
		return;
	if (identifier)
		snprintf(r.nas_identifier, sizeof(r.nas_identifier), "%s", identifier);
	add_identity(c, &r);
	for (unsigned i = 0; i < r.n_servers && take_secrets; i++)
		if (r.server[i].secret[0])
			client_add(c, &r.server[i].addr, r.server[i].addr.family ? "" : r.server[i].name, r.server[i].secret);
	secret_wipe(&r, sizeof(r));
}

static void read_all_servers(struct coa_config *c, const struct snapshot *snap, bool take_secrets)
{
	static const char *const options[] = { "acct", "auth", "enable-auth" };
	const char *value;

	for (unsigned v = 0; v < snapshot_vhosts(snap); v++)
		for (size_t o = 0; o < 3; o++)
			for (unsigned n = 0; (value = snapshot_vhost_nth(snap, v, options[o], n)); n++)
				read_servers(c, value, o == 0 ? RADIUS_ACCT : RADIUS_AUTH, take_secrets);
}

int coa_config_load(const struct snapshot *snap, struct coa_config **out, char text[LIMIT_TEXT + 1])
{
	const char *where = snapshot_get(snap, "coa-listen"), *clients = snapshot_get(snap, "coa-clients");
	struct coa_config *c;
	int ret;

	*out = NULL;
	if (!where)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return text_refuse(text, "no memory");
	c->window = (uint32_t)snapshot_number(snap, "coa-window");
	ret = coa_address_parse(where, &c->listen);
	if (ret < 0)
		text_refuse(text, "coa-listen %s: neither ADDRESS nor ADDRESS:PORT", where);
	if (ret == 0 && clients)
		ret = read_clients(c, clients, text);
	if (ret == 0)
		read_all_servers(c, snap, !clients);
	if (ret == 0 && c->n_clients == 0)
		ret = text_refuse(text, "coa-listen %s: nobody may send there: neither coa-clients nor a RADIUS server names any",
		                  where);
	if (ret < 0)
		coa_config_free(c);
	else
		*out = c;
	return ret;
}

void coa_config_free(struct coa_config *c)
{
	if (!c)
		return;
	secret_wipe(c, sizeof(*c));
	free(c);
}
