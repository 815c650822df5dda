#include "control/main/config_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/main/nearest.h"
#include "control/main/ports.h"
#include "proto/addr.h"
#include "proto/utf8.h"

int value_wrong(struct value_out *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->why, sizeof(out->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int put(struct value_out *out, const char *text)
{
	if (strlen(text) >= sizeof(out->text))
		return value_wrong(out, "is too long");
	strcpy(out->text, text);
	return 0;
}

// "; did you mean X?" of words with bars between them, or nothing.
static int none_of(struct value_out *out, const char *text, const char *words)
{
	const char *bar = strlen(words) < 80 ? words : "the words that penstock.conf(5) lists";
	struct nearest n;
	char word[NEAREST_MAX + 1];
	size_t len;

	nearest_begin(&n, text);
	for (; *words; words += len, words += *words == '|') {
		len = strcspn(words, "|");
		if (snprintf(word, sizeof(word), "%.*s", (int)len, words) < (int)sizeof(word))
			nearest_offer(&n, word);
	}
	if (n.found[0])
		return value_wrong(out, "'%s' is none of %s; did you mean %s?", text, bar, n.found);
	return value_wrong(out, "'%s' is none of %s", text, bar);
}

static bool is_one_of(const char *text, const char *const words[])
{
	for (; *words; words++)
		if (strcasecmp(text, *words) == 0)
			return true;
	return false;
}

static int parse_bool(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	// other programs' words, and slips
	static const char *const like_true[] = { "1", "on", "enable", "enabled", "ture", "ye", "y", "t", NULL };
	static const char *const like_false[] = { "0", "off", "disable", "disabled", "flase", "none", "n", "f", NULL };
	const char *meant = is_one_of(text, like_true) ? "true" : is_one_of(text, like_false) ? "false" : NULL;

	if (strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0)
		return put(out, "1");
	if (strcasecmp(text, "false") == 0 || strcasecmp(text, "no") == 0)
		return put(out, "0");
	if (meant)
		return value_wrong(out, "'%s' is neither true nor false; did you mean %s?", text, meant);
	return value_wrong(out, "'%s' is neither true nor false", text);
}

static int wrong_range(const struct opt_info *o, const char *text, struct value_out *out)
{
	const char *unit = o->words ? o->words : "", *space = o->words ? " " : "";

	if (o->most >= INT32_MAX)
		return value_wrong(out, "'%s' is too %s", text, o->least > 0 ? "small or too large" : "large");
	return value_wrong(out, "'%s' is not from %" PRId64 " to %" PRId64 "%s%s", text, o->least, o->most, space, unit);
}

static int parse_number(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	size_t digits = strspn(text, "0123456789");
	int64_t value = 0;

	if (digits == 0 || text[digits] != '\0')
		return value_wrong(out, "'%s' is not a whole number%s%s", text, o->words ? " of " : "", o->words ? o->words : "");
	for (size_t i = 0; i < digits; i++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text[i] - '0', &value))
			return wrong_range(o, text, out);
	if (value < o->least || value > o->most)
		return wrong_range(o, text, out);
	snprintf(out->text, sizeof(out->text), "%" PRId64, value);
	return 0;
}

int value_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *unit = NULL;
	uint64_t value = 0;

	if (text[digits])
		unit = strchr(units, toupper((unsigned char)text[digits]));
	if (digits == 0 || (text[digits] && (!unit || text[digits + 1])))
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return -EINVAL;
	for (; unit && unit >= units; unit--)
		if (__builtin_mul_overflow(value, 1000u, &value))
			return -EINVAL;
	*out = value;
	return 0;
}

static bool take_digits(const char **at, unsigned n, int least, int most, int *out)
{
	*out = 0;
	for (; n > 0; n--, ++*at) {
		if (!isdigit((unsigned char)**at))
			return false;
		*out = *out * 10 + (**at - '0');
	}
	return *out >= least && *out <= most;
}

