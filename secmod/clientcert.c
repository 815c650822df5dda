#include "secmod/clientcert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/err.h"
#include "proto/text.h"
#include "secmod/key.h"
#include "secmod/proof.h"
#include "secmod/secmod.h"
#include "secmod/trust.h"

static void drop_parts(struct conn *conn)
{
	free(conn->parts);
	conn->parts = NULL;
}

void clientcert_drop(struct conn *conn)
{
	drop_parts(conn);
	certified_put(conn->cert);
	conn->cert = NULL;
}

// A whole handshake, whatever was to be resumed.
int clientcert_signed(struct conn *conn, const struct key *k, const struct msg_sign_req *m, const struct msg_sign_rep *rep)
{
	clientcert_drop(conn);
	return witness_take(&conn->witness, m->scheme, m->tbs, m->tbs_len, rep->signature, rep->signature_len, key_cert_digest(k),
	                    key_is_token(k));
}

int clientcert_part(struct conn *conn, const struct msg_cert_part *m)
{
	struct transcript_parts *p = conn->parts;

	if (p == NULL)
		p = conn->parts = calloc(1, sizeof(*p));
	if (p == NULL)
		return errno_log(ENOMEM, "%s: no memory for a certificate", conn->chan.name);
	if (m->messages_len > sizeof(p->messages) - p->len)
		return errno_log(EPROTO, "%s: a handshake of more than %d bytes", conn->chan.name, LIMIT_TRANSCRIPT);
	memcpy(p->messages + p->len, m->messages, m->messages_len);
	p->len += m->messages_len;
	return 0;
}

// As a login that was refused: for the log and the statistics. No points for it: a client with an old certificate is no guesser,
// and comes again by itself.
static void report_refusal(struct conn *conn, const char *why)
{
	struct msg_auth_event event = {
		.conn = conn->id, .client = conn->client, .outcome = AUTH_REFUSED, .method = "certificate"
	};

	log_info("%s: the client's certificate is refused: %s", conn->chan.name, why);
	to_main(conn->sm, MSG_AUTH_EVENT, &event);
}

static bool is_fresh(struct conn *conn, const struct transcript *t, const char **why)
{
	struct secmod *sm = conn->sm;
	int ret;

	if (!conn->witness.repeats)
		return true;
	if (sm->proofs == NULL)
		sm->proofs = proofs_new();
	ret = sm->proofs != NULL ? proofs_use(sm->proofs, &conn->witness, t, time(NULL)) : -ENOMEM;
	*why = ret == -ESTALE     ? "its handshake is too long ago"
	       : ret == -EALREADY ? "its handshake has been shown before"
	                          : "too many handshakes like it";
	return ret == 0;
}

// A worker that hands over what is no proof lies: OpenSSL has let its client's signature pass. NULL: the certificate does not
// count.
static int certify(struct conn *conn, struct trust *trust, struct certified **out, char text[LIMIT_TEXT + 1])
{
	const struct transcript_parts *p = conn->parts;
	struct certified *c;
	struct transcript t;
	const char *why;

	if (proof_open(&conn->witness, p->messages, p->len, &t, &why) < 0)
		return errno_log(EPROTO, "%s: no proof of a certificate: %s", conn->chan.name, why);
	c = trust_certify(trust, t.chain, t.n_chain, text);
	if (c != NULL && proof_verify(p->messages, &t, &why) < 0) {
		certified_put(c);
		return errno_log(EPROTO, "%s: no proof of a certificate: %s", conn->chan.name, why);
	}
	if (c != NULL && !is_fresh(conn, &t, &why)) {
		text_format(text, "%s", why);
		certified_put(c);
		c = NULL;
	}
	*out = c;
	return 0;
}

int clientcert_prove(struct conn *conn, const struct msg_cert_prove *m)
{
	const struct vhost *vhost = conn_vhost(conn);
	struct msg_cert_result result = { 0 };
	char text[LIMIT_TEXT + 1];
	int ret;

	if (vhost == NULL || vhost->trust == NULL)
		return errno_log(EPROTO, "%s: a certificate where none is asked for", conn->chan.name);
	if (conn->parts == NULL || conn->parts->len != m->len)
		return errno_log(EPROTO, "%s: a handshake that is not whole", conn->chan.name);
	ret = certify(conn, vhost->trust, &conn->cert, text);
	drop_parts(conn);
	if (ret < 0)
		return ret;
	if (conn->cert == NULL)
		report_refusal(conn, text);
	else
		log_debug("%s: the client has the certificate of '%s'", conn->chan.name, conn->cert->user);
	result.ok = conn->cert != NULL;
	return CHAN_SEND(&conn->chan, CERT_RESULT, &result);
}

bool clientcert_again(struct conn *conn, const struct vhost *v, const struct certified *cert)
{
	char text[LIMIT_TEXT + 1] = "certificates are not asked for any more";

	clientcert_drop(conn);
	if (cert == NULL)
		return true;
	if (v->trust != NULL)
		conn->cert = trust_certify(v->trust, cert->chain, cert->n_chain, text);
	if (conn->cert == NULL)
		report_refusal(conn, text);
	return conn->cert != NULL;
}
