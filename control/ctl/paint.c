#include "paint.h"

#include <string.h>

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"

// text: how the cell's begins; NULL: any number but 0, or yes. The first row that fits counts.
static const struct {
	const char *key, *text, *colour;
} paints[] = {
	{ "State", "connected", GREEN },
	{ "State", "connecting", YELLOW },
	{ "State", "disconnected", YELLOW },
	{ "State", "authenticated", YELLOW },
	{ "Status", "online", GREEN },
	{ "Status", "", RED },
	{ "state", "up", GREEN },
	{ "state", "down", RED },
	{ "Score", NULL, YELLOW },
	{ "IPs in ban list", NULL, RED },
	{ "Dropped packets", NULL, RED },
	{ "packets dropped", NULL, RED },
	{ "Verdict", "drop_", RED },
	{ "note", "", RED },
	{ "role", "drop", RED },
};

static bool fits(const struct cell *c, const char *text)
{
	if (!text)
		return c->kind != VALUE_TEXT && c->number != 0;
	return c->text[0] && strncmp(c->text, text, strlen(text)) == 0;
}

const char *paint(const struct cell *c)
{
	for (size_t i = 0; i < sizeof(paints) / sizeof(*paints); i++)
		if (strcmp(paints[i].key, c->key) == 0 && fits(c, paints[i].text))
			return paints[i].colour;
	return "";
}
