// HTTP authentication (RFC 9110 11): what a client shows in its Authorization header. Negotiate (RFC 4559) and Bearer (RFC 6750)
// only. Worker only. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/states.h"

// The token of "Negotiate BASE64" or "Bearer TOKEN", decoded where it is base64; *kind: which of them. Its length, at least 1;
// -ENOENT: no such header, or another scheme; -EBADMSG: what it has is no token; -EMSGSIZE: it is larger than the room.
int credentials_read(const char *header, enum auth_kind *kind, uint8_t *token, size_t room);
