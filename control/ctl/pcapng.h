// Blocks of a pcapng file (draft-ietf-opsawg-pcapng): interface 0 "outer" and 1 "inner". Pure, no I/O. Both are Ethernet
// with addresses of zeros: tcpdump reads no two interfaces of raw IP in one file.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "proto/messages.h"

#define PCAPNG_ROOM (2 * (LIMIT_SNAP + 512))

// Into buf, which has PCAPNG_ROOM; its length.
size_t pcapng_begin(uint8_t *buf);
// A packet outside, inside or both, in the order in which it passed. Its record gets IP and UDP headers made of where it came from;
// a comment has stages and verdict.
size_t pcapng_packet(uint8_t *buf, const struct msg_admin_packet *m);
