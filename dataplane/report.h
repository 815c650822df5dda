// What the control thread tells main of the packet path, asked or by itself. Control thread only.
#pragma once
#include "control.h"

// TUNNEL_DROP and TUNNEL_VIEW of one tunnel. (view.c)
void view_tell(struct control *c, uint32_t token, uint32_t number);

// Answers DATAPLANE_STATS.
void report_stats(struct control *c, uint32_t token, bool threads);
// Once a turn: how busy the cores are, and how long packets take.
void report_sample(struct control *c);
void report_latency(struct control *c);
// What they tell, for whoever else asks.
struct msg_dp_core report_see_core(const struct control *c, unsigned index);
struct counters report_sum(const struct control *c); // of all threads
