#include "staple.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_FUZZ 300 // seconds that the responder's clock may be ahead of ours

static int refuse(char why[LIMIT_TEXT + 1], const char *text)
{
	snprintf(why, LIMIT_TEXT + 1, "%s", text);
	ERR_clear_error();
	return -EINVAL;
}

static int read_file(struct staple *s, const char *file, char why[LIMIT_TEXT + 1])
{
	uint8_t der[STAPLE_MOST + 1];
	FILE *f = fopen(file, "re");
	size_t len;

	if (!f)
		return refuse(why, strerror(errno));
	len = fread(der, 1, sizeof(der), f);
	fclose(f);
	if (len > STAPLE_MOST)
		return refuse(why, "it is longer than any OCSP response");
	s->der = malloc(len + 1);
	if (!s->der)
		return refuse(why, "out of memory");
	memcpy(s->der, der, len);
	s->len = len;
	return 0;
}

// RFC 6960 4.1.1: its issuer's name, hashed, and its serial number. The issuer's key is for the client to look at, as is the
// signature.
static bool is_about(OCSP_SINGLERESP *single, const X509 *leaf)
{
	ASN1_OBJECT *digest;
	ASN1_INTEGER *serial;
	ASN1_OCTET_STRING *name;
	uint8_t hash[EVP_MAX_MD_SIZE];
	const EVP_MD *md;
	unsigned len;

	OCSP_id_get0_info(&name, &digest, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
	md = EVP_get_digestbyobj(digest);
	return md && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0 &&
	       X509_NAME_digest(X509_get_issuer_name(leaf), md, hash, &len) == 1 && (size_t)ASN1_STRING_length(name) == len &&
	       memcmp(ASN1_STRING_get0_data(name), hash, len) == 0;
}

static int judge(struct staple *s, OCSP_SINGLERESP *single, char why[LIMIT_TEXT + 1])
{
	ASN1_GENERALIZEDTIME *from, *until;
	int status = OCSP_single_get0_status(single, NULL, NULL, &from, &until);
	struct tm tm;

	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return refuse(why, "it says that the certificate is revoked");
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return refuse(why, "it does not know the certificate");
	if (until && ASN1_TIME_to_tm(until, &tm) == 1)
		s->until = timegm(&tm);
	if (until && s->until < time(NULL))
		return refuse(why, "it has expired");
	if (OCSP_check_validity(from, until, CLOCK_FUZZ, -1) != 1)
		return refuse(why, "its time is still to come, or is none");
	return 0;
}

static int look_into(struct staple *s, OCSP_RESPONSE *response, const X509 *leaf, char why[LIMIT_TEXT + 1])
{
	OCSP_BASICRESP *basic;
	OCSP_SINGLERESP *single;
	int ret = -EAGAIN;

	if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return refuse(why, OCSP_response_status_str(OCSP_response_status(response)));
	basic = OCSP_response_get1_basic(response);
	if (!basic)
		return refuse(why, "it is an OCSP response of a kind that nobody knows");
	for (int i = 0; i < OCSP_resp_count(basic) && ret == -EAGAIN; i++) {
		single = OCSP_resp_get0(basic, i);
		if (is_about(single, leaf))
			ret = judge(s, single, why);
	}
	OCSP_BASICRESP_free(basic);
	return ret;
}

int staple_read(struct staple *s, const char *file, const X509 *leaf, char why[LIMIT_TEXT + 1])
{
	OCSP_RESPONSE *response;
	const unsigned char *p;
	int ret = read_file(s, file, why);

	if (ret < 0)
		return ret;
	p = s->der;
	response = d2i_OCSP_RESPONSE(NULL, &p, (long)s->len);
	if (!response || p != s->der + s->len)
		ret = refuse(why, "it is no OCSP response (DER)");
	else
		ret = look_into(s, response, leaf, why);
	OCSP_RESPONSE_free(response);
	if (ret < 0)
		staple_free(s);
	return ret;
}

void staple_free(struct staple *s)
{
	free(s->der);
	*s = (struct staple){ 0 };
}

int staple_send(const struct staple *s, SSL *ssl, time_t now)
{
	uint8_t *copy;

	if (!s->der || (s->until && now > s->until))
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(s->der, s->len);
	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)s->len);
	return SSL_TLSEXT_ERR_OK;
}
