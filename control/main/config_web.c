// Checks of what clients and strangers see over HTTP. See config_inside.h.
#include <string.h>
#include <strings.h>

#include "control/main/config_inside.h"
#include "control/main/placeholder.h"
#include "proto/limits.h"

// RFC 3986 3.4: what a query may hold as it is; and a %, which looks like the beginning of an encoded byte, is none of it.
static bool is_query(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/?")] == '\0';
}

static void check_camouflage(const struct config *c, struct config_log *log)
{
	const char *secret = config_str(c, OPT_CAMOUFLAGE_SECRET);

	if (!config_bool(c, OPT_CAMOUFLAGE) || (!config_own(c, OPT_CAMOUFLAGE) && !config_own(c, OPT_CAMOUFLAGE_SECRET)))
		return;
	if (!secret || !secret[0])
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_CAMOUFLAGE), "camouflage",
		           "it needs camouflage_secret: nobody could log in");
	else if (!is_query(secret))
		config_say(
		        log, LOG_LEVEL_WARN, config_line_of(c, OPT_CAMOUFLAGE_SECRET), "camouflage_secret",
		        "users have to write it percent-encoded in their URLs: it has more than letters, digits and signs such as "
		        "-._~ in it");
}

static void check_phones(const struct config *c, struct config_log *log)
{
	uint64_t port = config_num(c->base ? c->base : c, OPT_UDP_PORT);

	if (config_own(c, OPT_CISCO_SVC_CLIENT_COMPAT) && config_bool(c, OPT_CISCO_SVC_CLIENT_COMPAT) && port != 443 && port != 0)
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_CISCO_SVC_CLIENT_COMPAT), "cisco-svc-client-compat",
		           "udp-port has to be 443, or 0: phones use no other for DTLS");
}

// --------------------------------------------------------------------------------------------------------------- headers

// Headers that say how an answer is to be read: a second one would have it read otherwise.
static const char *const framing[] = { "Connection", "Content-Encoding",  "Content-Length", "Keep-Alive",
	                               "Trailer",    "Transfer-Encoding", "Upgrade",        NULL };
static const char *const ours[] = { "Content-Type", "Date", "WWW-Authenticate", NULL };

static bool is_among(const char *text, size_t len, const char *const names[])
{
	for (; *names; names++)
		if (strlen(*names) == len && strncasecmp(*names, text, len) == 0)
			return true;
	return false;
}

// RFC 9110 5.1; that the value is printable the option's kind has seen to.
static const char *why_no_header(const char *text, const char *const names[])
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~");

	if (len == 0 || text[len] != ':')
		return "it is no header: it is to be as in \"Name: value\"";
	if (is_among(text, len, framing))
		return "it would break the answers that it stands in";
	return names && is_among(text, len, names) ? "every answer has one already" : NULL;
}

static void check_headers(const struct config *c, enum opt o, const char *const names[], struct config_log *log)
{
	const char *why;
	size_t sum = 0;

	if (!config_own(c, o))
		return;
	for (unsigned i = 0; i < config_count(c, o); i++) {
		sum += strlen(config_nth(c, o, i)) + 2;
		why = why_no_header(config_nth(c, o, i), names);
		if (why)
			config_say(log, LOG_LEVEL_ERR, config_line_nth(c, o, i), opt_table[o].name, "%s: %s", config_nth(c, o, i),
			           why);
	}
	if (sum > LIMIT_INCLUDED)
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, o), opt_table[o].name, "%zu bytes of headers are too many (%d)",
		           sum, LIMIT_INCLUDED);
}

static void check_placeholders(const struct config *c, enum opt o, struct config_log *log)
{
	const char *unknown;

	for (unsigned i = 0; config_own(c, o) && i < config_count(c, o); i++) {
		unknown = placeholder_unknown(config_nth(c, o, i));
		if (unknown)
			config_say(log, LOG_LEVEL_WARN, config_line_nth(c, o, i), opt_table[o].name,
			           "%.*s is told as it stands: only %%{U} (the user) and %%{G} (the group) mean something",
			           (int)strcspn(unknown, "}") + 1, unknown);
	}
}

static void check_proxy_url(const struct config *c, struct config_log *log)
{
	const char *url = config_str(c, OPT_PROXY_URL);

	if (config_own(c, OPT_PROXY_URL) && url && (!strstr(url, "://") || strpbrk(url, " \t")))
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_PROXY_URL), "proxy-url",
		           "%s: it is no URL as in http://proxy.example.com/wpad.dat", url);
}

void config_check_web(const struct config *c, struct config_log *log)
{
	check_camouflage(c, log);
	check_phones(c, log);
	check_headers(c, OPT_CUSTOM_HEADER, NULL, log);
	check_headers(c, OPT_INCLUDED_HTTP_HEADERS, ours, log);
	check_placeholders(c, OPT_CUSTOM_HEADER, log);
	check_placeholders(c, OPT_PROXY_URL, log);
	check_proxy_url(c, log);
}
