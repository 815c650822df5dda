// openconnect's login in XML, and CONNECT.
#include "swarm.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENT "Open AnyConnect VPN Agent v9.01"

static void ask(struct client *c, const char *path, const char *type, const char *what)
{
	char body[2048];

	snprintf(body, sizeof(body),
	         "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config-auth client=\"vpn\" type=\"%s\"><version "
	         "who=\"vpn\">v9.01</version><device-id>linux-64</device-id>%s</config-auth>\n",
	         type, what);
	*c->talk = (struct talk){ 0 };
	c->talk->request_len = (size_t)snprintf(c->talk->request, sizeof(c->talk->request),
	                                        "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: " AGENT
	                                        "\r\nX-Transcend-Version: 1\r\nX-Aggregate-Auth: 1\r\nAccept: */*\r\n"
	                                        "Content-Type: application/xml; charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s",
	                                        path, wish.host, strlen(body), body);
}

void http_ask_init(struct client *c)
{
	char what[256];

	snprintf(what, sizeof(what), "<group-access>https://%s</group-access>", wish.host);
	ask(c, "/", "init", what);
}

void http_ask_login(struct client *c, const char *field, const char *value)
{
	char what[512];

	snprintf(what, sizeof(what), "<auth><%s>%s</%s></auth>", field, value, field);
	ask(c, "/auth", "auth-reply", what);
}

void http_ask_tunnel(struct client *c)
{
	*c->talk = (struct talk){ 0 };
	c->talk->request_len = (size_t)snprintf(
	        c->talk->request, sizeof(c->talk->request),
	        "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: %s\r\nUser-Agent: " AGENT "\r\nCookie: webvpn=%s\r\n"
	        "X-CSTP-Version: 1\r\nX-CSTP-Hostname: swarm-%td\r\nX-CSTP-Base-MTU: 1500\r\nX-CSTP-MTU: 1400\r\n"
	        "X-CSTP-Address-Type: IPv4\r\n%s\r\n",
	        wish.host, c->cookie, c - swarm,
	        wish.no_dtls ? "" : "X-DTLS12-CipherSuite: PSK-NEGOTIATE\r\nX-DTLS-CipherSuite: PSK-NEGOTIATE\r\n");
}

static bool reply_is_whole(const struct talk *t)
{
	const char *end = strstr(t->reply, "\r\n\r\n"), *length = strcasestr(t->reply, "\r\nContent-Length:");
	size_t body = length && end && length < end ? strtoul(length + 17, NULL, 10) : 0;

	return end && t->reply_len >= (size_t)(end + 4 - t->reply) + body;
}

// The request goes, its answer comes. What comes behind the answer to CONNECT stays in its TLS records: they are never read into
// one.
int http_exchange(struct client *c)
{
	struct talk *t = c->talk;
	int n, ret;

	if (!t->sent) {
		ret = tls_outcome(c->tls, SSL_write(c->tls, t->request, (int)t->request_len));
		if (ret <= 0)
			return ret;
		t->sent = true;
	}
	do {
		n = SSL_read(c->tls, t->reply + t->reply_len, (int)(TALK_ROOM - 1 - t->reply_len));
		ret = tls_outcome(c->tls, n);
		if (ret <= 0)
			return ret;
		t->reply_len += (size_t)n;
		t->reply[t->reply_len] = 0;
	} while (!reply_is_whole(t) && t->reply_len < TALK_ROOM - 1);
	return http_status(c) == 200 ? 1 : -1;
}

unsigned http_status(const struct client *c)
{
	const char *reply = c->talk ? c->talk->reply : "";

	return strncmp(reply, "HTTP/1.1 ", 9) == 0 ? (unsigned)strtoul(reply + 9, NULL, 10) : 0;
}

int http_take_cookie(struct client *c)
{
	const char *at = strstr(c->talk->reply, "webvpn=");
	size_t len = at ? strcspn(at + 7, ";\r\n") : 0;

	if (len == 0 || len >= sizeof(c->cookie) || !strstr(c->talk->reply, "success"))
		return -1;
	memcpy(c->cookie, at + 7, len);
	c->cookie[len] = 0;
	return 1;
}

// The value of a header of the answer, or NULL.
static const char *header(const struct client *c, const char *name)
{
	const char *at = strcasestr(c->talk->reply, name);

	if (!at)
		return NULL;
	at += strlen(name);
	return at + strspn(at, " ");
}

int http_take_tunnel(struct client *c)
{
	const char *inside = header(c, "\r\nX-CSTP-Address:"), *id = header(c, "\r\nX-DTLS-App-ID:");
	char text[INET_ADDRSTRLEN];
	struct in_addr address;
	size_t i;

	if (!inside)
		return -1;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(inside, "\r\n"), inside);
	if (inet_pton(AF_INET, text, &address) != 1)
		return -1;
	c->inside = address.s_addr;
	if (wish.no_dtls)
		return 1;
	for (i = 0; id && i < APP_ID; i++)
		if (sscanf(id + 2 * i, "%2hhx", &c->app_id[i]) != 1)
			return -1;
	return id && SSL_export_keying_material(c->tls, c->psk, sizeof(c->psk), "EXPORTER-openconnect-psk", 24, NULL, 0, 0) == 1
	               ? 1
	               : -1;
}
