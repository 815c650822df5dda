// Looking at one connection's packets: `trace session` and `capture session`. The dataplane sees them, penstockctl writes them
// down; main hands them on, and looks into none. Main process only.
#pragma once
#include "control/main/admin.h"

// The commands. Argument: "SESSION [packets=N] [bytes=N] [seconds=N]"; the session by its number or the beginning of its name.
void watch_trace(struct admin_client *a);
void watch_capture(struct admin_client *a);
void watch_packet(struct gateway *g, const struct msg_watch_packet *m);
void watch_ended(struct gateway *g, const struct msg_watch_end *m);
// The operator has gone, whatever he was waiting for.
void watch_hang_up(struct admin_client *a);
