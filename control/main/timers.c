#include "control/main/timers.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

static void never(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

// The heap grows with what is in it, and keeps its room.
int timers_reserve(struct event_base *base)
{
	const struct timeval later = { .tv_sec = 1000000 };
	size_t size = event_get_struct_event_size();
	char *timers = calloc(TIMERS_RESERVED, size);
	unsigned n = 0;
	int ret = timers ? 0 : -ENOMEM;

	for (; ret == 0 && n < TIMERS_RESERVED; n++)
		if (evtimer_assign((struct event *)(timers + n * size), base, never, NULL) < 0 ||
		    evtimer_add((struct event *)(timers + n * size), &later) < 0)
			ret = -ENOMEM;
	while (n > 0)
		evtimer_del((struct event *)(timers + --n * size));
	free(timers);
	return ret;
}
