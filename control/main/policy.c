#include "control/main/policy.h"

#include <errno.h>
#include <string.h>

#include "control/main/config.h"
#include "control/main/exempt.h"

static uint32_t number32(const struct config *c, enum opt o)
{
	uint64_t n = config_num(c, o);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static struct packing packing_of(const struct config *c)
{
	struct packing p = { .above = (uint16_t)config_num(c, OPT_NO_COMPRESS_LIMIT) };

	// what is wrong with the order was said when the file was read: then it is ocserv's own
	if (!config_bool(c, OPT_COMPRESSION) ||
	    (packing_parse(config_str(c, OPT_COMPRESSION_ALGO_PRIORITY), &p) < 0 && packing_parse(NULL, &p) < 0))
		return (struct packing){ 0 };
	return p;
}

int policy_load(const struct config *c, struct policy *out)
{
	struct policy p = {
		.max_clients = number32(c, OPT_MAX_CLIENTS),
		.auth_timeout = number32(c, OPT_AUTH_TIMEOUT),
		.udp_silence = number32(c, OPT_SWITCH_TO_TCP_TIMEOUT),
		.rekey_time = number32(c, OPT_REKEY_TIME),
		.rekey_method = strcmp(config_str(c, OPT_REKEY_METHOD), "ssl") == 0 ? REKEY_SSL : REKEY_NEW_TUNNEL,
		.stats_seconds = number32(c, OPT_SERVER_STATS_RESET_TIME),
		.tcp_port = (uint16_t)config_num(c, OPT_TCP_PORT),
		.udp_port = (uint16_t)config_num(c, OPT_UDP_PORT),
		.predictable_ips = config_bool(c, OPT_PREDICTABLE_IPS),
		.dtls_psk = config_bool(c, OPT_DTLS_PSK),
		.dtls_legacy = config_bool(c, OPT_DTLS_LEGACY),
		.points[ABUSE_CONNECTION] = number32(c, OPT_BAN_POINTS_CONNECTION),
		.points[ABUSE_PASSWORD] = number32(c, OPT_BAN_POINTS_WRONG_PASSWORD),
		.points[ABUSE_CRASH] = number32(c, OPT_BAN_POINTS_CRASH),
		.points[ABUSE_STALL] = number32(c, OPT_BAN_POINTS_STALL),
		.bans.max_score = number32(c, OPT_MAX_BAN_SCORE),
		.bans.ban_seconds = number32(c, OPT_BAN_TIME),
		.bans.reset_seconds = number32(c, OPT_BAN_RESET_TIME),
		.packing = packing_of(c),
	};
	int ret = terms_new(c, NULL, NULL, &p.terms);

	if (ret < 0)
		return ret;
	p.exempt = exempt_new(c);
	if (!p.exempt) {
		terms_put(p.terms);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void policy_free(struct policy *p)
{
	terms_put(p->terms);
	exempt_free(p->exempt);
	*p = (struct policy){ 0 };
}
