// The profiles of users and groups (user-profile in their files): who has logged in on a connection sec-mod says, that there may be
// something to fetch for him his worker; either may come first. Main process only.
#pragma once
#include "proto/limits.h"

struct conn;

// Whose login it was.
struct profile_login {
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1], vhost[LIMIT_VHOST + 1];
};

// The worker asks.
void profile_ask(struct conn *c);
// A login on the connection has come to a good end, or its client has shown a cookie: whose it is.
void profile_login(struct conn *c, const char *user, const char *group, const char *vhost);
// Nobody will ask any more.
void profile_forget(struct conn *c);
