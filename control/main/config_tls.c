// What TLS and DTLS are to be like: checked, and in OpenSSL's words for those who speak it. See config_inside.h.
#include "control/main/config_inside.h"
#include "control/main/priority.h"

struct saying {
	struct config_log *log;
	const struct config *c;
};

static void say(void *who, enum log_level level, const char *text)
{
	const struct saying *s = who;

	config_say(s->log, level, config_line_of(s->c, OPT_TLS_PRIORITIES), "tls-priorities", "%s", text);
}

// With a session that the client has made up there is no suite to choose, but what it asks for.
static void check_match(const struct config *c, struct config_log *log)
{
	bool own = config_own(c, OPT_MATCH_TLS_DTLS_CIPHERS) || config_own(c, OPT_DTLS_LEGACY) ||
	           config_own(c, OPT_CISCO_CLIENT_COMPAT);
	bool legacy = config_bool(c, OPT_DTLS_LEGACY) || config_bool(c, OPT_CISCO_CLIENT_COMPAT);

	if (own && legacy && config_bool(c, OPT_MATCH_TLS_DTLS_CIPHERS))
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_MATCH_TLS_DTLS_CIPHERS), "match-tls-dtls-ciphers",
		           "it cannot be together with dtls-legacy, which is true unless it is set to false, or "
		           "cisco-client-compat");
}

void config_check_tls(const struct config *c, struct config_log *log)
{
	struct saying s = { log, c };
	struct priority p;

	if (config_own(c, OPT_TLS_PRIORITIES) && config_str(c, OPT_TLS_PRIORITIES))
		priority_parse(config_str(c, OPT_TLS_PRIORITIES), &p, say, &s);
	check_match(c, log);
}

int config_put_tls(struct snapshot_writer *w, const struct config *c)
{
	const char *string = config_str(c, OPT_TLS_PRIORITIES);
	struct priority p;
	int ret = 0;

	if (!config_own(c, OPT_TLS_PRIORITIES) || !string || priority_parse(string, &p, NULL, NULL) < 0)
		return 0;
	for (unsigned n = 0; n < PRIORITY_WORDS && ret == 0; n++)
		ret = snapshot_put(w, priority_key(n), priority_value(&p, n));
	return ret;
}