static bool take_char(const char **at, const char *any)
{
	if (!**at || !strchr(any, **at))
		return false;
	++*at;
	return true;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

// *timed: there is a time behind the day.
static int date_take(const char *text, struct tm *out, bool *timed)
{
	int year, month, day, hour = 0, minute = 0, second = 0;
	const char *p = text;

	if (!take_digits(&p, 4, 1970, 9999, &year) || !take_char(&p, "-") || !take_digits(&p, 2, 1, 12, &month) ||
	    !take_char(&p, "-") || !take_digits(&p, 2, 1, days_in(year, month), &day))
		return -EINVAL;
	*timed = *p != '\0';
	if (*timed && (!take_char(&p, " T") || !take_digits(&p, 2, 0, 23, &hour) || !take_char(&p, ":") ||
	               !take_digits(&p, 2, 0, 59, &minute)))
		return -EINVAL;
	if (*timed && *p && (!take_char(&p, ":") || !take_digits(&p, 2, 0, 59, &second)))
		return -EINVAL;
	if (*p)
		return -EINVAL;
	*out = (struct tm){ .tm_year = year - 1900,
		            .tm_mon = month - 1,
		            .tm_mday = day,
		            .tm_hour = hour,
		            .tm_min = minute,
		            .tm_sec = second,
		            .tm_isdst = -1 };
	return 0;
}

int value_until(const char *text, time_t *out)
{
	struct tm tm;
	bool timed;
	time_t when;

	if (date_take(text, &tm, &timed) < 0)
		return -EINVAL;
	// to the end of the day, however long it is
	tm.tm_mday += !timed;
	when = mktime(&tm);
	// 0 would be no end, and in the east the first hours of 1970 are below it
	*out = when > 0 ? when : 1;
	return 0;
}

static int parse_size(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	uint64_t value;

	if (value_size(text, &value) < 0)
		return value_wrong(out, "'%s' is no number of bytes such as 500M or 2G (K, M, G, T)", text);
	snprintf(out->text, sizeof(out->text), "%" PRIu64, value);
	return 0;
}

static int parse_date(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	struct tm tm;
	bool timed;

	if (date_take(text, &tm, &timed) < 0)
		return value_wrong(out, "'%s' is no date such as 2027-03-31, nor one with a time such as 2027-03-31 18:00", text);
	strftime(out->text, sizeof(out->text), timed ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d", &tm);
	return 0;
}

static int parse_text(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	size_t len = strlen(text), n;

	if ((int64_t)len < o->least || (int64_t)len > o->most)
		return value_wrong(out, "is %zu bytes long; it may be %" PRId64 " to %" PRId64, len, o->least, o->most);
	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)text + i, len - i);
		if (n == 0)
			return value_wrong(out, "byte %zu is not printable UTF-8", i + 1);
	}
	return put(out, text);
}

static int parse_choice(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	size_t len = strlen(text);

	for (const char *word = o->words; *word; word += strcspn(word, "|"), word += *word == '|')
		if (strcspn(word, "|") == len && memcmp(word, text, len) == 0)
			return put(out, text);
	return none_of(out, text, o->words);
}

bool value_is_url(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && (isalnum((unsigned char)text[i]) || text[i] == '+' || text[i] == '-'))
		i++;
	return i > 1 && i < len && text[i] == ':';
}

