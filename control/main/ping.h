// Does somebody else have an address that is to be lent (ping-leases)? An ICMP or ICMPv6 echo by each interface but the inner one,
// behind which only our own clients are, and a short time for the answer. Main process only; it does not wait.
#pragma once
#include "proto/addr.h"

struct gateway;
struct ping;

// ended() follows from the loop, once: was there an answer? NULL: it cannot be asked for, and errno says why.
struct ping *ping_start(struct gateway *g, const struct addr *ip, void (*ended)(void *who, bool answered), void *who);
void ping_cancel(struct ping *p); // ended() does not follow; NULL is fine
void pings_close(struct gateway *g);
