#include "secmod/radius_answer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/addr.h"
#include "proto/text.h"
#include "secmod/name.h"
#include "secmod/radius_packet.h"

#define VENDOR_MICROSOFT 311 // RFC 2548
#define MS_PRIMARY_DNS_SERVER 28
#define MS_SECONDARY_DNS_SERVER 29
#define VENDOR_ROARING_PENGUIN 10055
#define RP_UPSTREAM_SPEED_LIMIT 1
#define RP_DOWNSTREAM_SPEED_LIMIT 2

#define VENDOR_WISPR 14122
#define WISPR_SESSION_TERMINATE_TIME 9

#define SERVICE_FRAMED 2
// RFC 2869 5.16 demands 60; ocserv obeys anything. What is less would be a flood of our own making.
#define INTERIM_LEAST 10

struct reading {
	const struct radius_reading *how;
	struct radius_answer *out;
	size_t message_len;
	unsigned n_groups;
	uint8_t seen[32]; // bit set of types that there may be one of
	struct addr ip4, mask4, ip6, prefix6;
	bool full; // a setting could not be kept
};

static void tell(struct reading *r, const char *key, const char *value)
{
	if (!r->full)
		r->full = r->how->setting(r->how->who, key, value) < 0;
}

// 0 is no limit to us and no word of RADIUS: what is configured counts.
static void tell_number(struct reading *r, const char *key, uint64_t n)
{
	char text[24];

	if (n == 0)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	tell(r, key, text);
}

static bool is_repeated(struct reading *r, uint8_t type)
{
	const uint8_t bit = 1u << type % 8, before = r->seen[type / 8];

	r->seen[type / 8] |= bit;
	return before & bit;
}

// ------------------------------------------------------------------------------------------------------------------ values

// RFC 3162 2.3: a reserved byte, the prefix's length, and as much of the prefix as there is. Bits behind its length are zero.
static bool take_prefix(const struct radius_attribute *a, struct addr *out)
{
	struct addr p = { .family = 6 };

	if (a->len < 2 || a->len > 18 || a->value[1] > 128 || a->value[1] > 8 * (a->len - 2))
		return false;
	p.prefix = a->value[1];
	memcpy(p.ip, a->value + 2, a->len - 2);
	if (addr_mask(&p))
		return false;
	*out = p;
	return true;
}

static bool take_mask(const struct radius_attribute *a, struct addr *out)
{
	struct addr ip;
	uint32_t bits;

	if (!radius_read_ip(a, 4, &ip))
		return false;
	bits = ~radius_number(a);
	if ((bits & (bits + 1)) != 0)
		return false;
	ip.prefix = bits == 0 ? 32 : (uint8_t)__builtin_clz(bits);
	*out = ip;
	return true;
}

static uint32_t seconds(const struct radius_attribute *a)
{
	uint32_t n = radius_number(a);

	return n <= INT32_MAX ? n : INT32_MAX;
}

// ------------------------------------------------------------------------------------------------------------------ groups

// A name in which no list is meant, and that can be a file's name: config-per-group has one for each.
static bool is_group(const char *name)
{
	return name[0] != '\0' && strlen(name) <= LIMIT_GROUP && name[0] != '.' && strpbrk(name, ":/") == NULL;
}

static void trim(char **from, char *end)
{
	while (**from == ' ')
		++*from;
	while (end > *from && end[-1] == ' ')
		*--end = '\0';
}

static const char *take_group(struct reading *r, const char *name)
{
	const bool wanted = strcmp(name, r->how->wanted) == 0;

	if (++r->n_groups > RADIUS_GROUPS_MAX)
		return "Class names too many groups";
	if (r->out->group[0] == '\0' || wanted)
		strcpy(r->out->group, name);
	r->out->member = r->out->member || wanted;
	return NULL;
}

static const char *take_groups(struct reading *r, char *list)
{
	const char *why = NULL;
	char *next, *end;

	for (; list != NULL && why == NULL; list = next) {
		end = strchr(list, r->how->separator);
		next = end != NULL ? end + 1 : NULL;
		end = end != NULL ? end : list + strlen(list);
		*end = '\0';
		trim(&list, end);
		if (list[0] != '\0')
			why = is_group(list) ? take_group(r, list) : "Class names an impossible group";
	}
	return why;
}

