// penstockctl limit: the operator changes what sessions that are up are kept to (change.h). Main process only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/messages.h"

struct admin_client;
struct gateway;

// "rx=125000", "tx=1M", "session-timeout=3600", "idle-timeout=0" into what of `m` they say. Pure. False: it is none of them.
bool limit_take(struct msg_session_change *m, const char *word);

// `limit session SESSION LIMIT...`, `limit user NAME LIMIT...`
void limit_session(struct admin_client *a);
void limit_user(struct admin_client *a);
// One of the sessions is done; token: of the client that has asked.
void limit_done(struct gateway *g, uint32_t token, enum change_result result);