int value_path(const char *path, size_t len, const char *dir, char *to, size_t size)
{
	bool root = strcmp(dir, "/") == 0;
	int n;

	while (len >= 2 && path[0] == '.' && path[1] == '/')
		path += 2, len -= 2;
	if (len > 0 && path[0] == '/')
		n = snprintf(to, size, "%.*s", (int)len, path);
	else
		n = snprintf(to, size, "%s/%.*s", root ? "" : dir, (int)len, path);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int parse_path(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	for (const char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			return value_wrong(out, "has a control character in it");
	if (o->kind == KIND_KEYFILE && value_is_url(text, strlen(text)))
		return put(out, text);
	if (value_path(text, strlen(text), dir, out->text, sizeof(out->text)) < 0 || (int64_t)strlen(out->text) > o->most)
		return value_wrong(out, "the path is longer than %" PRId64 " bytes", o->most);
	return 0;
}

static int parse_letters(const struct opt_info *o, const char *text, const char *more, const char *what, struct value_out *out)
{
	if ((int64_t)strlen(text) > o->most)
		return value_wrong(out, "'%s' is longer than %" PRId64 " letters", text, o->most);
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(more, *p))
			return value_wrong(out, "'%s' is no %s", text, what);
	return put(out, text);
}

static int parse_account(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	if (*text == '-')
		return value_wrong(out, "'%s' is no name", text);
	return parse_letters(o, text, "_.-$", o->kind == KIND_USER ? "user name" : "group name", out);
}

static int parse_host(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	struct addr a;

	if (strchr(text, '/'))
		return value_wrong(out, "'%s' is no address and no host name", text);
	if (addr_parse(text, &a) == 0)
		return put(out, addr_text(&a, out->why)), out->why[0] = '\0', 0;
	if (strchr(text, ':') && !strchr(text, '%'))
		return value_wrong(out, "'%s' is no IPv6 address", text);
	if (strspn(text, "0123456789.") == strlen(text))
		return value_wrong(out, "'%s' is no IPv4 address", text);
	return parse_letters(o, text, "._-:%", "address and no host name", out);
}

static int parse_address(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	struct addr a;

	if (strchr(text, '/') || addr_parse(text, &a) < 0)
		return value_wrong(out, "'%s' is no IP address", text);
	if (o->least && a.family != o->least)
		return value_wrong(out, "'%s' is no IPv%" PRId64 " address", text, o->least);
	addr_text(&a, out->text);
	return 0;
}

// "255.255.255.0" as 24, or -EINVAL.
static int netmask_prefix(const char *text)
{
	struct addr a;
	uint32_t mask;

	if (strchr(text, '/') || addr_parse(text, &a) < 0 || a.family != 4)
		return -EINVAL;
	mask = (uint32_t)a.ip[0] << 24 | (uint32_t)a.ip[1] << 16 | (uint32_t)a.ip[2] << 8 | a.ip[3];
	if (~mask & (~mask + 1))
		return -EINVAL;
	return __builtin_popcount(mask);
}

static int parse_netmask(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	int prefix = netmask_prefix(text);

	if (prefix < 0)
		return value_wrong(out, "'%s' is no netmask such as 255.255.255.0", text);
	if (prefix < o->least || prefix > o->most)
		return value_wrong(out, "'%s' leaves no addresses for clients", text);
	return put(out, text);
}

// "a", "a/24", "a/255.255.255.0"; *bare: there was no prefix.
static int split_network(const char *text, struct addr *out, bool *bare)
{
	const char *slash = strchr(text, '/');
	char address[ADDR_TEXT];
	int prefix;

	*bare = !slash;
	if (addr_parse(text, out) == 0)
		return 0;
	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	prefix = netmask_prefix(slash + 1);
	if (prefix < 0 || addr_parse(address, out) < 0 || out->family != 4)
		return -EINVAL;
	out->prefix = (uint8_t)prefix;
	return 0;
}

static int put_network(const struct addr *given, const char *text, struct value_out *out)
{
	struct addr a = *given;
	bool odd = addr_mask(&a);

	addr_text_prefix(&a, out->text);
	if (!odd)
		return 0;
	value_wrong(out, "'%s' has bits behind its prefix: %s is taken", text, out->text);
	return 1;
}

static int parse_network(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	int family = o->kind == KIND_NETWORK4 ? 4 : 6;
	struct addr a;
	bool bare;

	if (split_network(text, &a, &bare) < 0 || a.family != family)
		return value_wrong(out, "'%s' is no IPv%d network", text, family);
	// its prefix may be told by another option: value_network
	if (bare)
		return addr_text(&a, out->text), 0;
	if (a.prefix < o->least || a.prefix > o->most)
		return value_wrong(out, "the prefix length of '%s' is not from %" PRId64 " to %" PRId64, text, o->least, o->most);
	return put_network(&a, text, out);
}

int value_network(const struct opt_info *o, const char *address, const char *mask, struct value_out *out)
{
	char text[2 * ADDR_TEXT];

	out->why[0] = '\0';
	snprintf(text, sizeof(text), "%.55s/%.55s", address, mask);
	return parse_network(o, text, "/", out);
}

static int parse_route(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	bool all = strcasecmp(text, "default") == 0, bare;
	struct addr a = { 0 };

	if (!all && split_network(text, &a, &bare) < 0)
		return value_wrong(out, "'%s' is no network such as 10.0.0.0/8 or fd00::/8%s", text,
		                   o->most ? ", nor default" : "");
	if (all || (a.family == 4 && a.prefix == 0))
		return o->most ? put(out, "default") : value_wrong(out, "'%s' cannot be meant here", text);
	return put_network(&a, text, out);
}

static int parse_device(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return value_wrong(out, "'%s' is no interface name", text);
	return parse_letters(o, text, "_.-", "interface name", out);
}

static int parse_priority(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	size_t hex = strncasecmp(text, "0x", 2) == 0 ? strspn(text + 2, "0123456789abcdefABCDEF") : 0;

	if (text[0] >= '0' && text[0] <= '6' && !text[1])
		return put(out, text);
	if (hex < 1 || hex > 2 || text[2 + hex])
		return value_wrong(out, "'%s' is neither 0 to 6 nor a TOS byte such as 0x10", text);
	snprintf(out->text, sizeof(out->text), "0x%02lx", strtoul(text, NULL, 16));
	return 0;
}

static int parse_ports(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	const char *wrong = NULL;
	struct port_rules rules;
	int ret;

	if ((int64_t)strlen(text) > o->most)
		return value_wrong(out, "is longer than %" PRId64 " bytes", o->most);
	ret = ports_parse(text, &rules, &wrong);
	if (ret == -E2BIG)
		return value_wrong(out, "has more than %d ports in it", LIMIT_PORTS);
	if (ret < 0)
		return value_wrong(
		        out, "'%s' is no port such as tcp(443), udp(), sctp(), esp(), icmp() or icmpv6(), nor !( ) around them",
		        wrong ? wrong : text);
	ports_print(&rules, out->text);
	return 0;
}

static int parse_domain(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	if (*text == '.' || *text == '-' || strstr(text, ".."))
		return value_wrong(out, "'%s' is no domain name", text);
	return parse_letters(o, text, "._-", "domain name (other letters: in their xn-- form)", out);
}

static int parse_domains(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	return parse_letters(o, text, "._- ", "list of domain names with spaces between them", out);
}

static int parse_auth(const struct opt_info *o, const char *text, const char *dir, struct value_out *out)
{
	if ((int64_t)strlen(text) > o->most)
		return value_wrong(out, "is longer than %" PRId64 " bytes", o->most);
	return value_auth(text, dir, out);
}

static int (*const parsers[])(const struct opt_info *o, const char *text, const char *dir, struct value_out *out) = {
	[KIND_BOOL] = parse_bool,         [KIND_NUMBER] = parse_number,    [KIND_TEXT] = parse_text,
	[KIND_SECRET] = parse_text,       [KIND_CHOICE] = parse_choice,    [KIND_FILE] = parse_path,
	[KIND_PATH] = parse_path,         [KIND_KEYFILE] = parse_path,     [KIND_USER] = parse_account,
	[KIND_GROUP] = parse_account,     [KIND_HOST] = parse_host,        [KIND_ADDRESS] = parse_address,
	[KIND_NETWORK4] = parse_network,  [KIND_NETWORK6] = parse_network, [KIND_NETMASK] = parse_netmask,
	[KIND_ROUTE] = parse_route,       [KIND_DEVICE] = parse_device,    [KIND_AUTH] = parse_auth,
	[KIND_PRIORITY] = parse_priority, [KIND_PORTS] = parse_ports,      [KIND_DOMAIN] = parse_domain,
	[KIND_DOMAINS] = parse_domains,   [KIND_DIRECTORY] = parse_path,   [KIND_SIZE] = parse_size,
	[KIND_DATE] = parse_date,
};

// A comment behind a value, but not behind a text: those may have a # or a ; of their own.
static void cut_comment(char *text)
{
	for (char *p = text; *p; p++)
		if ((*p == '#' || *p == ';') && (p == text || p[-1] == ' ' || p[-1] == '\t')) {
			*p = '\0';
			break;
		}
	for (size_t n = strlen(text); n > 0 && strchr(" \t", text[n - 1]); n--)
		text[n - 1] = '\0';
}

int value_parse(const struct opt_info *o, const char *text, bool quoted, const char *dir, struct value_out *out)
{
	bool is_text = o->kind == KIND_TEXT || o->kind == KIND_SECRET;
	char copy[VALUE_MAX];
	const char *from = text;

	out->text[0] = out->why[0] = '\0';
	if (strlen(text) >= sizeof(copy))
		return value_wrong(out, "is too long");
	if (!is_text)
		from += strspn(from, " \t"); // inside quotes
	strcpy(copy, from);
	if (!is_text)
		cut_comment(quoted ? copy + strlen(copy) : copy);
	if (!copy[0] && !(is_text && o->least == 0))
		return value_wrong(out, "has no value");
	return parsers[o->kind](o, copy, dir, out);
}
