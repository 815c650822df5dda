// Keys in PKCS#11 tokens, named by RFC 7512 URLs; p11-kit knows the modules, as it does for GnuTLS. See token_driver.h.
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secmod/places.h"
#include "secmod/token_driver.h"

#define SLOTS_MAX 64
#define LABEL_SIZE 32 // PKCS#11: padded with blanks

static struct {
	CK_FUNCTION_LIST *f;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	bool each_time; // CKA_ALWAYS_AUTHENTICATE
	char pin[TOKENWIRE_PIN + 1];
} p11;

// ----------------------------------------------------------------------------------------------------------------- token

static CK_FUNCTION_LIST **modules_of(P11KitUri *uri, char why[TOKENWIRE_REASON + 1])
{
	static CK_FUNCTION_LIST *one[2];
	const char *path = p11_kit_uri_get_module_path(uri);
	const char *places = getenv(PLACES_VARIABLE);
	CK_FUNCTION_LIST **all;

	// or who has taken sec-mod over had us run what he has written there
	if (path != NULL && places != NULL && places_contain(places, path)) {
		token_refuse(why, "the PKCS#11 module %s lies where sec-mod may write: put it elsewhere", path);
		return NULL;
	}
	if (path == NULL) {
		all = p11_kit_modules_load_and_initialize(0);
		if (all == NULL || all[0] == NULL)
			token_refuse(why, "p11-kit knows no PKCS#11 module on this system");
		return all != NULL && all[0] != NULL ? all : NULL;
	}
	one[0] = p11_kit_module_load(path, 0);
	if (one[0] == NULL || p11_kit_module_initialize(one[0]) != CKR_OK) {
		token_refuse(why, "the PKCS#11 module %s cannot be used: %s", path, p11_kit_message());
		return NULL;
	}
	return one;
}

static bool fits(CK_FUNCTION_LIST *f, CK_SLOT_ID slot, P11KitUri *uri, CK_TOKEN_INFO *info)
{
	CK_INFO module;
	CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri);

	return f->C_GetInfo(&module) == CKR_OK && p11_kit_uri_match_module_info(uri, &module) &&
	       (wanted == (CK_SLOT_ID)-1 || wanted == slot) && f->C_GetTokenInfo(slot, info) == CKR_OK &&
	       (info->flags & CKF_TOKEN_INITIALIZED) && p11_kit_uri_match_token_info(uri, info);
}

static bool find_token(CK_FUNCTION_LIST **modules, P11KitUri *uri, CK_TOKEN_INFO *info)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n;

	for (; *modules != NULL; modules++) {
		n = SLOTS_MAX;
		if ((*modules)->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
			continue;
		for (CK_ULONG i = 0; i < n; i++)
			if (fits(*modules, slots[i], uri, info)) {
				p11.f = *modules;
				p11.slot = slots[i];
				return true;
			}
	}
	return false;
}

const char *token_pin_spent(unsigned long flags)
{
	if (flags & CKF_USER_PIN_LOCKED)
		return "the token has locked its PIN";
	if (flags & CKF_USER_PIN_FINAL_TRY)
		return "the token would lock its PIN at one more wrong try: log in to it by other means, then reload";
	return NULL;
}

static bool is_about_pin(CK_RV rv)
{
	return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_EXPIRED ||
	       rv == CKR_PIN_LOCKED;
}

static int show_pin(CK_USER_TYPE as, char why[TOKENWIRE_REASON + 1])
{
	CK_TOKEN_INFO now;
	CK_RV rv = p11.f->C_GetTokenInfo(p11.slot, &now);
	const char *spent = rv == CKR_OK ? token_pin_spent(now.flags) : NULL;

	if (rv != CKR_OK)
		return token_refuse(why, "the token cannot be read: %s", p11_kit_strerror(rv));
	if (spent != NULL) {
		token_refuse(why, "%s", spent);
		return -EACCES;
	}
	rv = p11.f->C_Login(p11.session, as, (CK_UTF8CHAR *)p11.pin, strlen(p11.pin));
	if (rv == CKR_OK || (rv == CKR_USER_ALREADY_LOGGED_IN && as == CKU_USER))
		return 0;
	token_refuse(why, "the token refuses the PIN (key-pin, pin-file): %s", p11_kit_strerror(rv));
	return is_about_pin(rv) ? -EACCES : -EIO;
}

