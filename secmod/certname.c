#include "secmod/certname.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "secmod/name.h"

#define SAN_EMAIL "SAN(rfc822name)"

static ASN1_OBJECT *object_of(const char *oid)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

	ERR_clear_error();
	return object;
}

bool certname_is_oid(const char *oid)
{
	ASN1_OBJECT *object;

	if (strcasecmp(oid, SAN_EMAIL) == 0)
		return true;
	object = object_of(oid);
	ASN1_OBJECT_free(object);
	return object != NULL;
}

static int take(const ASN1_STRING *value, char *out, size_t most, const char **why)
{
	unsigned char *name = NULL;
	int len = ASN1_STRING_to_UTF8(&name, value), ret = -EINVAL;

	ERR_clear_error();
	if (len <= 0)
		*why = "a name in it is empty or cannot be read";
	else if ((size_t)len > most)
		*why = "a name in it is too long";
	else if (!name_is_fit(name, len))
		*why = "a name in it has characters that names may not have";
	else
		ret = 0;
	if (ret == 0) {
		memcpy(out, name, len);
		out[len] = '\0';
	}
	OPENSSL_free(name);
	return ret;
}

// ----------------------------------------------------------------------------------------------------------- alternative

static int take_email(X509 *cert, char *out, size_t most, const char **why)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int ret = -ENOENT;

	ERR_clear_error();
	*why = "it has no e-mail address among its alternative names";
	for (int i = 0; ret == -ENOENT && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL)
			ret = take(name->d.rfc822Name, out, most, why);
	}
	GENERAL_NAMES_free(names);
	return ret;
}

// ---------------------------------------------------------------------------------------------------------------- subject

// The next attribute of that kind after `at` (-1: the first), or NULL.
static const ASN1_STRING *next_value(X509 *cert, const ASN1_OBJECT *object, int *at)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	*at = X509_NAME_get_index_by_OBJ(subject, object, *at);
	return *at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, *at)) : NULL;
}

static int take_only(X509 *cert, const ASN1_OBJECT *object, char *out, size_t most, const char **why)
{
	const ASN1_STRING *value;
	int at = -1;

	value = next_value(cert, object, &at);
	if (value == NULL) {
		*why = "its subject has no attribute of cert-user-oid";
		return -ENOENT;
	}
	if (next_value(cert, object, &at) != NULL) {
		*why = "its subject has several attributes of cert-user-oid";
		return -EINVAL;
	}
	return take(value, out, most, why);
}

int certname_user(X509 *cert, const char *oid, char user[LIMIT_USER + 1], const char **why)
{
	ASN1_OBJECT *object;
	int ret;

	if (strcasecmp(oid, SAN_EMAIL) == 0)
		return take_email(cert, user, LIMIT_USER, why);
	object = object_of(oid);
	*why = "cert-user-oid is no OID";
	ret = object != NULL ? take_only(cert, object, user, LIMIT_USER, why) : -EINVAL;
	ASN1_OBJECT_free(object);
	return ret;
}

static int take_all(X509 *cert, const ASN1_OBJECT *object, char group[CERTNAME_GROUPS][LIMIT_GROUP + 1], unsigned *n,
                    const char **why)
{
	const ASN1_STRING *value;
	int at = -1, ret = 0;

	while (ret == 0 && (value = next_value(cert, object, &at)) != NULL) {
		*why = "it has too many groups";
		ret = *n < CERTNAME_GROUPS ? take(value, group[*n], LIMIT_GROUP, why) : -EINVAL;
		++*n;
	}
	return ret;
}

int certname_groups(X509 *cert, const char *oid, char group[CERTNAME_GROUPS][LIMIT_GROUP + 1], unsigned *n, const char **why)
{
	ASN1_OBJECT *object;
	int ret;

	*n = 0;
	if (strcasecmp(oid, SAN_EMAIL) == 0) {
		ret = take_email(cert, group[0], LIMIT_GROUP, why);
		*n = ret == 0;
		return ret == -ENOENT ? 0 : ret;
	}
	object = object_of(oid);
	*why = "cert-group-oid is no OID";
	ret = object != NULL ? take_all(cert, object, group, n, why) : -EINVAL;
	ASN1_OBJECT_free(object);
	return ret;
}
