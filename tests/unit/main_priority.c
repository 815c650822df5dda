// GnuTLS's priority strings: what is left of them here, what is said of their words, and that GnuTLS itself enables the same.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/main/priority.h"

#define NORMAL12                                                                                                                 \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256"
#define NORMAL13 "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"

struct heard {
	unsigned errors, warnings;
	char text[4096];
};

static void hear(void *who, enum log_level level, const char *text)
{
	struct heard *h = who;
	size_t used = strlen(h->text);

	*(level <= LOG_LEVEL_ERR ? &h->errors : &h->warnings) += 1;
	snprintf(h->text + used, sizeof(h->text) - used, "%s\n", text);
}

static struct priority parsed(const char *string, unsigned warnings)
{
	struct heard h = { 0 };
	struct priority p;

	if (priority_parse(string, &p, hear, &h) != 0 || h.warnings != warnings)
		fail_msg("%s gave %u errors, %u warnings:\n%s", string, h.errors, h.warnings, h.text);
	return p;
}

// ---------------------------------------------------------------------------------------------------------------- meaning

static void the_usual_one(void **state)
{
	struct priority p = parsed("NORMAL:%SERVER_PRECEDENCE:%COMPAT", 0);

	assert_string_equal(p.versions, "TLSv1.2:TLSv1.3");
	assert_string_equal(p.ciphers, NORMAL12);
	assert_string_equal(p.suites, NORMAL13);
	assert_string_equal(p.groups, "X25519:P-256:P-384:P-521:X448");
	assert_string_equal(p.options, "server-precedence");
	assert_string_equal(p.dtls, "AES-256-GCM:CHACHA20-POLY1305:AES-256-CBC:AES-128-GCM:AES-128-CBC");
	assert_string_equal(p.signatures,
	                    "ECDSA+SHA256:ed25519:ECDSA+SHA384:ECDSA+SHA512:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
	                    "rsa_pss_rsae_sha512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:"
	                    "RSA+SHA512");
}

// Those of ocserv's sample and of its packages, and what operators write.
static void without_a_word(void **state)
{
	parsed("NORMAL:%SERVER_PRECEDENCE:%COMPAT:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1", 0);
	parsed("NORMAL:%SERVER_PRECEDENCE:%COMPAT:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-TLS1.3", 0);
	parsed("NORMAL:%SERVER_PRECEDENCE:%COMPAT:-RSA:-VERS-SSL3.0:-ARCFOUR-128", 0);
	parsed("PERFORMANCE:%SERVER_PRECEDENCE:%COMPAT:-VERS-TLS-ALL:+VERS-TLS1.2:-3DES-CBC:-CAMELLIA-128-CBC", 0);
	parsed("SECURE256:+SECURE128:-VERS-TLS-ALL:+VERS-TLS1.2:-RSA:-DHE-DSS:-CAMELLIA-128-CBC:-CAMELLIA-256-CBC", 0);
	parsed("NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-DTLS1.2", 0);
	parsed("NORMAL:-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA:%NO_TICKETS_TLS12:%PROFILE_MEDIUM:+COMP-NULL:+CTYPE-X509", 0);
	parsed(" pfs : %compat ", 0);
}

static void is(const char *string, const char *versions, const char *ciphers, const char *suites)
{
	struct priority p = parsed(string, 0);

	assert_string_equal(p.versions, versions);
	assert_string_equal(p.ciphers, ciphers);
	assert_string_equal(p.suites, suites);
}

