#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connect.h"
#include "pages.h"
#include "proto/encoding.h"
#include "proto/secret.h"
#include "text.h"

// Long enough for any client; 0 or "none" breaks some AnyConnect versions.
#define NEVER_REKEY 31536000
#define DTLS_REKEY_LATER 10 // seconds, as ocserv has it

// -------------------------------------------------------------------------------------------------------------- request

static bool list_has(const char *list, const char *word, char sep)
{
	const char *at;
	size_t len;

	while ((at = list_next(&list, sep, &len)))
		if (len == strlen(word) && strncasecmp(at, word, len) == 0)
			return true;
	return false;
}

// All Cookie headers together must hold one session cookie.
static unsigned find_cookie(const struct http *h, uint8_t cookie[COOKIE_SIZE])
{
	const char *header;
	unsigned n, found = 0;
	int ret;

	for (n = 0; (header = http_header(h, "Cookie", n)) != NULL; n++) {
		ret = cookie_get(header, cookie);
		if (ret == -EBADMSG)
			return 400;
		found += ret == 0;
	}
	return found == 1 ? 0 : found == 0 ? 503 : 400;
}

static uint8_t encodings(const struct http *h, const char *name)
{
	const char *list = http_header(h, name, 0);
	uint8_t set = 0;

	for (unsigned how = COMPRESS_NONE + 1; list && how <= COMPRESS_LAST; how++)
		if (list_has(list, encoding_name((enum compressor)how), ','))
			set |= (uint8_t)ENCODING_BIT(how);
	return set;
}

static uint8_t find_dtls(struct connect *c, const struct http *h)
{
	const char *ciphers = http_header(h, "X-DTLS-CipherSuite", 0), *ciphers12 = http_header(h, "X-DTLS12-CipherSuite", 0);
	const char *master = http_header(h, "X-DTLS-Master-Secret", 0);
	uint8_t offers = 0;

	if (c->ciphers.n > 0 && (list_has(ciphers, "PSK-NEGOTIATE", ':') || list_has(ciphers12, "PSK-NEGOTIATE", ':')))
		offers |= DTLS_OFFER_PSK;
	c->suite = suite_choose_any(ciphers12, ciphers, &c->ciphers);
	if (c->suite && master && hex_decode(master, c->master, sizeof(c->master)) == 0)
		offers |= c->suite->cipher == AEAD_NONE ? DTLS_OFFER_CBC : DTLS_OFFER_RESUMED;
	return offers;
}

bool connect_has_offered(const struct connect *c, enum dtls_kind kind)
{
	static const uint8_t offers[] = {
		[DTLS_KIND_PSK] = DTLS_OFFER_PSK, [DTLS_KIND_RESUMED] = DTLS_OFFER_RESUMED, [DTLS_KIND_CBC] = DTLS_OFFER_CBC
	};

	return kind == DTLS_KIND_NONE || (c->offers & offers[kind]);
}

unsigned connect_request(struct connect *c, const struct http *h, uint16_t base_mtu, const struct ciphers *may,
                         struct msg_auth_cookie_req *out)
{
	const char *types = http_header(h, "X-CSTP-Address-Type", 0);
	const char *full_ipv6 = http_header(h, "X-CSTP-Full-IPv6-Capability", 0);
	unsigned status;

