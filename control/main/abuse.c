#include "control/main/abuse.h"

#include "control/main/conn.h"
#include "control/main/events.h"
#include "control/main/netlist.h"

static bool is_exempt(struct gateway *g, const struct addr *client)
{
	return netlist_has(g->policy.exempt, client, clock_seconds(), g->inner);
}

static bool score(struct gateway *g, const struct addr *client, uint32_t points, const char *what)
{
	struct addr network = *client;
	unsigned prefix;

	if (is_exempt(g, client))
		return false;
	prefix = ban_score(g->bans, client, points, clock_seconds());
	if (!prefix)
		return false;
	network.prefix = (uint8_t)prefix;
	addr_mask(&network);
	g->figures.bans++;
	events_ban(g, &network, what);
	conn_end_logins(g, &network, END_ERROR);
	lobby_ban(g, &network);
	return true;
}

bool abuse_score(struct gateway *g, const struct addr *client, enum abuse what)
{
	static const char *const names[] = {
		[ABUSE_CONNECTION] = "too many connections", [ABUSE_PASSWORD] = "wrong passwords",
		[ABUSE_CRASH] = "its workers die",           [ABUSE_STALL] = "logins that never end",
		[ABUSE_KKDCP] = "questions to the KDC",
	};

	return score(g, client, g->policy.points[what], names[what]);
}

void abuse_guess(struct gateway *g, const struct addr *client, const char *user)
{
	uint32_t points = g->policy.points[ABUSE_PASSWORD];

	// many who each guess a little at one name; a token that opens nothing names nobody
	if (user[0] && !is_exempt(g, client) && ban_guess(g->bans, user, points, clock_seconds()))
		points = points > UINT32_MAX / 2 ? UINT32_MAX : points * 2;
	score(g, client, points, "wrong passwords");
}

bool abuse_admits(struct gateway *g, const struct addr *client)
{
	return !abuse_banned(g, client) && !abuse_score(g, client, ABUSE_CONNECTION);
}

bool abuse_banned(struct gateway *g, const struct addr *client)
{
	return ban_active(g->bans, client, clock_seconds()) && !is_exempt(g, client);
}
