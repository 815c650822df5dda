// The HTTP server of penstock-metrics: GET /metrics and nothing else, for few clients at a time, who have little time and little
// room. Who asks waits until the whole has come from main; all who ask meanwhile, and shortly after, get the same.
#pragma once
#include <event2/event.h>

#include "page.h"

struct server;

// ask: main is to be asked for a new page; then comes server_page() or nothing. NULL: no memory.
struct server *server_new(struct event_base *base, void (*ask)(void *who), void *who);
void server_free(struct server *s);
// Take connections at this listening socket, which becomes the server's, and at no other any more. 0 or -errno.
int server_listen(struct server *s, int fd);
void server_page(struct server *s, struct page *page); // becomes the server's
