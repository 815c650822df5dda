// Whose clients may come in: the authorities of `ca-cert`, without what `crl` revokes; and what their certificates say.
// sec-mod only, its loop's thread only. The CRL's file is read again when it has changed.
#pragma once
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "proto/limits.h"
#include "secmod/transcript.h"

struct trust;

// What was proven of a client: its certificate is kept to be looked at again. Counted references.
struct certified {
	unsigned refs;
	char user[LIMIT_USER + 1];
	unsigned n_groups;
	char (*group)[LIMIT_GROUP + 1];
	time_t expires; // its own certificate
	unsigned n_chain;
	struct span chain[TRANSCRIPT_CERTS]; // into `der`
	uint8_t *der;
};

// Files in PEM; crl NULL or "": none. group_oid: n of them. NULL: `text` names the option and what is wrong with it.
struct trust *trust_load(const char *ca, const char *crl, const char *user_oid, const char *const *group_oid, unsigned n_group_oids,
                         char text[LIMIT_TEXT + 1]);
void trust_free(struct trust *t);

// A chain that a client has proven to be its own, its certificate first: is it to be let in, and as whom? NULL: `why` says for the
// log.
struct certified *trust_certify(struct trust *t, const struct span *chain, unsigned n, char why[LIMIT_TEXT + 1]);

struct certified *certified_get(struct certified *c);
void certified_put(struct certified *c); // NULL is fine
