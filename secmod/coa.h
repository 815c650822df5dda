// Orders of authorization servers (RFC 5176): Disconnect- and CoA-Requests that arrive at coa-listen. Who sends one has to be known
// and to know the secret; what is old or has come before is not done again. The loop's thread only.
#pragma once
#include <event2/event.h>
#include <stdint.h>

#include "proto/messages.h"
#include "proto/snapshot.h"

struct account;
struct coa;
struct secmod;

// Who may send, from a file of lines "ADDRESS[/PREFIX] SECRET"; where it listens, and how old a request may be.
struct coa_config;

// *out NULL: there is no coa-listen. 0; -EINVAL: `text` says what is wrong.
int coa_config_load(const struct snapshot *snap, struct coa_config **out, char text[LIMIT_TEXT + 1]);
void coa_config_free(struct coa_config *c); // wipes; NULL is fine

struct coa *coa_new(struct secmod *sm); // NULL: no memory
void coa_free(struct coa *c);           // NULL is fine
// From now on by these (NULL: nobody), which stay the caller's. 0; -errno: it cannot listen there, and `text` says why.
int coa_listen(struct coa *c, const struct coa_config *config, char text[LIMIT_TEXT + 1]);
// Main has done it, or not.
void coa_changed(struct coa *c, const struct msg_session_changed *m);
