// After a dataplane's death: the next one gets the tunnels of all who are connected, with new lanes to their workers, so that no
// client has to connect anew. So many at a time that neither it nor the others wait. Main process only.
#pragma once
#include "control/main/gateway.h"
#include "proto/messages.h"

struct tunnel;

void refill_init(struct gateway *g);
// The dataplane has died: what it had said of its tunnels holds no more, and they wait for the next one.
void refill_lose(struct gateway *g);
// There is another, with room for so many. 0 or -ENOMEM.
int refill_room(struct gateway *g, uint32_t tunnels_max);
void refill_begin(struct gateway *g);
// What it says to one that it was asked to take.
void refill_replied(struct tunnel *t, const struct msg_tunnel_reply *m);
