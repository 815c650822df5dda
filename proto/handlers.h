// Yields one handler entry for each message of the routes that the includer has switched on: see messages.h.
// No include guard: every receiver includes it for itself.
#ifndef ON_MAIN_NURSERY
#define ON_MAIN_NURSERY(...)
#endif
#ifndef ON_NURSERY_MAIN
#define ON_NURSERY_MAIN(...)
#endif
#ifndef ON_WORKER_MAIN
#define ON_WORKER_MAIN(...)
#endif
#ifndef ON_MAIN_WORKER
#define ON_MAIN_WORKER(...)
#endif
#ifndef ON_WORKER_SECMOD
#define ON_WORKER_SECMOD(...)
#endif
#ifndef ON_SECMOD_WORKER
#define ON_SECMOD_WORKER(...)
#endif
#ifndef ON_MAIN_SECMOD
#define ON_MAIN_SECMOD(...)
#endif
#ifndef ON_SECMOD_MAIN
#define ON_SECMOD_MAIN(...)
#endif
#ifndef ON_MAIN_DATAPLANE
#define ON_MAIN_DATAPLANE(...)
#endif
#ifndef ON_DATAPLANE_MAIN
#define ON_DATAPLANE_MAIN(...)
#endif
#ifndef ON_WORKER_DATAPLANE
#define ON_WORKER_DATAPLANE(...)
#endif
#ifndef ON_DATAPLANE_WORKER
#define ON_DATAPLANE_WORKER(...)
#endif
#ifndef ON_CTL_MAIN
#define ON_CTL_MAIN(...)
#endif
#ifndef ON_MAIN_CTL
#define ON_MAIN_CTL(...)
#endif
#ifndef ON_MAIN_METRICS
#define ON_MAIN_METRICS(...)
#endif
#ifndef ON_METRICS_MAIN
#define ON_METRICS_MAIN(...)
#endif

// First the typed handlers and one shim each that gives them their type back, then (HANDLERS) the table itself.
#define MESSAGE(from, to, NAME, name, ...)                                                            \
	ON_##from##_##to(static int on_##name(void *who, const struct msg_##name *m, const int *fds); \
	                 static int shim_##name(void *who, const void *m, const int *fds) { return on_##name(who, m, fds); })
#include "messages.def"
#undef MESSAGE

static const chan_handler HANDLERS[MSG_NUMBERS] = {
#define MESSAGE(from, to, NAME, name, ...) ON_##from##_##to([MSG_##NAME] = shim_##name, )
#include "messages.def"
#undef MESSAGE
};

#undef HANDLERS
#undef ON_MAIN_NURSERY
#undef ON_NURSERY_MAIN
#undef ON_WORKER_MAIN
#undef ON_MAIN_WORKER
#undef ON_WORKER_SECMOD
#undef ON_SECMOD_WORKER
#undef ON_MAIN_SECMOD
#undef ON_SECMOD_MAIN
#undef ON_MAIN_DATAPLANE
#undef ON_DATAPLANE_MAIN
#undef ON_WORKER_DATAPLANE
#undef ON_DATAPLANE_WORKER
#undef ON_CTL_MAIN
#undef ON_MAIN_CTL
#undef ON_MAIN_METRICS
#undef ON_METRICS_MAIN
