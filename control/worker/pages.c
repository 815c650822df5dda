#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pages.h"
#include "proto/secret.h"
#include "text.h"

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define VERSION_WHO "<version who=\"sg\">" PENSTOCK_VERSION "</version>\n"
#define EXPIRED "; expires=Thu, 01 Jan 1970 22:00:00 GMT; path=/; Secure"
#define ESCAPED(limit) (6 * (limit) + 1)

static const char *status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 417, "Expectation Failed" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Error";
}

static const struct headers *included; // of this worker's one connection

void page_include(const struct headers *h)
{
	included = h;
}

void page_add_included(struct reply *r)
{
	if (included && included->text)
		reply_add(r, "%s", included->text);
}

// RFC 9110 6.6.1
static void add_date(struct reply *r)
{
	const time_t now = time(NULL);
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		reply_add(r, "Date: %s\r\n", text);
}

// As any web server has it.
static void add_plain_head(struct reply *r, unsigned status, const char *type, size_t len)
{
	reply_add(r, "HTTP/1.1 %u %s\r\n", status, status_text(status));
	add_date(r);
	reply_add(r, "Connection: %s\r\n", r->close ? "close" : "Keep-Alive");
	reply_add(r, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, len);
	page_add_included(r);
}

// What the operator says instead counts.
static void add_default(struct reply *r, const char *name, const char *value)
{
	if (!included || !headers_have(included, name))
		reply_add(r, "%s: %s\r\n", name, value);
}

static void add_head(struct reply *r, unsigned status, const char *type, size_t len)
{
	add_plain_head(r, status, type, len);
	reply_add(r, "X-Transcend-Version: 1\r\n");
	add_default(r, "Cache-Control", "no-store");
	add_default(r, "Strict-Transport-Security", "max-age=31536000");
	add_default(r, "X-Content-Type-Options", "nosniff");
}

static void add_body(struct reply *r, struct reply *body)
{
	reply_add(r, "\r\n%s", body->text && !r->head ? body->text : "");
	r->failed |= body->failed;
	reply_clear(body);
}

static void add_choice(struct reply *r, const char *text, bool chosen)
{
	char label[ESCAPED(LIMIT_GROUP)];

	text_xml(text, label, sizeof(label));
	reply_add(r, "<option%s>%s</option>\n", chosen ? " selected=\"true\"" : "", label);
}

// openconnect asks for the form again, for the group that its user has named, unless that one is chosen here.
static void add_choices(struct reply *r, const struct groups *g, const char *group)
{
	if (!g || (!g->n && !g->none))
		return;
	reply_add(r, "<select name=\"group_list\" label=\"GROUP:\">\n");
	if (g->none)
		add_choice(r, g->none, !group[0]);
	for (unsigned i = 0; i < g->n; i++)
		add_choice(r, g->choice[i].label, strcmp(g->choice[i].name, group) == 0);
	reply_add(r, "</select>\n");
}

static void add_banner(struct reply *r, const char *banner)
{
	char text[ESCAPED(LIMIT_BANNER)];

	if (!banner)
		return;
	text_xml(banner, text, sizeof(text));
	reply_add(r, "<banner>%s</banner>\n", text);
}

static void add_form(struct reply *r, const char *query)
{
	char text[ESCAPED(LIMIT_QUERY)];

	text_xml(query ? query : "", text, sizeof(text));
	reply_add(r, "<form method=\"post\" action=\"/auth%s%s\">\n", query ? "?" : "", text);
	secret_wipe(text, sizeof(text));
}

