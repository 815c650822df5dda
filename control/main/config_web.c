// Checks of what clients and strangers see over HTTP. See config_inside.h.
#include <string.h>

#include "control/main/config_inside.h"

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

void config_check_web(const struct config *c, struct config_log *log)
{
	check_camouflage(c, log);
}
