#include "control/main/telemetry.h"

#include <stdlib.h>
#include <unistd.h>

#include "control/main/supervise.h"
#include "control/main/unixsocket.h"
#include "proto/err.h"

struct telemetry {
	struct unixsocket socket;
	uint32_t clients; // so far
};

// Not more than one in a pause: each of them is work for the dataplane.
static void on_client(void *gateway, int fd)
{
	struct gateway *g = gateway;
	const struct msg_telemetry_client m = { .client = ++g->telemetry->clients };
	struct child *dataplane = g->dataplane;

	if (dataplane && dataplane->ready && !dataplane->stuck)
		link_send(&dataplane->link, MSG_TELEMETRY_CLIENT, &m, &fd);
	close(fd);
	unixsocket_pause(&g->telemetry->socket);
}

int telemetry_open(struct gateway *g, const char *path)
{
	struct telemetry *t = calloc(1, sizeof(*t));
	int ret = -ENOMEM;

	if (t)
		ret = unixsocket_open(&t->socket, g->base, path, on_client, g);
	if (ret < 0)
		free(t);
	else
		g->telemetry = t;
	return ret;
}

void telemetry_close(struct gateway *g)
{
	if (!g->telemetry)
		return;
	unixsocket_close(&g->telemetry->socket);
	free(g->telemetry);
	g->telemetry = NULL;
}
