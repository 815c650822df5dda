#include "secmod/key_sign.h"

#include <errno.h>
#include <openssl/rsa.h>
#include <string.h>

#include "secmod/tbs.h"

// RFC 8446 4.2.3: MGF1 uses the same digest, and the salt is as long.
static bool set_padding(EVP_PKEY_CTX *pctx, uint16_t scheme)
{
	return !scheme_is_pss(scheme) || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	                                  EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, scheme_digest(scheme), NULL) == 1 &&
	                                  EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

int key_sign_with(EVP_PKEY *pkey, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
                  uint16_t *len)
{
	uint8_t out[LIMIT_SIGNATURE];
	size_t out_len = sizeof(out);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool done;

	if (ctx == NULL)
		return -ENOMEM;
	done = EVP_DigestSignInit_ex(ctx, &pctx, scheme_digest(scheme), NULL, NULL, pkey, NULL) == 1 && set_padding(pctx, scheme) &&
	       EVP_DigestSign(ctx, out, &out_len, tbs, tbs_len) == 1;
	EVP_MD_CTX_free(ctx);
	// OpenSSL 3.0 says yes and (size_t)-1 where it had no memory for an ECDSA signature
	if (!done || out_len == 0 || out_len > sizeof(out))
		return -EIO;
	memcpy(signature, out, out_len);
	*len = (uint16_t)out_len;
	return 0;
}

bool key_verify_with(EVP_PKEY *public, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, const uint8_t *signature, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool good = ctx != NULL && EVP_DigestVerifyInit_ex(ctx, &pctx, scheme_digest(scheme), NULL, NULL, public, NULL) == 1 &&
	            set_padding(pctx, scheme) && EVP_DigestVerify(ctx, signature, len, tbs, tbs_len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}