static void what_is_left(void **state)
{
	struct priority p;

	is("NORMAL:-VERS-TLS1.3", "TLSv1.2", NORMAL12, NORMAL13);
	is("NORMAL:!VERS-TLS1.2", "TLSv1.3", NORMAL12, NORMAL13);
	is("NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLSv1.2", NORMAL12, NORMAL13);
	is("SUITEB192", "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384");
	is("NONE:+VERS-TLS1.2:+AES-128-GCM:+AEAD:+ECDHE-RSA:+SIGN-ALL:+GROUP-ALL", "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256",
	   "TLS_AES_128_GCM_SHA256");
	is("NORMAL:-ECDHE-ECDSA:-CIPHER-ALL:+AES-128-GCM", "TLSv1.2:TLSv1.3", "ECDHE-RSA-AES128-GCM-SHA256",
	   "TLS_AES_128_GCM_SHA256");
	// without a key exchange TLS 1.2 has no suite
	is("NORMAL:-KX-ALL", "TLSv1.3", "", NORMAL13);
	// what is taken away and added again is the last of them
	is("NORMAL:-AES-256-GCM:+AES-256-GCM:-VERS-TLS1.2", "TLSv1.3",
	   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	   "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
	   "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
	// a level that is added brings no version
	is("SUITEB128:+NORMAL:-KX-ALL:+ECDHE-ECDSA:-CHACHA20-POLY1305", "TLSv1.2",
	   "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");

	p = parsed("SECURE256:%NO_TICKETS", 0);
	assert_string_equal(p.groups, "P-384:P-521");
	assert_string_equal(p.dtls, "AES-256-GCM:CHACHA20-POLY1305"); // no SHA1: no AES-CBC-SHA
	assert_string_equal(p.options, "no-tickets");
	// two names for one
	p = parsed("NORMAL:-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256:-CURVE-ALL:+CURVE-X25519", 0);
	assert_string_equal(p.signatures, "ECDSA+SHA256");
	assert_string_equal(p.groups, "X25519");
	p = parsed("NORMAL:-SIGN-ALL:+SIGN-RSA-SHA256:+SIGN-ECDSA-SHA256:-SIGN-ECDSA-SECP256R1-SHA256", 0);
	assert_string_equal(p.signatures, "RSA+SHA256");
}

// --------------------------------------------------------------------------------------------------------------- problems

static void says(const char *string, unsigned errors, unsigned warnings, const char *text)
{
	struct priority p = { .versions = "untouched" };
	struct heard h = { 0 };
	int ret = priority_parse(string, &p, hear, &h);

	if (h.errors != errors || h.warnings != warnings || !strstr(h.text, text))
		fail_msg("%s gave %u errors, %u warnings:\n%s", string, h.errors, h.warnings, h.text);
	assert_int_equal(ret, errors ? -EINVAL : 0);
	assert_int_equal(strcmp(p.versions, "untouched") == 0, errors > 0);
	assert_int_equal(priority_parse(string, &p, NULL, NULL), ret);
}

static void what_has_no_counterpart(void **state)
{
	says("NORMAL:+VERS-TLS1.1", 0, 1, "+VERS-TLS1.1 has no effect: only TLS 1.2 and 1.3");
	says("NORMAL:+3DES-CBC:+DHE-RSA:+SHA256", 0, 3, "+3DES-CBC has no effect: suites are");
	says("NORMAL:+GROUP-FFDHE2048", 0, 1, "+GROUP-FFDHE2048 has no effect: groups are");
	says("NORMAL:+SIGN-RSA-SHA1", 0, 1, "+SIGN-RSA-SHA1 has no effect");
	says("NORMAL:-VERS-DTLS1.0", 0, 1, "-VERS-DTLS1.0 has no effect: udp-port");
	says("NORMAL:%UNSAFE_RENEGOTIATION", 0, 1, "%UNSAFE_RENEGOTIATION has no effect: nobody may");
	says("NORMAL:%DISABLE_SAFE_RENEGOTIATION:%VERIFY_ALLOW_SIGN_WITH_SHA1", 0, 2, "ca-cert");
	says("NORMAL:+CTYPE-OPENPGP:+COMP-DEFLATE", 0, 2, "certificates are X.509");
	says("@SYSTEM", 0, 1, "NORMAL is taken");
	says("@SYSTEM:-VERS-TLS1.3", 0, 1, "@SYSTEM has no effect");
	says("NORMAL:+AES-128-CBC", 0, 1, "old clients only (dtls-legacy)");
}

static void what_is_wrong(void **state)
{
	says("NORMAL:+AES-256-GMC", 1, 0, "'+AES-256-GMC' is no word of GnuTLS's priority strings; did you mean +AES-256-GCM?");
	says("NORMLA", 1, 0, "did you mean NORMAL?");
	says("NORMAL:%SERVER_PRECEDENC", 1, 0, "did you mean %SERVER_PRECEDENCE?");
	says("NORMAL:-VERS-TLS1.4", 1, 0, "did you mean -VERS-TLS1.");
	says("NORMAL:-VERS-TSL1.3:+what-is-this", 2, 0, "did you mean -VERS-TLS1.3?");
	says("HIGH:!aNULL", 2, 0, "'HIGH' is no word");
	says("NORMAL:AES-256-GCM", 1, 0, "needs a sign: +AES-256-GCM or -AES-256-GCM");
	says("NORMAL:-SECURE128", 1, 0, "SECURE128 can only be what the string begins with");
	says("NORMAL:NONE", 1, 0, "can only be");
	says("NORMAL::%COMPAT", 1, 0, "empty word");
	says("", 1, 0, "empty word");
	says("NORMAL:+", 1, 0, "'+' is no word");
	says("NORMAL:+%COMPAT", 1, 0, "'+%COMPAT' is no word");
	says("NORMAL:+AES-256-GCM,+AES-128-GCM", 1, 0, "is no word");
	says("NORMAL:+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1, 0,
	     "is no word");
	says("NORMAL:-VERS-TLS1.2:-VERS-TLS1.3", 1, 0, "leaves no version of TLS");
	says("NORMAL:-VERS-ALL:+VERS-TLS1.1", 1, 1, "leaves no version of TLS");
	says("NORMAL:-AEAD", 1, 0, "leaves no suite");
	says("NORMAL:-CIPHER-ALL:+AES-256-CBC", 1, 1, "leaves no suite");
	says("NORMAL:-KX-ALL:-VERS-TLS1.3", 1, 0, "leaves no suite");
	says("NORMAL:-GROUP-ALL", 1, 0, "leaves no group");
	says("NORMAL:-SIGN-ALL", 1, 0, "leaves no signature");
	says("NONE", 3, 0, "leaves no version");
	says("%COMPAT", 3, 0, "leaves no version");
}

// ---------------------------------------------------------------------------------------------------------------- GnuTLS

static const struct {
	const char *gnutls, *openssl;
} suites[] = {
	{ "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" },
	{ "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384" },
	{ "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256" },
	{ "TLS_ECDHE_ECDSA_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ "TLS_ECDHE_ECDSA_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ "TLS_ECDHE_ECDSA_CHACHA20_POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305" },
	{ "TLS_ECDHE_RSA_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256" },
	{ "TLS_ECDHE_RSA_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384" },
	{ "TLS_ECDHE_RSA_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305" },
};

// The suites that both know, in GnuTLS's order.
static void ask_gnutls(const char *string, char *out, size_t room)
{
	char command[1024], line[512], *end;
	size_t used = 0;
	FILE *f;

	snprintf(command, sizeof(command), "gnutls-cli --list --priority '%s' 2>&1", string);
	f = popen(command, "r");
	assert_non_null(f);
	*out = 0;
	while (fgets(line, sizeof(line), f)) {
		end = line + strcspn(line, " \t\n");
		*end = 0;
		for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++)
			if (strcmp(line, suites[i].gnutls) == 0)
				used += (size_t)snprintf(out + used, room - used, "%s%s", used ? ":" : "", suites[i].openssl);
	}
	pclose(f);
}

