#include "secmod/behind.h"

#include "secmod/health.h"
#include "secmod/secmod.h"

#define LOOK_MS 50

static void look_later(struct secmod *sm)
{
	const struct timeval in = { .tv_usec = LOOK_MS * 1000 };

	evtimer_add(sm->behind_look, &in);
}

static void on_look(evutil_socket_t fd, short what, void *who)
{
	struct secmod *sm = who;
	bool behind = sm->settings->tells_behind && health_is_behind(sm);

	if (behind != sm->behind)
		to_main(sm, MSG_SECMOD_BEHIND, &(struct msg_secmod_behind){ .behind = behind });
	sm->behind = behind;
	if (behind || (sm->settings->tells_behind && sm->n_conns > 0))
		look_later(sm);
}

void behind_watch(struct secmod *sm)
{
	if (sm->behind_look == NULL)
		sm->behind_look = evtimer_new(sm->base, on_look, sm);
	if (sm->behind_look != NULL && (sm->settings->tells_behind || sm->behind) && !evtimer_pending(sm->behind_look, NULL))
		look_later(sm);
}

void behind_fini(struct secmod *sm)
{
	if (sm->behind_look != NULL)
		event_free(sm->behind_look);
}
