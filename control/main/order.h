// What the dataplane is told of a tunnel: its lists, an entry each, then TUNNEL_ADD, which says how long they were. Main process
// only.
#pragma once
#include <stdint.h>

struct kept;
struct tunnel;

// The tunnel has its session, its terms and its iroutes; lane_fd: the dataplane's end of its lane. 0 or -errno.
int order_send(const struct tunnel *t, int lane_fd);
// The tunnel is up, and is to be kept to this from now on. 0 or -errno; the dataplane answers with TUNNEL_CHANGED and the token.
int order_change(const struct tunnel *t, const struct kept *kept, uint32_t token);
