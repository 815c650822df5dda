// Addresses of which something holds, as an option lists them (ban-exempt, proxy-from): networks that the operator names, and those
// of the gateway's own interfaces, which are looked at anew now and then. Main process only; owned by the policy.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "control/main/config.h"
#include "proto/addr.h"

struct netlist;

// One value of such an option. 0, or -EINVAL. A network has family 4 or 6; "local" and "none" have none.
int netlist_parse(const char *text, struct addr *network);
struct netlist *netlist_new(const struct config *c, enum opt o); // NULL: no memory
void netlist_free(struct netlist *l);                            // NULL is fine
// inner: the interface that clients come by, of which nobody is a neighbour; "": there is none yet.
bool netlist_has(struct netlist *l, const struct addr *who, uint64_t now, const char *inner);