void page_form(struct reply *r, const struct form *f, bool bare)
{
	char message[ESCAPED(LIMIT_PROMPT)], label[ESCAPED(LIMIT_PROMPT)], error[ESCAPED(LIMIT_PROMPT)];
	struct reply body = { 0 };

	text_xml(f->message, message, sizeof(message));
	text_xml(f->label, label, sizeof(label));
	text_xml(f->error ? f->error : "", error, sizeof(error));
	reply_add(&body, XML_HEAD);
	if (!bare)
		reply_add(&body, "<config-auth client=\"vpn\" type=\"auth-request\">\n" VERSION_WHO);
	reply_add(&body, "<auth id=\"main\">\n");
	add_banner(&body, f->banner);
	reply_add(&body, "<message>%s%s%s</message>\n", error, f->error ? "\n" : "", message);
	add_form(&body, f->query);
	reply_add(&body, "<input type=\"%s\" name=\"%s\" label=\"%s\" />\n", f->kind == FIELD_TEXT ? "text" : "password", f->name,
	          label);
	if (f->with_password)
		reply_add(&body, "<input type=\"password\" name=\"password\" label=\"Password:\" />\n");
	add_choices(&body, f->groups, f->group);
	reply_add(&body, "</form></auth>\n");
	if (!bare)
		reply_add(&body, "</config-auth>\n");
	add_head(r, 200, "text/xml", body.len);
	add_body(r, &body);
}

// The cookie names the session; webvpncontext is its public name, as sec-mod and main know it.
static void add_cookies(struct reply *r, const uint8_t cookie[COOKIE_SIZE], const uint8_t cert_sha1[CERT_SHA1_SIZE],
                        const struct profile *profile)
{
	uint8_t sid[EVP_MAX_MD_SIZE] = { 0 };
	char text[BASE64_ROOM(COOKIE_SIZE)], sha1[2 * CERT_SHA1_SIZE + 1];

	EVP_Digest(cookie, COOKIE_SIZE, sid, NULL, EVP_sha256(), NULL);
	base64_encode(sid, SID_SIZE, text);
	reply_add(r, "Set-Cookie: webvpncontext=%s; Secure; HttpOnly\r\n", text);
	base64_encode(cookie, COOKIE_SIZE, text);
	reply_add(r, "Set-Cookie: webvpn=%s; Secure; HttpOnly\r\n", text);
	hex_encode(cert_sha1, CERT_SHA1_SIZE, sha1);
	reply_add(r, "Set-Cookie: webvpnc=" EXPIRED "; HttpOnly\r\n");
	reply_add(r, "Set-Cookie: webvpnc=bu:/&p:t&iu:1/&sh:%s", sha1);
	if (profile->text)
		reply_add(r, "&fu:%s%s&fh:%s", PROFILE_PATH + 1, profile->name, profile->sha1);
	reply_add(r, "; path=/; Secure; HttpOnly\r\n");
	secret_wipe(text, sizeof(text));
}

// RFC 4559 4.1
static void add_negotiate(struct reply *r, const uint8_t *token, size_t len)
{
	char *text = len > 0 ? malloc(BASE64_ROOM(len)) : NULL;

	if (len > 0 && text == NULL)
		r->failed = true;
	if (text != NULL)
		base64_encode(token, len, text);
	reply_add(r, "WWW-Authenticate: Negotiate%s%s\r\n", text != NULL ? " " : "", text != NULL ? text : "");
	free(text);
}

void page_challenge(struct reply *r, const struct challenge *c)
{
	add_head(r, 401, "text/html", 0);
	if (c->fallback)
		reply_add(r, "X-HTTP-Auth-Support: fallback\r\n");
	if (c->negotiate)
		add_negotiate(r, c->token, c->token_len);
	if (c->bearer)
		reply_add(r, "WWW-Authenticate: Bearer\r\n");
	reply_add(r, "\r\n");
}

static void add_manifest(struct reply *r, const struct profile *p)
{
	if (!p->text)
		return;
	reply_add(r, "<config client=\"vpn\" type=\"private\"><vpn-profile-manifest><vpn rev=\"1.0\">\n");
	reply_add(r, "<file type=\"profile\" service-type=\"user\"><uri>%s%s</uri><hash type=\"sha1\">%s</hash></file>\n",
	          PROFILE_PATH, p->name, p->sha1);
	reply_add(r, "</vpn></vpn-profile-manifest></config>\n");
}

void page_phone(struct reply *r)
{
	add_head(r, 200, "text/xml", 0);
	reply_add(r, "Set-Cookie: webvpn=" EXPIRED "\r\nSet-Cookie: webvpnlogin=1; Secure\r\n\r\n");
}

void page_phone_success(struct reply *r, const struct msg_auth_done *done, const uint8_t cert_sha1[CERT_SHA1_SIZE])
{
	add_head(r, 200, "text/xml", 0);
	add_cookies(r, done->cookie, cert_sha1, &(struct profile){ 0 });
	reply_add(r, "\r\n");
}

