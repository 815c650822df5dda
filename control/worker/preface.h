// What comes before a client's first byte where connections are passed on by a proxy (listen-proxy-proto). Worker only.
#pragma once
#include "proxy.h"

#define PREFACE_MS 5000 // a proxy sends it with its first packet; one lost packet costs three seconds

// Takes the header off the connection, and not a byte more; meanwhile a word of main's or of its end counts as the end. 0, or
// -errno (logged).
int preface_read(int fd, int main, struct proxy_header *out);
