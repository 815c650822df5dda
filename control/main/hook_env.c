#include "control/main/hook_env.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/hook_path.h"

#define VARIABLES_MAX 40 // that there are at all, with the NULL

struct env {
	char **text;
	size_t n;
	bool failed;
};

static void put(struct env *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct env *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (e->n == VARIABLES_MAX - 1 || vasprintf(&e->text[e->n], fmt, ap) < 0) {
		e->text[e->n] = NULL;
		e->failed = true;
	} else
		e->n++;
	va_end(ap);
}

static void put_addr(struct env *e, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT];

	if (a->family)
		put(e, "%s=%s", name, addr_text(a, text));
}

// ----------------------------------------------------------------------------------------------------------------- lists

// A list is written into a text that is as long as it may get.
struct list {
	char *text;
	size_t used, size;
};

static void list_add(struct list *l, const char *word)
{
	l->used += (size_t)snprintf(l->text + l->used, l->size - l->used, "%s ", word);
}

// As ocserv writes a network: IPv4 with its netmask.
static const char *word_of(const char *text, char out[2 * ADDR_TEXT])
{
	char ip[ADDR_TEXT], mask[ADDR_TEXT];
	struct addr a;

	if (!strchr(text, '/') || addr_parse(text, &a) < 0 || a.family == 6)
		return text;
	snprintf(out, 2 * ADDR_TEXT, "%s/%s", addr_text(&a, ip), addr_netmask(&a, mask));
	return out;
}

// family 0: both. "default" counts as IPv4's.
static bool is_of(const char *text, int family)
{
	return !family || (strchr(text, ':') ? 6 : 4) == family;
}

static size_t list_size(const struct terms *t, enum item_kind kind)
{
	size_t size = 1;

	for (size_t i = 0; i < t->n_items; i++)
		if (t->items[i].kind == kind)
			size += strlen(t->items[i].text) + sizeof("/255.255.255.255");
	return size;
}

static void put_list(struct env *e, const char *name, const struct terms *t, enum item_kind kind, int family)
{
	struct list l = { .size = list_size(t, kind) };
	char word[2 * ADDR_TEXT];

	l.text = malloc(l.size);
	if (!l.text) {
		e->failed = true;
		return;
	}
	for (size_t i = 0; i < t->n_items; i++)
		if (t->items[i].kind == kind && is_of(t->items[i].text, family))
			list_add(&l, word_of(t->items[i].text, word));
	if (l.used)
		put(e, "%s=%s", name, l.text);
	free(l.text);
}

static void put_lists(struct env *e, const struct terms *t)
{
	static const struct {
		const char *name[3]; // both families, IPv4, IPv6
		enum item_kind kind;
	} lists[] = {
		{ { "OCSERV_ROUTES", "OCSERV_ROUTES4", "OCSERV_ROUTES6" }, ITEM_ROUTE },
		{ { "OCSERV_NO_ROUTES", "OCSERV_NO_ROUTES4", "OCSERV_NO_ROUTES6" }, ITEM_NO_ROUTE },
		{ { "OCSERV_DNS", "OCSERV_DNS4", "OCSERV_DNS6" }, ITEM_DNS },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		for (int f = 0; f < 3; f++)
			put_list(e, lists[i].name[f], t, lists[i].kind, f == 0 ? 0 : f == 1 ? 4 : 6);
}

// "tcp 443 udp 0 icmp all ": 0 is any port.
static void put_ports(struct env *e, const struct port_rules *ports)
{
	char text[LIMIT_PORTS * sizeof("icmpv6 65535")] = "", word[32];
	struct list l = { text, 0, sizeof(text) };

	for (unsigned i = 0; i < ports->n; i++) {
		const struct port_rule *r = &ports->rule[i];

		if (ports_numbered(r))
			snprintf(word, sizeof(word), "%s %u", ports_name(r), r->port);
		else
			snprintf(word, sizeof(word), "%s all", ports_name(r));
		list_add(&l, word);
	}
	put(e, "%s=%s", ports->but ? "OCSERV_DENY_PORTS" : "OCSERV_ALLOW_PORTS", text);
}

// ----------------------------------------------------------------------------------------------------------- environment

static void put_who(struct env *e, const struct hook_facts *f)
{
	static const char *const reasons[] = { "connect", "disconnect", "host-update" };

	put(e, "REASON=%s", reasons[f->kind]);
	put(e, "ID=%" PRIu32, f->id);
	put(e, "VHOST=%s", f->vhost[0] ? f->vhost : "default");
	put(e, "USERNAME=%s", f->user);
	put(e, "GROUPNAME=%s", f->group);
	put(e, "HOSTNAME=%s", f->info->hostname);
	put(e, "REMOTE_HOSTNAME=%s", f->info->hostname);
	put(e, "DEVICE=%s", f->device);
	put(e, "USER_AGENT=%s", f->info->user_agent);
	put(e, "DEVICE_TYPE=%s", f->info->device_type);
	put(e, "DEVICE_PLATFORM=%s", f->info->device_platform);
}

static void put_addresses(struct env *e, const struct hook_facts *f)
{
	put_addr(e, "IP_REAL", &f->client);
	put_addr(e, "IP_REAL_LOCAL", &f->local);
	if (f->ipv4.family) {
		put_addr(e, "IP_LOCAL", &f->own_ipv4);
		put_addr(e, "IP_REMOTE", &f->ipv4);
	}
	if (f->ipv6.family) {
		put_addr(e, "IPV6_LOCAL", &f->own_ipv6);
		put_addr(e, "IPV6_REMOTE", &f->ipv6);
		put(e, "IPV6_PREFIX=%u", f->ipv6.prefix);
	}
}

static char **env_done(struct env *e)
{
	if (!e->failed)
		return e->text;
	hook_env_free(e->text);
	return NULL;
}

char **hook_env_new(const struct hook_facts *f)
{
	struct env e = { .text = calloc(VARIABLES_MAX, sizeof(*e.text)) };

	if (!e.text)
		return NULL;
	put(&e, "PATH=%s", HOOK_PATH);
	put_who(&e, f);
	put_addresses(&e, f);
	put_lists(&e, f->terms);
	if (f->terms->restrict_to_routes)
		put(&e, "OCSERV_RESTRICT_TO_ROUTES=1");
	if (f->terms->ports)
		put_ports(&e, f->terms->ports);
	if (f->kind == HOOK_DISCONNECT) {
		put(&e, "STATS_BYTES_IN=%" PRIu64, f->bytes_in);
		put(&e, "STATS_BYTES_OUT=%" PRIu64, f->bytes_out);
		put(&e, "STATS_DURATION=%" PRIu64, f->seconds);
	}
	return env_done(&e);
}

char **hook_env_bare(void)
{
	struct env e = { .text = calloc(VARIABLES_MAX, sizeof(*e.text)) };

	if (!e.text)
		return NULL;
	put(&e, "PATH=%s", HOOK_PATH);
	return env_done(&e);
}

void hook_env_free(char **env)
{
	for (char **text = env; env && *text; text++)
		free(*text);
	free(env);
}
