// What events are called: by penstockctl, and in the journal.
#pragma once
#include "proto/states.h"

static inline const char *event_name(unsigned kind)
{
	static const char *const names[] = {
		[EVENT_LOGIN] = "login",
		[EVENT_LOGIN_FAILED] = "login-failed",
		[EVENT_CONNECT] = "connect",
		[EVENT_REFUSED] = "refused",
		[EVENT_DISCONNECT] = "disconnect",
		[EVENT_SESSION_END] = "session-end",
		[EVENT_BAN] = "ban",
		[EVENT_UNBAN] = "unban",
		[EVENT_STALL] = "stalled-login",
		[EVENT_WORKER] = "worker-failed",
		[EVENT_PROCESS] = "process-ended",
		[EVENT_GATEWAY] = "gateway",
		[EVENT_LOST] = "lost",
	};

	return kind <= EVENT_LAST ? names[kind] : "";
}