// RFC 2865 5.25: Class is the server's own business, but by custom "OU=a;b" and a plain name are groups. What is no text or cannot
// be a group's name is for accounting alone.
static const char *on_class(struct reading *r, const struct radius_attribute *a)
{
	char text[RADIUS_VALUE_MAX + 1];

	if (!radius_read_text(a, text, sizeof(text)))
		return a->len >= 3 && memcmp(a->value, "OU=", 3) == 0 ? "Class names an impossible group" : NULL;
	if (strncmp(text, "OU=", 3) == 0)
		return take_groups(r, text + 3);
	return is_group(text) ? take_group(r, text) : NULL;
}

// --------------------------------------------------------------------------------------------------------------- addresses

static const char *on_dns(struct reading *r, const struct radius_attribute *a, uint8_t family)
{
	struct addr ip;
	char text[ADDR_TEXT];

	if (!radius_read_ip(a, family, &ip))
		return "a DNS server's address is malformed";
	tell(r, "dns", addr_text(&ip, text));
	return NULL;
}

static const char *on_address(struct reading *r, const struct radius_attribute *a)
{
	switch (a->type) {
	case RADIUS_FRAMED_IP_ADDRESS:
		return radius_read_ip(a, 4, &r->ip4) ? NULL : "Framed-IP-Address is malformed";
	case RADIUS_FRAMED_IP_NETMASK:
		return take_mask(a, &r->mask4) ? NULL : "Framed-IP-Netmask is malformed";
	case RADIUS_FRAMED_IPV6_ADDRESS:
		return radius_read_ip(a, 6, &r->ip6) ? NULL : "Framed-IPv6-Address is malformed";
	default:
		return take_prefix(a, &r->prefix6) && r->prefix6.prefix > 0 ? NULL : "Delegated-IPv6-Prefix is malformed";
	}
}

// The network that the client's address is in, where that leaves room for the gateway: its first address is ours.
static void tell_network(struct reading *r)
{
	struct addr network = r->ip4;
	char text[ADDR_TEXT];
	uint32_t host;

	if (r->mask4.family == 0 || r->mask4.prefix == 0 || r->mask4.prefix > 30)
		return;
	network.prefix = r->mask4.prefix;
	addr_mask(&network);
	memcpy(&host, r->ip4.ip, sizeof(host));
	host = ntohl(host) & (UINT32_MAX >> network.prefix);
	if (host > 1 && host < UINT32_MAX >> network.prefix)
		tell(r, "ipv4-network", addr_text_prefix(&network, text));
}

static void tell_addresses(struct reading *r)
{
	char text[ADDR_TEXT];

	// RFC 2865 5.8: the client is to choose, or we are
	if (r->ip4.family != 0 && memcmp(r->ip4.ip, "\xff\xff\xff\xff", 4) != 0 && memcmp(r->ip4.ip, "\xff\xff\xff\xfe", 4) != 0) {
		tell(r, "explicit-ipv4", addr_text(&r->ip4, text));
		tell_network(r);
	}
	if (r->ip6.family != 0)
		tell(r, "explicit-ipv6", addr_text(&r->ip6, text));
	else if (r->prefix6.family != 0)
		tell(r, "explicit-ipv6", addr_text(&r->prefix6, text));
	if (r->prefix6.family != 0 && r->prefix6.prefix < 128)
		tell(r, "iroute", addr_text_prefix(&r->prefix6, text));
}

// ------------------------------------------------------------------------------------------------------------------ routes

static void tell_route(struct reading *r, const struct addr *network)
{
	char text[ADDR_TEXT];

	tell(r, "route", network->prefix == 0 ? "default" : addr_text_prefix(network, text));
}

// RFC 2865 5.22: without a length it is that of the address' class.
static uint8_t classful(const struct addr *a)
{
	return a->ip[0] < 128 ? 8 : a->ip[0] < 192 ? 16 : 24;
}

// "10.0.0.0/8", perhaps with a gateway and metrics behind it: the way is the tunnel, whatever they say.
static const char *on_route(struct reading *r, const struct radius_attribute *a, uint8_t family)
{
	char text[RADIUS_VALUE_MAX + 1];
	struct addr network;
	bool bare;

	if (!radius_read_text(a, text, sizeof(text)))
		return "a route is no text";
	text[strcspn(text, " ")] = '\0';
	if (addr_parse(text, &network) < 0 || network.family != family)
		return "a route is no network";
	bare = strchr(text, '/') == NULL;
	if (family == 4 && bare)
		network.prefix = classful(&network);
	// a host's address is not meant to open the whole of its class
	if (addr_mask(&network) && bare)
		return "a route has bits behind its prefix";
	tell_route(r, &network);
	return NULL;
}