static void ours(const char *string, char *out, size_t room)
{
	struct priority p = { 0 };
	bool tls12, tls13;

	priority_parse(string, &p, NULL, NULL);
	tls12 = strstr(p.versions, "TLSv1.2");
	tls13 = strstr(p.versions, "TLSv1.3");
	snprintf(out, room, "%s%s%s", tls13 ? p.suites : "", tls12 && tls13 ? ":" : "", tls12 ? p.ciphers : "");
}

static void as_gnutls_has_it(void **state)
{
	static const char *const strings[] = {
		"NORMAL",
		"PERFORMANCE",
		"SECURE",
		"SECURE128",
		"SECURE192",
		"SECURE256",
		"SUITEB128",
		"SUITEB192",
		"PFS",
		"LEGACY",
		"NONE",
		"NORMAL:%SERVER_PRECEDENCE:%COMPAT:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1",
		"NORMAL:%SERVER_PRECEDENCE:%COMPAT:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-TLS1.3",
		"NORMAL:%SERVER_PRECEDENCE:%COMPAT:-RSA:-VERS-SSL3.0:-ARCFOUR-128",
		"SECURE256:+SECURE128:-VERS-TLS-ALL:+VERS-TLS1.2:-RSA:-DHE-DSS:-CAMELLIA-128-CBC",
		"NORMAL:-AES-256-GCM:+AES-256-GCM",
		"NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305",
		"NORMAL:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM",
		"NORMAL:-KX-ALL:+ECDHE-RSA",
		"NORMAL:-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA",
		"NORMAL:-KX-ALL:+RSA",
		"NORMAL:-ECDHE-RSA:-ECDHE-ECDSA",
		"NORMAL:-AEAD",
		"NORMAL:-SIGN-ALL",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2",
		"NORMAL:-VERS-ALL:+VERS-TLS1.1",
		"NORMAL:!VERS-TLS1.3:+VERS-TLS1.3",
		"PERFORMANCE:+SECURE256",
		"SECURE256:+SUITEB128",
		"SECURE256:NORMAL",
		"SUITEB192:+SUITEB128",
		"SUITEB128:+VERS-TLS1.3",
		"SUITEB128:+NORMAL",
		"NONE:+VERS-TLS1.3:+AES-256-GCM:+AEAD:+SIGN-ALL:+GROUP-ALL",
		"NONE:+VERS-TLS1.3:+AES-256-GCM:+AEAD",
		"NONE:+VERS-TLS-ALL:+CIPHER-ALL:+MAC-ALL:+KX-ALL:+GROUP-ALL:+SIGN-ALL",
		"NONE:+VERS-TLS1.2:+AES-256-GCM:+AEAD:+ECDHE-RSA:+GROUP-ALL",
		"NONE:+SECURE256",
		"+NORMAL",
		"-VERS-TLS1.3",
		"normal:-aes-128-gcm",
		"NORMAL:-GROUP-ALL:+GROUP-SECP256R1",
		"NORMAL:-CURVE-ALL:+CURVE-X25519",
	};
	char theirs[1024], us[1024];

	if (system("command -v gnutls-cli > /dev/null") != 0)
		skip();
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		ask_gnutls(strings[i], theirs, sizeof(theirs));
		ours(strings[i], us, sizeof(us));
		if (strcmp(theirs, us) != 0)
			fail_msg("%s\nGnuTLS: %s\nours:   %s", strings[i], theirs, us);
	}
}

// Whatever is a word here is one there; those that it has given up are not asked for.
static void every_word_is_one_there(void **state)
{
	static const char *const names[] = {
#define LEVEL(name, ...) name,
#define CIPHER(name, ...) "NORMAL:-" name,
#define WORD(kind, name, ...) #kind[0] == 'O' ? "NORMAL:" name : "NORMAL:-" name,
#include "control/main/priority.def"
#undef WORD
#undef CIPHER
#undef LEVEL
	};
	char command[256];

	if (system("command -v gnutls-cli > /dev/null") != 0)
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(command, sizeof(command), "gnutls-cli --list --priority '%s' 2>&1 | grep -q 'Syntax error'", names[i]);
		if (system(command) == 0)
			fail_msg("GnuTLS does not know %s", names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_one),           cmocka_unit_test(without_a_word), cmocka_unit_test(what_is_left),
		cmocka_unit_test(what_has_no_counterpart), cmocka_unit_test(what_is_wrong),  cmocka_unit_test(as_gnutls_has_it),
		cmocka_unit_test(every_word_is_one_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