static int log_in(const CK_TOKEN_INFO *info, char why[TOKENWIRE_REASON + 1])
{
	CK_RV rv = p11.f->C_OpenSession(p11.slot, CKF_SERIAL_SESSION, NULL, NULL, &p11.session);

	if (rv != CKR_OK)
		return token_refuse(why, "the token cannot be opened: %s", p11_kit_strerror(rv));
	if (!(info->flags & CKF_LOGIN_REQUIRED))
		return 0;
	if (p11.pin[0] == '\0' && !(info->flags & CKF_PROTECTED_AUTHENTICATION_PATH))
		return token_refuse(why, "the token asks for a PIN, and there is neither key-pin nor pin-file");
	return show_pin(CKU_USER, why);
}

// ------------------------------------------------------------------------------------------------------------------- key

// What the URL says of the object, and that it is a private key, whatever kind the URL speaks of.
static int find_key(P11KitUri *uri, char why[TOKENWIRE_REASON + 1])
{
	static CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_BBOOL each_time = CK_FALSE;
	CK_ATTRIBUTE *said, wanted[16] = { { CKA_CLASS, &class, sizeof(class) } };
	CK_ATTRIBUTE always = { CKA_ALWAYS_AUTHENTICATE, &each_time, sizeof(each_time) };
	CK_ULONG n_said, n = 1, found = 0;
	CK_RV rv;

	said = p11_kit_uri_get_attributes(uri, &n_said);
	for (CK_ULONG i = 0; i < n_said && n < 16; i++)
		if (said[i].type != CKA_CLASS)
			wanted[n++] = said[i];
	rv = p11.f->C_FindObjectsInit(p11.session, wanted, n);
	if (rv == CKR_OK)
		rv = p11.f->C_FindObjects(p11.session, &p11.key, 1, &found);
	if (rv != CKR_OK)
		return token_refuse(why, "the token cannot be searched: %s", p11_kit_strerror(rv));
	p11.f->C_FindObjectsFinal(p11.session);
	if (found == 0)
		return token_refuse(why, "no private key in the token is as the URL says");
	p11.each_time = p11.f->C_GetAttributeValue(p11.session, p11.key, &always, 1) == CKR_OK && each_time;
	return 0;
}

static int open_with(P11KitUri *uri, const char *url, char why[TOKENWIRE_REASON + 1])
{
	int ret = p11_kit_uri_parse(url, P11_KIT_URI_FOR_ANY, uri);
	CK_FUNCTION_LIST **modules;
	CK_TOKEN_INFO info;

	if (ret != P11_KIT_URI_OK)
		return token_refuse(why, "it is no PKCS#11 URL (RFC 7512): %s", p11_kit_uri_message(ret));
	if (p11_kit_uri_any_unrecognized(uri))
		return token_refuse(why, "the URL says something that nobody knows");
	modules = modules_of(uri, why);
	if (modules == NULL)
		return -EIO;
	if (!find_token(modules, uri, &info))
		return token_refuse(why, "no token is as the URL says");
	ret = log_in(&info, why);
	return ret < 0 ? ret : find_key(uri, why);
}

static int p11_open(const struct tokenwire_start *s, char why[TOKENWIRE_REASON + 1])
{
	P11KitUri *uri = p11_kit_uri_new();
	int ret;

	if (uri == NULL)
		return token_refuse(why, "no memory");
	strcpy(p11.pin, s->pin);
	ret = open_with(uri, s->url, why);
	p11_kit_uri_free(uri);
	return ret;
}

// ------------------------------------------------------------------------------------------------------------- signature

// RFC 8017 9.2: what stands before the hash in a PKCS#1 signature.
struct hash {
	const char *name;
	CK_MECHANISM_TYPE mechanism;
	CK_RSA_PKCS_MGF_TYPE mgf;
	uint8_t prefix[19];
};

static const struct hash hashes[] = {
#define PREFIX(id, len) \
	0x30, 0x11 + len, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, id, 0x05, 0x00, 0x04, len
	{ "SHA256", CKM_SHA256, CKG_MGF1_SHA256, { PREFIX(1, 32) } },
	{ "SHA384", CKM_SHA384, CKG_MGF1_SHA384, { PREFIX(2, 48) } },
	{ "SHA512", CKM_SHA512, CKG_MGF1_SHA512, { PREFIX(3, 64) } },
#undef PREFIX
};

static const struct hash *hash_of(uint16_t scheme)
{
	const char *name = scheme_digest(scheme);

	for (size_t i = 0; name != NULL && i < sizeof(hashes) / sizeof(*hashes); i++)
		if (strcmp(hashes[i].name, name) == 0)
			return &hashes[i];
	return NULL;
}

