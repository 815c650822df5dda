// The names in a client's certificate: its user (cert-user-oid) and groups (cert-group-oid). An OID is dotted ("2.5.4.3") and means
// attributes of the subject; "SAN(rfc822name)" is the first e-mail address of the subject's alternative names.
#pragma once
#include <openssl/x509.h>
#include <stdbool.h>

#include "proto/limits.h"

#define CERTNAME_GROUPS 32

bool certname_is_oid(const char *oid);

// Names become parts of paths, of log lines and of messages: what is not fit for that is refused, and so is a certificate that
// has no such name, or several users. 0; -ENOENT, -EINVAL: `why` says what is wrong with it.
int certname_user(X509 *cert, const char *oid, char user[LIMIT_USER + 1], const char **why);
// There may be none. Beyond CERTNAME_GROUPS: -EINVAL.
int certname_groups(X509 *cert, const char *oid, char group[CERTNAME_GROUPS][LIMIT_GROUP + 1], unsigned *n, const char **why);
