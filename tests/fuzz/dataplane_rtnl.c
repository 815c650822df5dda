// What the kernel says over rtnetlink: every step goes forward, and what comes out is in its bounds.
#include <stdint.h>
#include <stdlib.h>

#include "dataplane/rtnl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0, before;
	struct rtnl m;

	for (before = 0; rtnl_next(data, size, &at, &m); before = at) {
		if (at <= before || at > size)
			abort();
		if (m.kind == RTNL_ROUTE && m.route.prefix > (m.route.family == 4 ? 32 : 128))
			abort();
		if (m.kind == RTNL_NEIGHBOUR && m.neighbour.family != 4 && m.neighbour.family != 6)
			abort();
	}
	return 0;
}