	memset(out, 0, sizeof(*out));
	status = find_cookie(h, out->cookie);
	if (status)
		return status;
	out->cookie_len = COOKIE_SIZE;
	c->agent = agent_of(http_header(h, "User-Agent", 0));
	text_tame(http_header(h, "X-CSTP-Hostname", 0), c->hostname, sizeof(c->hostname));
	memcpy(out->hostname, c->hostname, sizeof(out->hostname));
	text_tame(http_header(h, "User-Agent", 0), out->user_agent, sizeof(out->user_agent));
	text_tame(http_header(h, "X-AnyConnect-Identifier-DeviceType", 0), out->device_type, sizeof(out->device_type));
	text_tame(http_header(h, "X-AnyConnect-Identifier-Platform", 0), out->device_platform, sizeof(out->device_platform));
	out->base_mtu = base_mtu;
	out->mtu = number_clamped(http_header(h, "X-CSTP-MTU", 0));
	c->ipv4 = !types || list_has(types, "IPv4", ',');
	c->ipv6 = types && list_has(types, "IPv6", ',');
	c->full_ipv6 = full_ipv6 && list_has(full_ipv6, "true", ',');
	out->want_ipv4 = c->ipv4;
	out->want_ipv6 = c->ipv6;
	c->ciphers = *may;
	out->dtls_offers = c->offers = find_dtls(c, h);
	out->cstp_encodings = encodings(h, "X-CSTP-Accept-Encoding");
	out->dtls_encodings = encodings(h, "X-DTLS-Accept-Encoding");
	return 0;
}

int connect_add_item(struct connect *c, const struct msg_session_item *m)
{
	struct connect_item *fresh;
	unsigned room = c->room ? 2 * c->room : 16;

	if (c->n_items == c->room) {
		fresh = reallocarray(c->items, room, sizeof(*fresh));
		if (!fresh)
			return -ENOMEM;
		c->items = fresh;
		c->room = room;
	}
	c->items[c->n_items].kind = (enum item_kind)m->kind;
	c->items[c->n_items].text = strdup(m->text);
	if (!c->items[c->n_items].text)
		return -ENOMEM;
	c->n_items++;
	return 0;
}

void connect_fini(struct connect *c)
{
	unsigned i;

	for (i = 0; i < c->n_items; i++)
		free(c->items[i].text);
	free(c->items);
	c->items = NULL;
	c->n_items = c->room = 0;
	secret_wipe(c->master, sizeof(c->master));
}

// --------------------------------------------------------------------------------------------------------------- answer

static void add_seconds(struct reply *r, const char *name, uint32_t seconds)
{
	if (seconds)
		reply_add(r, "%s: %u\r\n", name, seconds);
	else
		reply_add(r, "%s: none\r\n", name);
}

static bool has_ipv4(const struct connect *c, const struct msg_auth_cookie_rep *rep)
{
	return c->ipv4 && rep->ipv4.family == 4;
}

static bool has_ipv6(const struct connect *c, const struct msg_auth_cookie_rep *rep)
{
	return c->ipv6 && rep->ipv6.family == 6;
}

static void add_addresses(const struct connect *c, const struct msg_auth_cookie_rep *rep, struct reply *r)
{
	char text[ADDR_TEXT], mask[ADDR_TEXT];

	if (has_ipv4(c, rep)) {
		reply_add(r, "X-CSTP-Address: %s\r\n", addr_text(&rep->ipv4, text));
		reply_add(r, "X-CSTP-Netmask: %s\r\n", addr_netmask(&rep->ipv4, mask));
	}
	if (!has_ipv6(c, rep))
		return;
	if (c->full_ipv6) {
		reply_add(r, "X-CSTP-Address-IP6: %s\r\n", addr_text_prefix(&rep->ipv6, text));
		return;
	}
	reply_add(r, "X-CSTP-Address: %s\r\n", addr_text(&rep->ipv6, text));
	reply_add(r, "X-CSTP-Netmask: %s\r\n", addr_text_prefix(&rep->ipv6, text));
}

static bool is_ipv6(const char *text)
{
	return strchr(text, ':') != NULL;
}

// A server or a network is of use to a session that has an address of its kind.
static bool is_useful(const struct connect *c, const struct msg_auth_cookie_rep *rep, const char *text)
{
	return is_ipv6(text) ? c->agent.ipv6_lists && has_ipv6(c, rep) : has_ipv4(c, rep);
}

static void add_server(const struct connect *c, const char *text, const char *name, struct reply *r)
{
	reply_add(r, "X-CSTP-%s: %s\r\n", is_ipv6(text) && c->agent.dns_ip6 ? "DNS-IP6" : name, text);
}

