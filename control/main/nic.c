#include "control/main/nic.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "control/main/netlink.h"

#define WORD 64

// The next word of *text; false: there is none, or it is too long.
static bool word_take(const char **text, char *out, size_t room)
{
	size_t n;

	*text += strspn(*text, " \t");
	n = strcspn(*text, " \t");
	if (n == 0 || n >= room)
		return false;
	memcpy(out, *text, n);
	out[n] = '\0';
	*text += n;
	return true;
}

static bool at_end(const char *text)
{
	return text[strspn(text, " \t")] == '\0';
}

int nic_address_parse(const char *text, char interface[NIC_INTERFACE], struct addr *out)
{
	char word[WORD];

	if (!word_take(&text, interface, NIC_INTERFACE) || !word_take(&text, word, sizeof(word)) || !at_end(text))
		return -EINVAL;
	return strchr(word, '/') && addr_parse(word, out) == 0 ? 0 : -EINVAL;
}

static int via_parse(const char *word, struct addr *out)
{
	return strchr(word, '/') ? -EINVAL : addr_parse(word, out);
}

int nic_route_parse(const char *text, char interface[NIC_INTERFACE], struct nic_route *out)
{
	char to[WORD], via[WORD];
	bool all, has_via;

	if (!word_take(&text, interface, NIC_INTERFACE) || !word_take(&text, to, sizeof(to)))
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	all = strcmp(to, "default") == 0;
	has_via = word_take(&text, via, sizeof(via));
	if (!at_end(text) || (all && !has_via) || (!all && (!strchr(to, '/') || addr_parse(to, &out->to) < 0)))
		return -EINVAL;
	if (has_via && via_parse(via, &out->via) < 0)
		return -EINVAL;
	return all || !has_via || out->to.family == out->via.family ? 0 : -EINVAL;
}

// "0000:03:00.0" or "03:00.0", and maybe a driver's arguments.
static bool is_pci(const char *word)
{
	unsigned colons = 0;
	size_t n = strcspn(word, ",");

	for (size_t i = 0; i < n; i++) {
		colons += word[i] == ':';
		if (!isxdigit((unsigned char)word[i]) && word[i] != ':' && word[i] != '.')
			return false;
	}
	return colons > 0;
}

bool nic_wanted(const struct config *c)
{
	static const enum opt ports[] = { OPT_OUTER, OPT_INNER };
	const char *word;

	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
		for (unsigned n = 0; (word = config_nth(c, ports[i], n)); n++)
			if (is_pci(word))
				return true;
	return false;
}

int nic_up(const struct config *c, const char *interface, unsigned mtu)
{
	char whose[NIC_INTERFACE];
	struct nic_route route;
	struct addr address;
	const char *text;
	int ret = netlink_nic_up(interface, mtu);

	for (unsigned n = 0; ret == 0 && (text = config_nth(c, OPT_NIC_ADDRESS, n)); n++)
		if (nic_address_parse(text, whose, &address) == 0 && strcmp(whose, interface) == 0)
			ret = netlink_nic_address_add(interface, &address);
	for (unsigned n = 0; ret == 0 && (text = config_nth(c, OPT_NIC_ROUTE, n)); n++)
		if (nic_route_parse(text, whose, &route) == 0 && strcmp(whose, interface) == 0)
			ret = netlink_nic_route_add(interface, &route.to, &route.via);
	return ret;
}
