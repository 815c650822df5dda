// The Kerberos KDC Proxy Protocol ([MS-KKDCP]): the DER of a KDC_PROXY_MESSAGE, one Kerberos message around which HTTPS is put.
// Worker only. Pure.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

struct kkdcp {
	const uint8_t *message; // the caller's: AS-REQ or TGS-REQ, without the length that TCP puts before it
	size_t len;
	char realm[LIMIT_REALM + 1]; // "": it does not say
};

// 0; or -EBADMSG: it is none, or what it carries is nothing that one asks a KDC.
int kkdcp_parse(const uint8_t *der, size_t len, struct kkdcp *out);

#define KKDCP_OVERHEAD 16
// A KDC's answer as one. `out` has len + KKDCP_OVERHEAD bytes; how many it takes.
size_t kkdcp_wrap(const uint8_t *message, size_t len, uint8_t *out);
