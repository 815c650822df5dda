// With rate-limit-ms, main is told when logins wait too long for their turn. sec-mod's loop only.
#pragma once

struct secmod;

// A connection has come, or other settings: look now and then while there is something to look at.
void behind_watch(struct secmod *sm);
void behind_fini(struct secmod *sm);
