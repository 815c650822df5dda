// The codec: a message is one flat msgpack array [number, field, field, ...].
// Bytes in, struct out: no I/O, no allocation that a peer's bytes can ask for.
#pragma once
#include "messages.h"

// Encode struct msg_* into buf; its length, or -EINVAL where a field is out of its bounds (our own bug), -ENOBUFS.
int msg_encode(enum msg_number number, const void *msg, uint8_t *buf, size_t room);

// The number that a packet claims, without trusting anything else in it; -EBADMSG where it is no message.
int msg_peek(const uint8_t *buf, size_t len);

// Decode and check every field; nothing may be left over. 0 or -EBADMSG, and then `out` is untouched and *why (if not NULL)
// is the name of the offending field or a short reason.
int msg_decode(enum msg_number number, const uint8_t *buf, size_t len, union msg_any *out, const char **why);
