// What each peer may say to main: one handler table a peer, in from_worker.c and so on. `who` is the peer's struct child or conn.
#pragma once
#include "proto/chan.h"

extern const chan_handler *const from_worker_handlers;  // who: struct conn
extern const chan_handler *const from_nursery_handlers; // who: struct child, as below
extern const chan_handler *const from_secmod_handlers;
extern const chan_handler *const from_dataplane_handlers;
extern const chan_handler *const from_metrics_handlers;
