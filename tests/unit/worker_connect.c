// CONNECT: which headers are understood, and which statuses refuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/worker/connect.h"
#include "control/worker/mtu.h"
#include "proto/encoding.h"

#define COOKIE "Cookie: webvpn=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n"

static const struct ciphers aes128_first = {
	.aead = { AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305 },
	.n = 3,
	.aes256_cbc = true,
	.aes128_cbc = true,
};
static const struct ciphers *may = &aes128_first;

static unsigned ask(const char *headers, struct connect *c, struct msg_auth_cookie_req *out)
{
	char text[4096];
	struct http h;
	unsigned status;
	int n;

	memset(c, 0, sizeof(*c));
	http_init(&h);
	n = snprintf(text, sizeof(text), "CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\n%s\r\n", headers);
	assert_int_equal(http_feed(&h, (const uint8_t *)text, (size_t)n), 1);
	status = connect_request(c, &h, 1400, may, out);
	http_fini(&h);
	return status;
}

static void test_cookies(void **state)
{
	struct msg_auth_cookie_req m;
	struct connect c;

	assert_int_equal(ask(COOKIE, &c, &m), 0);
	assert_int_equal(m.cookie_len, COOKIE_SIZE);
	assert_int_equal(m.cookie[31], 31);
	assert_int_equal(ask("", &c, &m), 503);
	assert_int_equal(ask("Cookie: a=b\r\n", &c, &m), 503);
	assert_int_equal(ask("Cookie: a=b\r\n" COOKIE, &c, &m), 0);
	assert_int_equal(ask(COOKIE COOKIE, &c, &m), 400);
	assert_int_equal(ask("Cookie: webvpn=short\r\n", &c, &m), 400);
	assert_int_equal(ask("Cookie: webvpn=\r\n" COOKIE, &c, &m), 400);
	assert_int_equal(ask(COOKIE "Cookie: webvpn=short\r\n", &c, &m), 400);
	for (size_t len = 0; len <= 1000; len++) { // only one length is right, and these letters make 32 bytes of it
		char text[1100] = "Cookie: webvpn=";

		memset(text + 15, 'A', len);
		if (len > 0)
			text[14 + len] = '=';
		strcpy(text + 15 + len, "\r\n");
		assert_int_equal(ask(text, &c, &m), len == 44 ? 0 : 400);
	}
	for (unsigned byte = ' '; byte < 256; byte++) { // nor is any other letter one of base64's
		char text[] = COOKIE;
		bool good = (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z' && byte < 128) ||
		            byte == '+' || byte == '/';

		text[20] = (char)byte;
		if (byte != 127)
			assert_int_equal(ask(text, &c, &m), good ? 0 : 400);
	}
	assert_int_equal(ask("Cookie: webvpn=../../../../etc/passwd\r\n", &c, &m), 400);
}

static void mtu_is(const char *header, uint16_t want)
{
	struct msg_auth_cookie_req m;
	struct connect c;
	char text[512];

	snprintf(text, sizeof(text), COOKIE "X-CSTP-MTU: %s\r\n", header);
	assert_int_equal(ask(text, &c, &m), 0);
	assert_int_equal(m.mtu, want);
}

static void test_sizes(void **state)
{
	mtu_is("0", 0);
	mtu_is("1", 1);
	mtu_is("499", 499);
	mtu_is("65535", 65535);
	mtu_is("4294967295", 65535);
	mtu_is("-1", 0);
	mtu_is("1e9", 0);
	assert_int_equal(mtu_base(0, 0), 0);
	assert_int_equal(mtu_base(1500, 0), 1500);
	assert_int_equal(mtu_base(0, 1400), 1400);
	assert_int_equal(mtu_base(1500, 1400), 1400);
	assert_int_equal(mtu_base(1300, 1400), 1300);
	assert_int_equal(mtu_base(1, 1500), 576);
	assert_int_equal(mtu_base(65535, 65536), 65535);
	assert_int_equal(mtu_base(0, 100000), 65535);
}

static void wants(const char *headers, int ipv4, int ipv6)
{
	struct msg_auth_cookie_req m;
	struct connect c;
	char text[1024];

	snprintf(text, sizeof(text), COOKIE "%s", headers);
	assert_int_equal(ask(text, &c, &m), 0);
	assert_int_equal(m.want_ipv4, ipv4);
	assert_int_equal(m.want_ipv6, ipv6);
}

static void test_wishes(void **state)
{
	wants("", 1, 0);
	wants("X-CSTP-Address-Type: IPv6,IPv4\r\n", 1, 1);
	wants("X-CSTP-Address-Type: IPv4\r\n", 1, 0);
	wants("X-CSTP-Address-Type:  ipv6 \r\n", 0, 1);
	wants("X-CSTP-Address-Type: IPv6,IPv4\r\nUser-Agent: Open AnyConnect VPN Agent v3.20\r\n", 1, 1);
	wants("X-CSTP-Address-Type: IPv6,IPv4\r\nUser-Agent: Cisco SVC IPPhone Client v1\r\n", 1, 1);
}

#define MASTER_32 "000102030405060708090a0b0c0d0e0F101112131415161718191A1b1c1d1e1f"
#define MASTER "X-DTLS-Master-Secret: " MASTER_32 "202122232425262728292a2b2c2d2e2f\r\n"

// suite NULL: none.
static void offers(const char *headers, int dtls, const char *suite)
{
	struct msg_auth_cookie_req m;
	struct connect c;
	char text[1024];

	snprintf(text, sizeof(text), COOKIE "%s", headers);
	assert_int_equal(ask(text, &c, &m), 0);
	assert_int_equal(m.dtls_offers, dtls);
	if (suite)
		assert_string_equal(c.suite->name, suite);
	else
		assert_null(c.suite);
	assert_int_equal(c.master[47], dtls & ~DTLS_OFFER_PSK ? 47 : 0);
	assert_int_equal(c.master[31], dtls & ~DTLS_OFFER_PSK ? 31 : 0);
	connect_fini(&c);
	assert_int_equal(c.master[47], 0);
}

static void test_dtls_offers(void **state)
{
	offers("X-DTLS-CipherSuite: PSK-NEGOTIATE:RC4-SHA\r\n", DTLS_OFFER_PSK, NULL);
	offers("X-DTLS-CipherSuite: RC4-SHA:PSK-NEGOTIATE\r\n", DTLS_OFFER_PSK, NULL);
	offers("X-DTLS12-CipherSuite: RC4-SHA:PSK-NEGOTIATE\r\n", DTLS_OFFER_PSK, NULL);
	offers("X-DTLS-CipherSuite: PSK-NEGOTIATED\r\n", 0, NULL);
	// the cipher of TLS, which is AES-128-GCM here; else the longest key
	offers(MASTER "X-DTLS-CipherSuite: OC-DTLS1_2-AES256-GCM:OC-DTLS1_2-AES128-GCM\r\n", 2, "OC-DTLS1_2-AES128-GCM");
	offers(MASTER "X-DTLS-CipherSuite: x : OC-DTLS1_2-AES256-GCM \r\n", 2, "OC-DTLS1_2-AES256-GCM");
	offers(MASTER "X-DTLS-CipherSuite: PSK-NEGOTIATE:OC-DTLS1_2-AES256-GCM\r\n", 3, "OC-DTLS1_2-AES256-GCM");
	// AnyConnect's header first; a name counts only in its own header
	offers(MASTER "X-DTLS-CipherSuite: OC-DTLS1_2-AES128-GCM\r\nX-DTLS12-CipherSuite: AES256-GCM-SHA384\r\n", 2,
	       "AES256-GCM-SHA384");
	offers(MASTER "X-DTLS12-CipherSuite: ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256\r\n", 2, "ECDHE-RSA-AES128-GCM-SHA256");
	offers(MASTER "X-DTLS12-CipherSuite: AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384\r\n", 2, "AES256-GCM-SHA384");
	offers(MASTER "X-DTLS12-CipherSuite: ECDHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384\r\n", 2, "AES256-GCM-SHA384");
	offers(MASTER "X-DTLS-CipherSuite: AES256-GCM-SHA384\r\n", 0, NULL);
	offers(MASTER "X-DTLS12-CipherSuite: OC-DTLS1_2-AES128-GCM\r\n", 0, NULL);
	// an AEAD before CBC, wherever it stands
	offers(MASTER "X-DTLS-CipherSuite: AES128-SHA\r\n", 4, "AES128-SHA");
	offers(MASTER "X-DTLS12-CipherSuite: AES128-SHA:AES256-SHA\r\n", 4, "AES256-SHA");
	offers(MASTER "X-DTLS-CipherSuite: PSK-NEGOTIATE:AES256-SHA\r\nX-DTLS12-CipherSuite: AES128-SHA\r\n", 5, "AES128-SHA");
	offers(MASTER "X-DTLS-CipherSuite: AES256-SHA:OC-DTLS1_2-AES128-GCM\r\nX-DTLS12-CipherSuite: AES256-SHA\r\n", 2,
	       "OC-DTLS1_2-AES128-GCM");
	offers(MASTER "X-DTLS-CipherSuite: OC-DTLS1_2-AES128-GCM\r\nX-DTLS12-CipherSuite: AES256-SHA:AES128-GCM-SHA256\r\n", 2,
	       "AES128-GCM-SHA256");
	// no secret, no session
	offers("X-DTLS12-CipherSuite: AES256-GCM-SHA384\r\n", 0, "AES256-GCM-SHA384");
	offers("X-DTLS-Master-Secret: " MASTER_32 "\r\nX-DTLS12-CipherSuite: AES256-GCM-SHA384\r\n", 0, "AES256-GCM-SHA384");
	offers("X-DTLS-Master-Secret: " MASTER_32 MASTER_32 "\r\nX-DTLS12-CipherSuite: AES256-GCM-SHA384\r\n", 0,
	       "AES256-GCM-SHA384");
	offers("X-DTLS-Master-Secret: " MASTER_32 "2021222324252627 8292a2b2c2d2e2f\r\nX-DTLS12-CipherSuite: AES256-GCM-SHA384\r\n",
	       0, "AES256-GCM-SHA384");
}

static void chosen(const char *list, enum aead_cipher prefer, const char *name)
{
	struct ciphers all = ciphers_beside(&ciphers_all, prefer);

	assert_string_equal(suite_choose(list, true, &all)->name, name);
}

// By ocserv's taste, where the cipher of TLS is not among them; where it is, the client's order counts.
static void test_suites(void **state)
{
	chosen("AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", AEAD_CHACHA20_POLY1305, "ECDHE-RSA-AES128-GCM-SHA256");
	chosen("AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", AEAD_AES_128_GCM, "AES128-GCM-SHA256");
	chosen("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384", AEAD_CHACHA20_POLY1305, "ECDHE-RSA-AES256-GCM-SHA384");
	chosen("ECDHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384", AEAD_CHACHA20_POLY1305, "AES256-GCM-SHA384");
	chosen("ECDHE-RSA-AES256-GCM-SHA384:AES256-GCM-SHA384", AEAD_AES_256_GCM, "ECDHE-RSA-AES256-GCM-SHA384");
	chosen("AES128-SHA:AES256-SHA:AES128-GCM-SHA256", AEAD_CHACHA20_POLY1305, "AES128-GCM-SHA256");
}

static void may_have(const struct ciphers *c, const char *headers, unsigned want, const char *suite)
{
	may = c;
	offers(headers, want, suite);
	may = &aes128_first;
}

// By tls-priorities and match-tls-dtls-ciphers.
static void test_ciphers(void **state)
{
	static const char every[] =
	        MASTER "X-DTLS-CipherSuite: PSK-NEGOTIATE:OC-DTLS1_2-AES256-GCM:OC-DTLS1_2-AES128-GCM:AES128-SHA\r\n";
	static const char short_keys[] = MASTER "X-DTLS12-CipherSuite: AES128-GCM-SHA256:AES256-SHA:AES128-SHA\r\n";
	const struct ciphers none = { .n = 0 }, chacha = { .aead = { AEAD_CHACHA20_POLY1305 }, .n = 1 };
	const struct ciphers only_cbc = { .aes128_cbc = true };
	const struct ciphers long_keys = { .aead = { AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305 }, .n = 2, .aes256_cbc = true };
	struct ciphers match = ciphers_all, c;
	char psk[CIPHERS_TEXT];

	may_have(&ciphers_all, every, 3, "OC-DTLS1_2-AES256-GCM");
	may_have(&long_keys, every, 3, "OC-DTLS1_2-AES256-GCM");
	may_have(&long_keys, short_keys, 4, "AES256-SHA");
	may_have(&chacha, every, 1, NULL);
	may_have(&only_cbc, every, 4, "AES128-SHA");
	may_have(&none, every, 0, NULL);

	match.match = true;
	c = ciphers_beside(&match, AEAD_CHACHA20_POLY1305);
	may_have(&c, every, 1, NULL);
	ciphers_psk(&c, psk);
	assert_string_equal(psk, "PSK-CHACHA20-POLY1305");
	c = ciphers_beside(&match, AEAD_AES_128_GCM);
	may_have(&c, every, 3, "OC-DTLS1_2-AES128-GCM");
	c = ciphers_beside(&long_keys, AEAD_CHACHA20_POLY1305);
	ciphers_psk(&c, psk);
	assert_string_equal(psk, "PSK-CHACHA20-POLY1305:PSK-AES256-GCM-SHA384");
	c = ciphers_beside(&long_keys, AEAD_AES_128_GCM); // a cipher of TLS that DTLS may not have does not come first either
	ciphers_psk(&c, psk);
	assert_string_equal(psk, "PSK-AES256-GCM-SHA384:PSK-CHACHA20-POLY1305");
	ciphers_psk(&none, psk);
	assert_string_equal(psk, "");
}

static void full_ipv6_is(const char *headers, bool full)
{
	struct msg_auth_cookie_req m;
	struct connect c;
	char text[512];

	snprintf(text, sizeof(text), COOKIE "%s", headers);
	assert_int_equal(ask(text, &c, &m), 0);
	assert_int_equal(c.full_ipv6, full);
}

static void test_full_ipv6(void **state)
{
	full_ipv6_is("", false);
	full_ipv6_is("X-CSTP-Full-IPv6-Capability: true\r\n", true);
	full_ipv6_is("X-CSTP-Full-IPv6-Capability:  TRUE \r\n", true);
	full_ipv6_is("X-CSTP-Full-IPv6-Capability: false\r\n", false);
	full_ipv6_is("X-CSTP-Full-IPv6-Capability: untrue\r\n", false);
}

static void accepts(const char *headers, unsigned cstp, unsigned dtls)
{
	struct msg_auth_cookie_req m;
	struct connect c;
	char text[1024];

	snprintf(text, sizeof(text), COOKIE "%s", headers);
	assert_int_equal(ask(text, &c, &m), 0);
	assert_int_equal(m.cstp_encodings, cstp);
	assert_int_equal(m.dtls_encodings, dtls);
}

static void test_encodings(void **state)
{
	const unsigned lz4 = ENCODING_BIT(COMPRESS_LZ4), lzs = ENCODING_BIT(COMPRESS_LZS);

	accepts("", 0, 0);
	accepts("X-CSTP-Accept-Encoding: oc-lz4,lzs,deflate\r\nX-DTLS-Accept-Encoding: oc-lz4,lzs\r\n", lz4 | lzs, lz4 | lzs);
	accepts("X-CSTP-Accept-Encoding: LZS\r\n", lzs, 0);
	accepts("X-DTLS-Accept-Encoding: deflate , oc-lz4\r\n", 0, lz4);
	accepts("X-CSTP-Accept-Encoding: deflate\r\nAccept-Encoding: identity\r\n", 0, 0);
	accepts("X-CSTP-Accept-Encoding: ,,lzsx,xlzs,\r\n", 0, 0);
}

static void test_names_are_tamed(void **state)
{
	struct msg_auth_cookie_req m;
	struct connect c;

	assert_int_equal(ask(COOKIE "X-CSTP-Hostname: a\xff\x80z\r\nUser-Agent: \xc3\xa9\r\n", &c, &m), 0);
	assert_string_equal(m.hostname, "a??z");
	assert_string_equal(m.user_agent, "\xc3\xa9");
}

static void family_is(const char *agent, enum family family)
{
	assert_int_equal(agent_of(agent).family, family);
}

static void test_families(void **state)
{
	family_is(NULL, FAMILY_UNKNOWN);
	family_is("curl/7.88", FAMILY_UNKNOWN);
	family_is("Open AnyConnect VPN Agent v9.01-3", FAMILY_OPENCONNECT);
	family_is("Open AnyConnect VPN Agent v3.20", FAMILY_OPENCONNECT_3);
	family_is("open anyconnect vpn agent v8", FAMILY_OPENCONNECT);
	family_is("OpenConnect VPN Agent (NetworkManager) v9", FAMILY_OPENCONNECT);
	family_is("AnyConnect-compatible OpenConnect VPN Agent v9.12", FAMILY_OPENCONNECT);
	family_is("AnyConnect Windows 4.10", FAMILY_ANYCONNECT);
	family_is("Cisco AnyConnect VPN Agent for Windows", FAMILY_ANYCONNECT);
	family_is("Cisco AnyConnect VPN Agent for Apple iPhone", FAMILY_APPLE);
	family_is("Clavister OneConnect VPN 1", FAMILY_CLAVISTER);
	family_is("AnyLink Secure Client", FAMILY_ANYLINK);
	family_is("Cisco SVC IPPhone Client v1", FAMILY_IPPHONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookies),   cmocka_unit_test(test_sizes),       cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_full_ipv6), cmocka_unit_test(test_dtls_offers), cmocka_unit_test(test_suites),
		cmocka_unit_test(test_ciphers),   cmocka_unit_test(test_encodings),   cmocka_unit_test(test_names_are_tamed),
		cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
