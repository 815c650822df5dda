// What the dataplane tells operators: about one tunnel, the second half of `show id` and `show session`; and about itself.
// Main process only.
#pragma once
#include "control/main/admin.h"

// Goes on with an answer whose record is begun: asks the dataplane and ends the answer when it has told, or without it.
void view_ask(struct admin_client *a, const struct session *s);
void view_drop(struct gateway *g, const struct msg_tunnel_drop *m);
void view_told(struct gateway *g, const struct msg_tunnel_view *m);

void view_dp_port(struct gateway *g, const struct msg_dp_port *m);
void view_dp_core(struct gateway *g, const struct msg_dp_core *m);
void view_dp_pool(struct gateway *g, const struct msg_dp_pool *m);
void view_dp_ring(struct gateway *g, const struct msg_dp_ring *m);
void view_dp_counter(struct gateway *g, const struct msg_dp_counter *m);
void view_dp_end(struct gateway *g, const struct msg_dataplane_stats_end *m);
