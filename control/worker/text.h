// Small texts of the protocol: base64, hex, lists, decimal header values, urlencoded forms, the Cookie header. Worker only.
// All are pure and bounded, and leave their output alone when they refuse.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define BASE64_ROOM(n) (((n) + 2) / 3 * 4 + 1)

void base64_encode(const uint8_t *in, size_t len, char *out); // out has BASE64_ROOM(len)
// Canonical base64 only (RFC 4648 3.5): padded, no spaces, no stray bits. The decoded length, or -EINVAL.
int base64_decode(const char *text, size_t len, uint8_t *out, size_t room);
void hex_encode(const uint8_t *in, size_t len, char *out); // lower case; 2 * len + 1 bytes
// Exactly 2 * len digits of either case, or -EINVAL.
int hex_decode(const char *text, uint8_t *out, size_t len);

// The next word of a list that is separated by `sep`, without the spaces around it; *list moves on behind it. NULL at the end.
const char *list_next(const char **list, char sep, size_t *len);

// What a header says about a size: 0 where it is no plain decimal number, UINT16_MAX where it is more.
uint16_t number_clamped(const char *text);

// The first field `name` of an urlencoded form, decoded. Its length; -ENOENT; -EBADMSG where it does not decode, holds a control
// character or does not fit.
int form_get(const char *body, size_t len, const char *name, char *out, size_t room);

// A query as it is meant, percent-decoded: its length, or -EBADMSG where it does not decode, holds a NUL or does not fit.
int query_decode(const char *query, size_t len, char *out, size_t room);

// The path of a request as one name: without the slashes at its ends, decoded. 0; -ENOENT where it is empty or has a slash inside;
// -EBADMSG where it does not decode or cannot be printed, or does not fit.
int path_name(const char *path, char *out, size_t room);

// The session cookie of a Cookie header. 0; -ENOENT where there is none; -EBADMSG where there are two or it is not one of ours.
int cookie_get(const char *header, uint8_t cookie[COOKIE_SIZE]);

// Copy what may travel in a message's STR: control characters and bytes that are no UTF-8 become '?'; cut to fit.
void text_tame(const char *in, char *out, size_t room);
// Escape for XML text and attributes. What does not fit is cut between characters.
void text_xml(const char *in, char *out, size_t room);
