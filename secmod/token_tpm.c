// Keys that a TPM 2.0 keeps: "tpmkey:file=PATH" (a PEM file, "TSS2 PRIVATE KEY") and "tpmkey:handle=0x81000001" (one that stays in
// it). OpenSSL's provider for that (package tpm2-openssl) does the work. See token_driver.h.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secmod/key_sign.h"
#include "secmod/token_driver.h"

static EVP_PKEY *pkey;
static bool asked;

// The first reason is the TPM's, the later ones say only that something has failed.
static const char *reason(void)
{
	unsigned long e = ERR_peek_error();
	const char *text = e != 0 ? ERR_reason_error_string(e) : NULL;

	return text != NULL ? text : "the TPM or its provider gives no reason";
}

static int on_passphrase(char *buf, int size, int rwflag, void *pin)
{
	size_t len = strlen(pin);

	asked = true;
	if (len == 0 || len > (size_t)size)
		return -1;
	memcpy(buf, pin, len);
	return (int)len;
}

// As a URL of OpenSSL's stores.
static int store_url(const char *url, char out[TOKENWIRE_URL + 16], char why[TOKENWIRE_REASON + 1])
{
	if (strncmp(url, "tpmkey:file=", 12) == 0)
		snprintf(out, TOKENWIRE_URL + 16, "file:%s", url + 12);
	else if (strncmp(url, "tpmkey:handle=", 14) == 0)
		snprintf(out, TOKENWIRE_URL + 16, "handle:%s", url + 14);
	else
		return token_refuse(why, "neither tpmkey:file=PATH nor tpmkey:handle=NUMBER (keys of TPM 1.2 are not supported)");
	return 0;
}

static EVP_PKEY *read_key(const char *url, const char *pin)
{
	UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(on_passphrase, 0);
	OSSL_STORE_CTX *store;
	OSSL_STORE_INFO *info;
	EVP_PKEY *found = NULL;

	store = OSSL_STORE_open_ex(url, NULL, "?provider=tpm2", ui, (void *)pin, NULL, NULL, NULL);
	while (store != NULL && found == NULL && !OSSL_STORE_eof(store)) {
		info = OSSL_STORE_load(store);
		if (info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			found = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	OSSL_STORE_close(store);
	UI_destroy_method(ui);
	return found;
}

static int tpm_open(const struct tokenwire_start *s, char why[TOKENWIRE_REASON + 1])
{
	char url[TOKENWIRE_URL + 16];
	int ret = store_url(s->url, url, why);

	if (ret < 0)
		return ret;
	if (s->srk_pin[0] != '\0')
		setenv("TPM2OPENSSL_PARENT_AUTH", s->srk_pin, 1);
	if (OSSL_PROVIDER_load(NULL, "tpm2") == NULL)
		return token_refuse(why, "OpenSSL has no provider for TPMs, or finds no TPM (package tpm2-openssl): %s", reason());
	if (OSSL_PROVIDER_load(NULL, "default") == NULL)
		return token_refuse(why, "OpenSSL does not start: %s", reason());
	pkey = read_key(url, s->pin);
	if (pkey != NULL)
		return 0;
	if (asked && s->pin[0] == '\0')
		return token_refuse(why, "the key asks for a PIN, and there is neither key-pin nor pin-file");
	return token_refuse(why, "the TPM does not load the key: %s", reason());
}

static int tpm_sign(enum key_kind kind, const struct tokenwire_sign *s, struct tokenwire_signed *out)
{
	ERR_clear_error();
	if (key_sign_with(pkey, s->scheme, s->tbs, s->len, out->signature, &out->len) == 0)
		return 0;
	return token_refuse(out->reason, "%s", reason());
}

const struct token_driver token_tpm = { .scheme = "tpmkey:", .open = tpm_open, .sign = tpm_sign };
