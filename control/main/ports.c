#include "control/main/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct protocol {
	const char *name;
	uint8_t number;
	bool has_ports;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, true },  { "udp", IPPROTO_UDP, true },    { "sctp", IPPROTO_SCTP, true },
	{ "esp", IPPROTO_ESP, false }, { "icmp", IPPROTO_ICMP, false }, { "icmpv6", IPPROTO_ICMPV6, false },
};

#define PROTOCOLS (sizeof(protocols) / sizeof(*protocols))

static const char *skip(const char *p)
{
	return p + strspn(p, " \t");
}

static const struct protocol *protocol_named(const char *name, size_t len)
{
	for (size_t i = 0; i < PROTOCOLS; i++)
		if (strlen(protocols[i].name) == len && strncasecmp(name, protocols[i].name, len) == 0)
			return &protocols[i];
	return NULL;
}

// One "tcp(443)"; behind it, or NULL.
static const char *take_rule(const char *p, struct port_rule *out)
{
	size_t name = strcspn(p, "()!, \t"), digits;
	const struct protocol *found = protocol_named(p, name);
	unsigned long port;

	if (!found || p[name] != '(')
		return NULL;
	p += name + 1;
	digits = strspn(p, "0123456789");
	port = strtoul(p, NULL, 10);
	if (p[digits] != ')' || digits > 5 || (digits > 0 && (!found->has_ports || port < 1 || port > 65535)))
		return NULL;
	*out = (struct port_rule){ found->number, (uint16_t)port };
	return p + digits + 1;
}

static int bad(const char *at, const char **wrong)
{
	*wrong = *at ? at : NULL;
	return -EINVAL;
}

int ports_parse(const char *text, struct port_rules *out, const char **wrong)
{
	const char *p = skip(text), *next;

	out->n = 0;
	out->but = *p == '!';
	if (out->but) {
		p = skip(p + 1);
		if (*p++ != '(')
			return bad(p - 1, wrong);
	}
	for (;; p++) {
		p = skip(p);
		if (out->n == LIMIT_PORTS)
			return -E2BIG;
		next = take_rule(p, &out->rule[out->n]);
		if (!next)
			return bad(p, wrong);
		out->n++;
		p = skip(next);
		if (*p != ',')
			break;
	}
	if (out->but && *p++ != ')')
		return bad(p - 1, wrong);
	p = skip(p);
	return *p ? bad(p, wrong) : 0;
}

static const struct protocol *protocol_of(uint8_t number)
{
	size_t i = 0;

	while (protocols[i].number != number)
		i++;
	return &protocols[i];
}

const char *ports_name(const struct port_rule *r)
{
	return protocol_of(r->protocol)->name;
}

bool ports_numbered(const struct port_rule *r)
{
	return protocol_of(r->protocol)->has_ports;
}

void ports_print(const struct port_rules *r, char out[PORTS_TEXT])
{
	char *to = out;

	to += sprintf(to, "%s", r->but ? "!(" : "");
	for (unsigned i = 0; i < r->n; i++) {
		to += sprintf(to, "%s%s(", i ? ", " : "", ports_name(&r->rule[i]));
		to += r->rule[i].port ? sprintf(to, "%u)", r->rule[i].port) : sprintf(to, ")");
	}
	sprintf(to, "%s", r->but ? ")" : "");
}
