// The host name that a ClientHello asks for (server_name, RFC 6066 3). Worker only. No I/O.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

// The extension's body; `name` in small letters, its last dot cut off. 0; -ENOENT: it has no host name; -EBADMSG.
int sni_parse(const uint8_t *body, size_t len, char name[LIMIT_VHOST + 1]);
