#include "secmod/resumption.h"

#include <errno.h>
#include <string.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "secmod/clientcert.h"
#include "secmod/resume.h"
#include "secmod/secmod.h"
#include "secmod/trust.h"

// By the numbers of its nursery, in the settings in force. NULL: it is no more.
static const struct vhost *vhost_of(const struct conn *conn, uint8_t number)
{
	const struct settings *s = conn->settings;

	return number < s->n_vhosts ? settings_vhost(conn->sm->settings, s->vhosts[number].name) : NULL;
}

// From here on the connection is that virtual host's, as by a signature. A hostile worker learns nothing that its client could not
// have had resumed.
static bool go_on(struct conn *conn, const struct msg_resume_fetch *m, struct msg_resume_rep *rep)
{
	const struct vhost *v = vhost_of(conn, m->vhost);
	struct resume found;
	bool good;

	if (v == NULL ||
	    resumes_fetch(conn->sm->resumes, m->id, m->id_len, &conn->client, v->name, monotonic_ms(), rep->state, &found) < 0)
		return false;
	// nor where a reload asks for one that the session has not got
	good = (found.cert != NULL || !vhost_needs_certificate(v)) && clientcert_again(conn, v, found.cert);
	certified_put(found.cert);
	if (!good) {
		secret_wipe(rep->state, sizeof(rep->state));
		resumes_delete(conn->sm->resumes, m->id, m->id_len, &conn->client, v->name);
		return false;
	}
	conn->vhost = m->vhost;
	rep->state_len = (uint16_t)found.state_len;
	rep->certified = conn->cert != NULL;
	return true;
}

int resumption_fetch(struct conn *conn, const struct msg_resume_fetch *m)
{
	struct msg_resume_rep rep = { 0 };
	int ret;

	rep.ok = go_on(conn, m, &rep);
	if (rep.ok)
		chan_enter(&conn->chan, SW_RESUMED);
	ret = CHAN_SEND(&conn->chan, RESUME_REP, &rep);
	secret_wipe(&rep, sizeof(rep));
	return ret;
}

int resumption_store(struct conn *conn, const struct msg_resume_store *m)
{
	const struct vhost *v = vhost_of(conn, conn->vhost);
	const int64_t now = monotonic_ms();
	struct resume what = { .id = m->id, .id_len = m->id_len, .once = m->once, .client = conn->client, .cert = conn->cert };
	int ret;

	if (v == NULL)
		return 0;
	what.vhost = v->name;
	what.state = m->state;
	what.state_len = m->state_len;
	ret = resumes_store(conn->sm->resumes, &what, now + v->cookie_timeout_ms, now);
	if (ret == -EEXIST)
		return errno_log(EPROTO, "%s: a TLS session of a name that there is", conn->chan.name);
	expiry_arm(conn->sm);
	return 0;
}

int resumption_delete(struct conn *conn, const struct msg_resume_delete *m)
{
	const struct vhost *v = vhost_of(conn, m->vhost);

	if (v != NULL)
		resumes_delete(conn->sm->resumes, m->id, m->id_len, &conn->client, v->name);
	return 0;
}
