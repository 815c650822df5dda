// The operators' looks at tunnels: which are under way, and telling main what they see. Control thread only.
#pragma once
#include "control.h"

int watcher_init(struct control *c);
void watcher_start(struct control *c, const struct msg_watch_start *m); // answered by WATCH_PACKET each, then WATCH_END
void watcher_stop(struct control *c, uint32_t token);                   // nobody waits for its end
void watcher_tunnel_gone(struct control *c, uint32_t tunnel);
void watcher_turn(struct control *c);
