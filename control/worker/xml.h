// The XML of a login (config-auth), as clients send it: bytes in, fields out. Worker only. No I/O.
// No DOCTYPE, no entities of its own, UTF-8 only; depth, attributes, elements and sizes are bounded.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"

#define LIMIT_XML_ELEMENTS 256
#define LIMIT_XML_ATTRIBUTES 16
#define LIMIT_XML_NAME 64

enum login_kind { LOGIN_OTHER, LOGIN_INIT, LOGIN_REPLY, LOGIN_LOGOUT };

// Holds secrets: login_fields_wipe().
struct login_fields {
	enum login_kind kind;
	bool has_user, has_password;
	bool cert_fail; // it has no certificate to show, or none that counts
	char user[LIMIT_USER + 1];
	char password[LIMIT_PASSWORD + 1]; // password, secondary_password or answer
	char group[LIMIT_GROUP + 1];
	char device_type[LIMIT_DEVICE + 1];
	char device_platform[LIMIT_DEVICE + 1];
};

// 0, -EBADMSG or -ENOMEM. out is zeroed first.
int xml_login(const char *body, size_t len, struct login_fields *out);
// The same from an urlencoded form: always a LOGIN_REPLY.
int form_login(const char *body, size_t len, struct login_fields *out);
void login_fields_wipe(struct login_fields *f);
