#include "vhost.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clientcert.h"
#include "proto/log.h"
#include "resume.h"
#include "sni.h"
#include "tls_ctx.h"

static const struct vhost *find(const struct vhosts *v, const char *name)
{
	for (unsigned i = 1; i < v->n; i++)
		if (strcmp(v->vhost[i].name, name) == 0)
			return &v->vhost[i];
	return &v->vhost[0];
}

// Before OpenSSL looks at anything else in the ClientHello, so that all of it is judged by the right context. What is malformed is
// refused by OpenSSL's own parser.
static int on_hello(SSL *ssl, int *alert, void *who)
{
	const struct vhosts *v = who;
	const struct vhost *vhost = &v->vhost[0];
	char name[LIMIT_VHOST + 1];
	const unsigned char *body;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &body, &len) == 1 && sni_parse(body, len, name) == 0)
		vhost = find(v, name);
	if (!tls_ctx_take(ssl, vhost->tls, vhost->groups[0] ? vhost->groups : NULL)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	clientcert_want(ssl, &vhost->offers);
	return SSL_CLIENT_HELLO_SUCCESS;
}

// Tells the client that its name has counted.
static int on_name(SSL *ssl, int *alert, void *who)
{
	return vhost_of(ssl)->number > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int load_certificates(struct vhost *vhost, const struct snapshot *conf, char text[LIMIT_TEXT + 1])
{
	const char *file;
	unsigned i;
	int ret;

	for (i = 0; (file = snapshot_vhost_nth(conf, vhost->number, "server-cert", i)) != NULL; i++) {
		if (i >= LIMIT_SERVER_KEYS) {
			snprintf(text, LIMIT_TEXT + 1, "server-cert %s: more than %d certificates", file, LIMIT_SERVER_KEYS);
			return -E2BIG;
		}
		ret = tls_ctx_add(vhost->tls, file, vhost->number, i, text);
		if (ret < 0)
			return ret;
		X509_digest(SSL_CTX_get0_certificate(vhost->tls), EVP_sha1(), vhost->sha1[i], NULL);
	}
	if (i > 0)
		return 0;
	snprintf(text, LIMIT_TEXT + 1, "no server-cert is configured");
	return -ENOENT;
}

// Of one kind of key the context has kept the last.
static void list_certificates(struct vhost *vhost)
{
	long more = SSL_CTX_set_current_cert(vhost->tls, SSL_CERT_SET_FIRST);

	for (; more == 1 && vhost->n_certs < LIMIT_SERVER_KEYS; more = SSL_CTX_set_current_cert(vhost->tls, SSL_CERT_SET_NEXT))
		vhost->cert[vhost->n_certs++] = SSL_CTX_get0_certificate(vhost->tls);
}

static void load_staple(struct vhost *vhost, const char *file)
{
	char why[LIMIT_TEXT + 1] = "it is about none of the certificates";
	struct staple fresh = { 0 };
	int ret = -EAGAIN;

	for (unsigned i = 0; i < vhost->n_certs && ret == -EAGAIN; i++) {
		ret = staple_read(&fresh, file, vhost->cert[i], why);
		if (ret < 0)
			continue;
		staple_free(&vhost->staple[i]);
		vhost->staple[i] = fresh;
	}
	if (ret < 0)
		log_warn("ocsp-response %s: %s; clients do not get it%s%s", file, why, vhost->number > 0 ? " at " : "",
		         vhost->name);
}

static int on_status(SSL *ssl, void *who)
{
	const struct vhost *vhost = vhost_of(ssl);

	for (unsigned i = 0; i < vhost->n_certs; i++)
		if (vhost->cert[i] == SSL_get_certificate(ssl))
			return staple_send(&vhost->staple[i], ssl, time(NULL));
	return SSL_TLSEXT_ERR_NOACK;
}

static void load_staples(struct vhost *vhost, const struct snapshot *conf)
{
	const char *file = snapshot_vhost_get(conf, vhost->number, "ocsp-response");

	if (!file)
		return;
	list_certificates(vhost);
	for (unsigned i = 1; file; file = snapshot_vhost_nth(conf, vhost->number, "ocsp-response", i++))
		load_staple(vhost, file);
	SSL_CTX_set_tlsext_status_cb(vhost->tls, on_status);
}

static int load_rule(struct vhost *vhost, const struct snapshot *conf, char text[LIMIT_TEXT + 1])
{
	const char *groups = snapshot_vhost_get(conf, vhost->number, "@tls-groups");

	snprintf(vhost->groups, sizeof(vhost->groups), "%s", groups ? groups : "");
	ciphers_load(&vhost->dtls, conf, vhost->number);
	return tls_ctx_rule(vhost->tls, conf, vhost->number, text);
}

// A web server says which HTTP it speaks to who asks (RFC 7301); VPN gateways do not.
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *who)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *found;

	if (SSL_select_next_proto(&found, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static int load(struct vhost *vhost, const struct snapshot *conf, char text[LIMIT_TEXT + 1])
{
	int ret;

	snprintf(text, LIMIT_TEXT + 1, "out of memory");
	vhost->tls = tls_ctx_new();
	if (!vhost->tls)
		return -ENOMEM;
	SSL_CTX_set_app_data(vhost->tls, vhost);
	ret = offers_load(&vhost->offers, conf, vhost->number, text);
	if (ret == 0)
		ret = camouflage_load(&vhost->camouflage, conf, vhost->number);
	if (vhost->camouflage.on)
		SSL_CTX_set_alpn_select_cb(vhost->tls, on_alpn, NULL);
	if (ret == 0)
		ret = headers_load(&vhost->headers, conf, vhost->number);
	if (ret == 0)
		ret = resume_prepare(vhost->tls, vhost->name);
	if (ret == 0)
		ret = load_rule(vhost, conf, text);
	if (ret == 0 && vhost->offers.wants_certificate)
		ret = clientcert_prepare(vhost->tls, conf, vhost->number, text);
	if (ret == 0)
		ret = load_certificates(vhost, conf, text);
	if (ret == 0)
		load_staples(vhost, conf);
	return ret;
}

int vhosts_load(struct vhosts *v, const struct snapshot *conf, char text[LIMIT_TEXT + 1])
{
	unsigned n = snapshot_vhosts(conf);
	int ret = 0;

	for (unsigned i = 0; i < n && ret == 0; i++) {
		v->vhost[i].number = (uint8_t)i;
		snprintf(v->vhost[i].name, sizeof(v->vhost[i].name), "%s", snapshot_vhost_name(conf, i));
		ret = load(&v->vhost[i], conf, text);
		v->n++;
	}
	if (ret < 0)
		return ret;
	SSL_CTX_set_client_hello_cb(v->vhost[0].tls, on_hello, v);
	SSL_CTX_set_tlsext_servername_callback(v->vhost[0].tls, on_name);
	return 0;
}

void vhosts_free(struct vhosts *v)
{
	for (unsigned i = 0; i < v->n; i++) {
		SSL_CTX_free(v->vhost[i].tls);
		offers_free(&v->vhost[i].offers);
		camouflage_free(&v->vhost[i].camouflage);
		headers_free(&v->vhost[i].headers);
		for (unsigned n = 0; n < LIMIT_SERVER_KEYS; n++)
			staple_free(&v->vhost[i].staple[n]);
	}
	v->n = 0;
}

const struct vhost *vhost_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}
