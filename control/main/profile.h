// The profiles of users and groups (user-profile in their files): who has logged in on a connection sec-mod says, that there may be
// something to fetch for him his worker; either may come first. Main process only.
#pragma once
#include "proto/limits.h"

struct conn;
struct msg_auth_event;

// Whose login it was.
struct profile_login {
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1], vhost[LIMIT_VHOST + 1];
};

// The worker asks.
void profile_ask(struct conn *c);
// A login on the connection has come to a good end.
void profile_login(struct conn *c, const struct msg_auth_event *m);
// Nobody will ask any more.
void profile_forget(struct conn *c);