// IPv4 routes as address/netmask, which every client understands; IPv6 as address/length.
static void add_route(const struct connect *c, const char *text, const char *name, struct reply *r)
{
	char ip[ADDR_TEXT], mask[ADDR_TEXT];
	struct addr a;

	if (is_ipv6(text)) {
		reply_add(r, "X-CSTP-%s%s: %s\r\n", name, c->full_ipv6 ? "-IP6" : "", text);
	} else if (addr_parse(text, &a) == 0 && a.family == 4) {
		reply_add(r, "X-CSTP-%s: %s/%s\r\n", name, addr_text(&a, ip), addr_netmask(&a, mask));
	} else {
		reply_add(r, "X-CSTP-%s: %s\r\n", name, text);
	}
}

// What the operator has chosen for it, or else what the client calls itself.
static void add_hostname(const struct connect *c, struct reply *r)
{
	const char *name = c->hostname;
	unsigned i;

	for (i = 0; i < c->n_items; i++)
		if (c->items[i].kind == ITEM_HOSTNAME)
			name = c->items[i].text;
	if (name[0])
		reply_add(r, "X-CSTP-Hostname: %s\r\n", name);
}

static bool routes_all(const struct connect *c)
{
	unsigned i;

	for (i = 0; i < c->n_items; i++)
		if (c->items[i].kind == ITEM_ROUTE && strcmp(c->items[i].text, "default") == 0)
			return true;
	return false;
}

static bool is_networked(enum item_kind kind)
{
	return kind == ITEM_DNS || kind == ITEM_NBNS || kind == ITEM_ROUTE || kind == ITEM_NO_ROUTE;
}

static void add_items(const struct connect *c, const struct msg_auth_cookie_rep *rep, struct reply *r)
{
	bool all = routes_all(c);
	unsigned i;

	// AnyConnect on iOS uses IPv6 by this route only.
	if (c->agent.ios_default && has_ipv6(c, rep) && c->full_ipv6 && !all)
		reply_add(r, "X-CSTP-Split-Include-IP6: 2000::/3\r\n");
	for (i = 0; i < c->n_items; i++) {
		const char *text = c->items[i].text;

		if (is_networked(c->items[i].kind) && !is_useful(c, rep, text))
			continue;
		switch (c->items[i].kind) {
		case ITEM_DNS:
			add_server(c, text, "DNS", r);
			break;
		case ITEM_NBNS:
			add_server(c, text, "NBNS", r);
			break;
		case ITEM_SPLIT_DNS:
			reply_add(r, "X-CSTP-Split-DNS: %s\r\n", text);
			break;
		case ITEM_ROUTE: // none at all: everything goes through the tunnel
			if (!all)
				add_route(c, text, "Split-Include", r);
			break;
		case ITEM_NO_ROUTE:
			add_route(c, text, "Split-Exclude", r);
			break;
		case ITEM_DEFAULT_DOMAIN:
			reply_add(r, "X-CSTP-Default-Domain: %s\r\n", text);
			break;
		case ITEM_BANNER:
			reply_add(r, "X-CSTP-Banner: %s\r\n", text);
			break;
		case ITEM_PROXY_URL: // openconnect knows it in this spelling only
			reply_add(r, "X-CSTP-MSIE-Proxy-PAC-URL: %s\r\n", text);
			break;
		case ITEM_HOSTNAME: // stands before
		case ITEM_HEADER:   // behind all
			break;
		}
	}
}

