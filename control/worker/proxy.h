// The header by which a proxy says whose connection it passes on: the PROXY protocol, versions 1 and 2, as HAProxy's
// proxy-protocol.txt has it. Worker only. No I/O.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"

#define PROXY_HEADER_MAX 4096 // an address, and what proxies say of a TLS session and its certificate's names beside it

// client.family 0: the connection is the proxy's own (a health check), or it does not know whose.
struct proxy_header {
	struct addr client, local; // as the client sees its connection: itself, and whom it has called
};

// The header at the beginning of what has come. > 0: so many bytes it has, and nothing behind them was looked at. -EAGAIN: it is
// not whole yet, and all bytes are its. -EBADMSG: *why says what is wrong.
int proxy_parse(const uint8_t *buf, size_t len, struct proxy_header *out, const char **why);