static int sign_raw(CK_MECHANISM *how, const uint8_t *data, size_t len, uint8_t *out, CK_ULONG *out_len,
                    char why[TOKENWIRE_REASON + 1])
{
	CK_RV rv = p11.f->C_SignInit(p11.session, how, p11.key);
	int ret = rv == CKR_OK && p11.each_time ? show_pin(CKU_CONTEXT_SPECIFIC, why) : 0;

	if (ret < 0)
		return ret;
	if (rv == CKR_OK)
		rv = p11.f->C_Sign(p11.session, (CK_BYTE *)data, len, out, out_len);
	return rv == CKR_OK ? 0 : token_refuse(why, "%s", p11_kit_strerror(rv));
}

static int sign_rsa(const struct hash *h, uint16_t scheme, const uint8_t *digest, unsigned len, struct tokenwire_signed *out)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { h->mechanism, h->mgf, len }; // RFC 8446 4.2.3: the salt is as long
	CK_MECHANISM how = { CKM_RSA_PKCS, NULL, 0 };
	uint8_t text[sizeof(h->prefix) + EVP_MAX_MD_SIZE];
	CK_ULONG room = sizeof(out->signature);
	int ret;

	if (scheme_is_pss(scheme)) {
		how = (CK_MECHANISM){ CKM_RSA_PKCS_PSS, &pss, sizeof(pss) };
		ret = sign_raw(&how, digest, len, out->signature, &room, out->reason);
	} else {
		memcpy(text, h->prefix, sizeof(h->prefix));
		memcpy(text + sizeof(h->prefix), digest, len);
		ret = sign_raw(&how, text, sizeof(h->prefix) + len, out->signature, &room, out->reason);
	}
	out->len = (uint16_t)room;
	return ret;
}

// Two numbers of the token's become what TLS wants (RFC 3279 2.2.3).
static int encode_ecdsa(const uint8_t *raw, CK_ULONG len, struct tokenwire_signed *out)
{
	BIGNUM *r = BN_bin2bn(raw, (int)len / 2, NULL), *s = BN_bin2bn(raw + len / 2, (int)len / 2, NULL);
	ECDSA_SIG *signature = ECDSA_SIG_new();
	uint8_t *p = out->signature;
	int n = -1;

	if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
		r = s = NULL;
		n = i2d_ECDSA_SIG(signature, NULL);
		n = n > 0 && (size_t)n <= sizeof(out->signature) ? i2d_ECDSA_SIG(signature, &p) : -1;
	}
	ECDSA_SIG_free(signature);
	BN_free(r);
	BN_free(s);
	out->len = n > 0 ? (uint16_t)n : 0;
	return n > 0 ? 0 : token_refuse(out->reason, "the token's signature is none");
}

// FIPS 186-4 6.4: of a hash that is longer than the curve's order the first bits count; not every token knows.
static int sign_ecdsa(enum key_kind kind, const uint8_t *digest, unsigned len, struct tokenwire_signed *out)
{
	const unsigned order = kind == KEY_P256 ? 32 : 48;
	CK_MECHANISM how = { CKM_ECDSA, NULL, 0 };
	uint8_t raw[2 * 48];
	CK_ULONG room = sizeof(raw);
	int ret = sign_raw(&how, digest, len < order ? len : order, raw, &room, out->reason);

	if (ret < 0)
		return ret;
	return room == 2 * order ? encode_ecdsa(raw, room, out) : token_refuse(out->reason, "the token's signature is none");
}

static int p11_sign(enum key_kind kind, const struct tokenwire_sign *s, struct tokenwire_signed *out)
{
	const struct hash *h = hash_of(s->scheme);
	CK_MECHANISM eddsa = { CKM_EDDSA, NULL, 0 };
	CK_ULONG room = sizeof(out->signature);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	int ret;

	if (kind == KEY_ED25519) {
		ret = sign_raw(&eddsa, s->tbs, s->len, out->signature, &room, out->reason);
		out->len = (uint16_t)room;
		return ret;
	}
	if (h == NULL || EVP_Digest(s->tbs, s->len, digest, &len, EVP_get_digestbyname(h->name), NULL) != 1)
		return token_refuse(out->reason, "no hash for scheme 0x%04x", s->scheme);
	return kind == KEY_P256 || kind == KEY_P384 ? sign_ecdsa(kind, digest, len, out) : sign_rsa(h, s->scheme, digest, len, out);
}

const struct token_driver token_pkcs11 = { .scheme = "pkcs11:", .open = p11_open, .sign = p11_sign };