static const char *on_framed_ipv6_prefix(struct reading *r, const struct radius_attribute *a)
{
	struct addr prefix;

	if (!take_prefix(a, &prefix))
		return "Framed-IPv6-Prefix is malformed";
	tell_route(r, &prefix);
	return NULL;
}

// ----------------------------------------------------------------------------------------------------------------- the rest

static void on_message(struct reading *r, const struct radius_attribute *a)
{
	char text[RADIUS_VALUE_MAX + 1];
	size_t room = LIMIT_PROMPT - r->message_len;

	memcpy(text, a->value, a->len);
	text[a->len] = '\0';
	for (size_t i = 0; i < a->len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text_copy(r->out->message + r->message_len, room, text);
	r->message_len += strlen(r->out->message + r->message_len);
}

static const char *on_state(struct reading *r, const struct radius_attribute *a)
{
	if (r->out->state_len > 0 || a->len == 0)
		return "State is malformed";
	memcpy(r->out->state, a->value, a->len);
	r->out->state_len = a->len;
	return NULL;
}

static const char *on_time(struct reading *r, const struct radius_attribute *a)
{
	if (a->len != 4)
		return "a time is malformed";
	if (a->type == RADIUS_SESSION_TIMEOUT)
		tell_number(r, "session-timeout", seconds(a));
	else if (a->type == RADIUS_IDLE_TIMEOUT)
		tell_number(r, "idle-timeout", seconds(a));
	else if (seconds(a) > 0)
		tell_number(r, "stats-report-time", seconds(a) > INTERIM_LEAST ? seconds(a) : INTERIM_LEAST);
	return NULL;
}

// Where the form has a 0 there is to be a digit.
static bool has_form(const char *text, const char *form)
{
	for (; *form != '\0'; form++, text++)
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	return true;
}

static int two_digits(const char *text)
{
	return 10 * (text[0] - '0') + (text[1] - '0');
}

// "+01:00", "Z": seconds that it is ahead. False: it is neither.
static bool zone_of(const char *text, time_t *ahead)
{
	*ahead = 0;
	if (strcmp(text, "Z") == 0)
		return true;
	if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || !has_form(text + 1, "00:00") || two_digits(text + 1) > 14 ||
	    two_digits(text + 4) > 59)
		return false;
	*ahead = (two_digits(text + 1) * 60 + two_digits(text + 4)) * (text[0] == '-' ? -60 : 60);
	return true;
}

// "2027-03-31T18:00:00" with its zone behind it; without one it is local time, as valid-until is.
static bool time_of(const char *text, time_t *out)
{
	struct tm tm = { .tm_isdst = -1 };
	time_t ahead;

	if (!has_form(text, "0000-00-00T00:00:00"))
		return false;
	tm.tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900;
	tm.tm_mon = two_digits(text + 5) - 1;
	tm.tm_mday = two_digits(text + 8);
	tm.tm_hour = two_digits(text + 11);
	tm.tm_min = two_digits(text + 14);
	tm.tm_sec = two_digits(text + 17);
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
	    tm.tm_sec > 59)
		return false;
	if (text[19] == '\0') {
		*out = mktime(&tm);
		return *out >= 0;
	}
	if (!zone_of(text + 19, &ahead))
		return false;
	*out = timegm(&tm) - ahead;
	return *out >= 0;
}