void page_ask_certificate(struct reply *r)
{
	struct reply body = { 0 };

	reply_add(&body, XML_HEAD "<config-auth client=\"vpn\" type=\"auth-request\" aggregate-auth-version=\"2\">\n" VERSION_WHO
	                          "<client-cert-request></client-cert-request>\n</config-auth>\n");
	add_head(r, 200, "text/xml", body.len);
	add_body(r, &body);
}

void page_text(struct reply *r, const char *type, const char *body, bool keep_alive)
{
	r->close = !keep_alive;
	add_head(r, 200, type, strlen(body));
	reply_add(r, "\r\n%s", r->head ? "" : body);
}

void page_profile(struct reply *r, const struct profile *p)
{
	add_head(r, 200, "text/xml", p->len);
	reply_add(r, "\r\n%.*s", (int)p->len, p->text);
}

void page_success(struct reply *r, const struct msg_auth_done *done, const uint8_t cert_sha1[CERT_SHA1_SIZE],
                  const struct profile *profile, const char *banner, bool bare)
{
	struct reply body = { 0 };

	reply_add(&body, XML_HEAD);
	if (!bare)
		reply_add(&body, "<config-auth client=\"vpn\" type=\"complete\">\n" VERSION_WHO);
	reply_add(&body, "<auth id=\"success\">\n<title>SSL VPN Service</title>");
	add_banner(&body, banner);
	reply_add(&body, "</auth>\n");
	if (!bare) {
		add_manifest(&body, profile);
		reply_add(&body, "</config-auth>\n");
	}
	add_head(r, 200, "text/xml", body.len);
	add_cookies(r, done->cookie, cert_sha1, profile);
	if (done->token_len > 0)
		add_negotiate(r, done->token, done->token_len);
	add_body(r, &body);
}

// extra: more headers, each with its line's end; NULL: none
static void add_status(struct reply *r, unsigned status, const char *extra)
{
	struct reply body = { 0 };

	reply_add(&body, "<!DOCTYPE html>\n<html><head><title>%u %s</title></head><body><h1>%u %s</h1></body></html>\n", status,
	          status_text(status), status, status_text(status));
	add_plain_head(r, status, "text/html", body.len);
	if (status == 405)
		reply_add(r, "Allow: GET, HEAD, POST\r\n"); // RFC 9110 15.5.6
	reply_add(r, "%s", extra ? extra : "");
	add_body(r, &body);
}

void page_status(struct reply *r, unsigned status, bool keep_alive)
{
	r->close = !keep_alive;
	add_status(r, status, NULL);
}

void page_refused(struct reply *r, unsigned status, const char *reason)
{
	char header[LIMIT_TEXT + 16];

	r->close = true;
	snprintf(header, sizeof(header), "X-Reason: %s\r\n", reason);
	add_status(r, status, status == 503 && reason[0] ? header : NULL);
}

// RFC 9110 5.6.4: quotes and backslashes of a quoted string.
static void quote(const char *text, char *out, size_t room)
{
	size_t n = 0;

	for (; *text && n + 3 <= room; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n] = 0;
}

void page_decoy(struct reply *r, const char *realm, bool keep_alive)
{
	char text[2 * LIMIT_TEXT], header[2 * LIMIT_TEXT + 64];

	r->close = !keep_alive;
	if (!realm) {
		add_status(r, 404, NULL);
		return;
	}
	quote(realm, text, sizeof(text));
	snprintf(header, sizeof(header), "WWW-Authenticate: Basic realm=\"%s\"\r\n", text);
	add_status(r, 401, header);
}

void page_kerberos(struct reply *r, const uint8_t *message, size_t len)
{
	add_head(r, 200, "application/kerberos", len);
	reply_add(r, "\r\n");
	reply_add_bytes(r, message, len);
}

void page_logout(struct reply *r)
{
	struct reply body = { 0 };

	reply_add(&body,
	          XML_HEAD "<config-auth client=\"vpn\" type=\"complete\">\n" VERSION_WHO "<auth id=\"logout\"/></config-auth>\n");
	r->close = true;
	add_head(r, 200, "text/xml", body.len);
	add_body(r, &body);
}
