// What the dataplane sees of one tunnel: the second half of `show id` and `show session`. Main process only.
#pragma once
#include "control/main/admin.h"

// Goes on with an answer whose record is begun: asks the dataplane and ends the answer when it has told, or without it.
void view_ask(struct admin_client *a, const struct session *s);
void view_drop(struct gateway *g, const struct msg_tunnel_drop *m);
void view_told(struct gateway *g, const struct msg_tunnel_view *m);
