#include "control/main/profile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/main/conn.h"
#include "control/main/supplement.h"
#include "proto/err.h"
#include "proto/text.h"

// The worker reads it: main waits for no file system longer than it takes to open a file.
static int open_profile(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int ret;

	if (fd < 0)
		return errno_log(errno, "user-profile %s: %s", path, strerror(errno));
	ret = fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : st.st_size > LIMIT_PROFILE ? -EFBIG : 0;
	if (ret == 0)
		return fd;
	close(fd);
	return errno_log(-ret, "user-profile %s: %s", path, ret == -EINVAL ? "no file" : strerror(-ret));
}

static char *path_for(const struct conn *c)
{
	const struct policy_vhost *vhost = policy_vhost(&c->g->policy, c->login->vhost);
	char *path = NULL;

	if (vhost)
		supplement_profile(vhost->config, &(struct supplement_of){ .user = c->login->user, .group = c->login->group },
		                   &path);
	return path;
}

// Paths are absolute (config.h).
static void send_file(struct conn *c, const char *path, int fd)
{
	struct msg_profile_rep m = { 0 };

	snprintf(m.name, sizeof(m.name), "%s", strrchr(path, '/') + 1);
	if (!text_fits(m.name, sizeof(m.name)))
		m.name[0] = '\0';
	link_send(&c->link, MSG_PROFILE_REP, &m, &fd);
}

static void answer(struct conn *c)
{
	char *path = path_for(c);
	int fd = path ? open_profile(path) : -1;

	if (fd < 0) {
		LINK_SEND(&c->link, PROFILE_NONE, &(struct msg_profile_none){});
	} else {
		send_file(c, path, fd);
		close(fd);
	}
	free(path);
	profile_forget(c);
}

void profile_ask(struct conn *c)
{
	c->profile_asked = true;
	conn_changed(c);
	if (c->login)
		answer(c);
}

void profile_login(struct conn *c, const char *user, const char *group, const char *vhost)
{
	// a worker that has nothing to ask has gone on already
	if (c->link.chan.state != MW_FRESH || c->login)
		return;
	c->login = calloc(1, sizeof(*c->login));
	if (!c->login) {
		log_err("%s: out of memory", c->link.chan.name);
		conn_end(c, END_ERROR);
		return;
	}
	conn_changed(c);
	snprintf(c->login->user, sizeof(c->login->user), "%s", user);
	snprintf(c->login->group, sizeof(c->login->group), "%s", group);
	snprintf(c->login->vhost, sizeof(c->login->vhost), "%s", vhost);
	if (c->profile_asked)
		answer(c);
}

void profile_forget(struct conn *c)
{
	if (c->login)
		conn_changed(c);
	free(c->login);
	c->login = NULL;
}
