#include "inventory.h"

#include "control.h"

#define TOLD_A_TURN 64

void inventory_begin(struct control *c)
{
	c->inventory = (struct inventory){ .asked = true };
}

static bool tell(struct control *c, struct tunnel *t)
{
	struct msg_tunnel_held m = { .tunnel = t->number, .app_id_len = APP_ID_SIZE, .leaving = t->phase != TUNNEL_UP };

	memcpy(m.app_id, t->app_id, APP_ID_SIZE);
	if (!main_offer(c, MSG_TUNNEL_HELD, &m))
		return false;
	// what that one was told last may have gone with it
	t->untold = t->phase == TUNNEL_UP;
	return true;
}

unsigned inventory_turn(struct control *c)
{
	struct inventory *i = &c->inventory;
	unsigned n = 0;

	if (!i->asked)
		return 0;
	for (; i->next < c->dp.tunnels_max && n < TOLD_A_TURN; i->next++) {
		struct tunnel *t = &c->tunnels[i->next];

		if (t->phase == TUNNEL_FREE)
			continue;
		if (!tell(c, t))
			return n;
		i->told++;
		n++;
	}
	if (i->next == c->dp.tunnels_max && main_offer(c, MSG_TUNNELS_TOLD, &(struct msg_tunnels_told){ .count = i->told }))
		i->asked = false;
	return n + 1;
}