static void add_dtls(const struct connect *c, const struct msg_auth_cookie_rep *rep, struct reply *r)
{
	char id[2 * APP_ID_SIZE + 1];

	hex_encode(rep->app_id, APP_ID_SIZE, id);
	reply_add(r, "X-DTLS-Port: %u\r\n", rep->udp_port);
	reply_add(r, "X-DTLS-DPD: %u\r\n", rep->dpd);
	reply_add(r, "X-DTLS-Keepalive: %u\r\n", rep->keepalive);
	// By ssl openconnect would renegotiate, without a method it would begin anew after each rekey of TLS: either loses packets
	// that are on their way. With this one it leaves it to us to end old keys (proto/rekey.h).
	if (rep->rekey_time)
		reply_add(r, "X-DTLS-Rekey-Time: %u\r\nX-DTLS-Rekey-Method: new-tunnel\r\n", rep->rekey_time + DTLS_REKEY_LATER);
	if (rep->dtls_compress)
		reply_add(r, "X-DTLS-Content-Encoding: %s\r\n", encoding_name(rep->dtls_compress));
	if (rep->dtls == DTLS_KIND_PSK) {
		reply_add(r, "X-DTLS-App-ID: %s\r\nX-DTLS-CipherSuite: PSK-NEGOTIATE\r\n", id);
		return;
	}
	reply_add(r, "X-DTLS-Session-ID: %s\r\n", id);
	reply_add(r, "X-DTLS%s-CipherSuite: %s\r\n", c->suite->dtls12 ? "12" : "", c->suite->name);
	reply_add(r, "X-DTLS-MTU: %u\r\n", rep->mtu);
}

// Within the connection it is a KeyUpdate of TLS 1.3; before that it would be a renegotiation, which is refused.
static void add_rekey(const struct connect *c, const struct msg_auth_cookie_rep *rep, struct reply *r)
{
	bool within = rep->rekey_time && rep->rekey_method == REKEY_SSL && c->tls13;

	reply_add(r, "X-CSTP-Rekey-Time: %u\r\n", rep->rekey_time ? rep->rekey_time : NEVER_REKEY);
	reply_add(r, "X-CSTP-Rekey-Method: %s\r\n", within ? "ssl" : "new-tunnel");
}

// The operator's own, behind ours: which of two of a name counts is the client's affair.
static void add_headers(const struct connect *c, struct reply *r)
{
	for (unsigned i = 0; i < c->n_items; i++)
		if (c->items[i].kind == ITEM_HEADER)
			reply_add(r, "%s\r\n", c->items[i].text);
}

void connect_answer(const struct connect *c, const struct msg_auth_cookie_rep *rep, struct reply *r)
{
	reply_add(r, "HTTP/1.1 200 CONNECTED\r\n");
	reply_add(r, "X-CSTP-Version: 1\r\nX-CSTP-Server-Name: Penstock " PENSTOCK_VERSION "\r\n");
	add_hostname(c, r);
	reply_add(r, "X-CSTP-DPD: %u\r\n", rep->dpd);
	add_addresses(c, rep, r);
	add_items(c, rep, r);
	reply_add(r, "X-CSTP-Tunnel-All-DNS: %s\r\n", rep->tunnel_all_dns || routes_all(c) ? "true" : "false");
	reply_add(r, "X-CSTP-Client-Bypass-Protocol: %s\r\n", rep->client_bypass ? "true" : "false");
	reply_add(r, "X-CSTP-Keepalive: %u\r\n", rep->keepalive);
	add_seconds(r, "X-CSTP-Idle-Timeout", rep->idle_timeout);
	add_seconds(r, "X-CSTP-Session-Timeout", rep->session_timeout);
	if (rep->session_timeout)
		reply_add(r, "X-CSTP-Session-Timeout-Remaining: %u\r\n", rep->session_left);
	reply_add(r, "X-CSTP-Disconnected-Timeout: none\r\n");
	reply_add(r, "X-CSTP-Smartcard-Removal-Disconnect: true\r\n");
	add_rekey(c, rep, r);
	reply_add(r, "X-CSTP-Keep: true\r\nX-CSTP-TCP-Keepalive: true\r\nX-CSTP-License: accept\r\n");
	if (rep->dtls)
		add_dtls(c, rep, r);
	if (rep->cstp_compress)
		reply_add(r, "X-CSTP-Content-Encoding: %s\r\n", encoding_name(rep->cstp_compress));
	if (rep->base_mtu)
		reply_add(r, "X-CSTP-Base-MTU: %u\r\n", rep->base_mtu);
	reply_add(r, "X-CSTP-MTU: %u\r\n", rep->mtu);
	page_add_included(r);
	add_headers(c, r);
	reply_add(r, "\r\n");
}