static const char *on_end(struct reading *r, const struct radius_attribute *a)
{
	char text[32] = "";
	struct tm tm;
	time_t when;

	if (a->len < sizeof(text))
		memcpy(text, a->value, a->len);
	if (strlen(text) != a->len || !time_of(text, &when) || !localtime_r(&when, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		return "the time of a session's end is malformed";
	tell(r, "valid-until", text);
	return NULL;
}

static const char *on_vendor(struct reading *r, const struct radius_attribute *a)
{
	if (a->vendor == VENDOR_MICROSOFT && (a->type == MS_PRIMARY_DNS_SERVER || a->type == MS_SECONDARY_DNS_SERVER))
		return on_dns(r, a, 4);
	if (a->vendor != VENDOR_ROARING_PENGUIN && a->vendor != VENDOR_WISPR)
		return NULL;
	// a limit that cannot be read is still one
	if (a->type == 0)
		return "a vendor's attribute is malformed";
	if (a->vendor == VENDOR_WISPR)
		return a->type == WISPR_SESSION_TERMINATE_TIME ? on_end(r, a) : NULL;
	if (a->type != RP_UPSTREAM_SPEED_LIMIT && a->type != RP_DOWNSTREAM_SPEED_LIMIT)
		return NULL;
	if (a->len != 4)
		return "a speed limit is malformed";
	// kilobits; ours is from the gateway's point of view, in bytes
	tell_number(r, a->type == RP_UPSTREAM_SPEED_LIMIT ? "rx-data-per-sec" : "tx-data-per-sec", radius_number(a) * 125ULL);
	return NULL;
}

// Of an Access-Accept, where its settings count.
static const char *on_grant(struct reading *r, const struct radius_attribute *a)
{
	switch (a->type) {
	case RADIUS_FRAMED_IP_ADDRESS:
	case RADIUS_FRAMED_IP_NETMASK:
	case RADIUS_FRAMED_IPV6_ADDRESS:
	case RADIUS_DELEGATED_IPV6_PREFIX:
		return is_repeated(r, a->type) ? "an address is there twice" : on_address(r, a);
	case RADIUS_DNS_SERVER_IPV6_ADDRESS:
		return on_dns(r, a, 6);
	case RADIUS_FRAMED_ROUTE:
		return on_route(r, a, 4);
	case RADIUS_FRAMED_IPV6_ROUTE:
		return on_route(r, a, 6);
	case RADIUS_FRAMED_IPV6_PREFIX:
		return on_framed_ipv6_prefix(r, a);
	case RADIUS_SESSION_TIMEOUT:
	case RADIUS_IDLE_TIMEOUT:
	case RADIUS_ACCT_INTERIM_INTERVAL:
		return is_repeated(r, a->type) ? "a time is there twice" : on_time(r, a);
	default:
		return NULL;
	}
}

static const char *on_user(struct reading *r, const struct radius_attribute *a)
{
	if (is_repeated(r, a->type))
		return "User-Name is there twice";
	if (a->len > LIMIT_USER || !name_is_fit(a->value, a->len))
		return "User-Name is no name";
	memcpy(r->out->user, a->value, a->len);
	r->out->user[a->len] = '\0';
	return NULL;
}

static const char *on_accept(struct reading *r, const struct radius_attribute *a)
{
	const char *why = NULL;

	if (a->vendor == 0 && a->type == RADIUS_CLASS)
		return on_class(r, a);
	if (a->vendor == 0 && a->type == RADIUS_USER_NAME)
		return on_user(r, a);
	// RFC 2865 5.6: what we do not offer is as good as a refusal
	if (a->vendor == 0 && a->type == RADIUS_SERVICE_TYPE)
		return a->len == 4 && radius_number(a) == SERVICE_FRAMED ? NULL : "Service-Type is not Framed";
	if (r->how->setting != NULL)
		why = a->vendor != 0 ? on_vendor(r, a) : on_grant(r, a);
	return why == NULL && r->full ? "it grants more than a session can keep" : why;
}

static const char *on_attribute(struct reading *r, const struct radius_attribute *a)
{
	switch (a->vendor == 0 ? a->type : 0) {
	case RADIUS_REPLY_MESSAGE:
		on_message(r, a);
		return NULL;
	case RADIUS_STATE:
		return on_state(r, a);
	case RADIUS_PROMPT:
		r->out->echo = a->len == 4 && radius_number(a) == 1;
		return NULL;
	default:
		return r->out->code == RADIUS_ACCESS_ACCEPT ? on_accept(r, a) : NULL;
	}
}

const char *radius_answer_read(const uint8_t *bytes, size_t len, const struct radius_reading *how, struct radius_answer *out)
{
	struct reading r = { .how = how, .out = out };
	const char *why = NULL;
	struct radius_walk w;
	struct radius_attribute a;

	memset(out, 0, sizeof(*out));
	out->code = bytes[0];
	out->member = how->wanted[0] == '\0';
	if (out->code != RADIUS_ACCESS_ACCEPT && out->code != RADIUS_ACCESS_CHALLENGE && out->code != RADIUS_ACCESS_REJECT)
		return "its code is none that answers a login";
	radius_walk_begin(&w, bytes, len);
	while (why == NULL && radius_walk_next(&w, &a))
		why = on_attribute(&r, &a);
	if (why == NULL && how->setting != NULL && out->code == RADIUS_ACCESS_ACCEPT)
		tell_addresses(&r);
	return why == NULL && r.full ? "it grants more than a session can keep" : why;
}
