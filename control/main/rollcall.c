#include "control/main/rollcall.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "control/main/conn.h"

bool rollcall_look(struct conn *c, bool unread, bool *ask)
{
	*ask = false;
	if (unread) {
		c->quiet = 0;
		return ++c->unread < ROLLCALL_UNREAD;
	}
	c->unread = 0;
	*ask = ++c->quiet >= ROLLCALL_QUIET;
	if (*ask)
		c->quiet = 0;
	return true;
}

// Before its session and after its goodbye it has other deadlines.
static bool is_due(const struct conn *c)
{
	return c->pid && !c->closed && !c->killed && c->link.chan.fd >= 0 && c->link.chan.state == MW_UP;
}

void rollcall(struct conn *c)
{
	int unread = 0;
	bool ask, there;

	if (!is_due(c) || ioctl(c->link.chan.fd, SIOCOUTQ, &unread) < 0)
		return;
	there = rollcall_look(c, unread > 0, &ask);
	if (ask)
		LINK_SEND(&c->link, WORKER_PING, &(struct msg_worker_ping){});
	if (!there)
		conn_hangs(c, "hangs");
}
