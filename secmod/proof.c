#include "secmod/proof.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "secmod/tbs.h"

#define TLS13_PAD 64
static const char SERVER_LABEL[] = "TLS 1.3, server CertificateVerify"; // their NULs are the separator
static const char CLIENT_LABEL[] = "TLS 1.3, client CertificateVerify";

#define TBS12_RANDOMS (2 * TRANSCRIPT_RANDOM)
#define TBS_ROOM 512 // both structures below, with the largest point and hash

static bool digest(const void *data, size_t len, uint8_t out[PROOF_DIGEST])
{
	return EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) == 1;
}

int witness_take(struct witness *w, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, const uint8_t *signature, size_t len,
                 const uint8_t server_cert[PROOF_DIGEST], bool in_token)
{
	w->scheme = 0;
	if (!digest(tbs, tbs_len, w->tbs) || !digest(signature, len, w->signature))
		return -EIO;
	memcpy(w->server_cert, server_cert, PROOF_DIGEST);
	w->repeats = proof_repeats(scheme, in_token);
	w->scheme = scheme;
	return 0;
}

// ---------------------------------------------------------------------------------------------------- what gets signed

// RFC 8446 4.4.1: the first ClientHello before a HelloRetryRequest counts as a message with its hash.
static bool hash_retried(EVP_MD_CTX *ctx, const EVP_MD *md, const uint8_t *messages, const struct transcript *t)
{
	uint8_t stand_in[4 + EVP_MAX_MD_SIZE] = { TRANSCRIPT_MESSAGE_HASH, 0, 0, (uint8_t)EVP_MD_get_size(md) };

	return EVP_Digest(messages, t->retried, stand_in + 4, NULL, md, NULL) == 1 &&
	       EVP_DigestUpdate(ctx, stand_in, 4 + EVP_MD_get_size(md)) == 1;
}

static bool hash_messages(const EVP_MD *md, const uint8_t *messages, size_t covers, const struct transcript *t, uint8_t *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	if (ok && t->retried > 0)
		ok = hash_retried(ctx, md, messages, t);
	ok = ok && EVP_DigestUpdate(ctx, messages + t->retried, covers - t->retried) == 1 &&
	     EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

// RFC 8446 B.4; NULL: none that we would have chosen.
static const EVP_MD *suite_digest(uint16_t suite)
{
	switch (suite) {
	case 0x1301:
	case 0x1303:
		return EVP_sha256();
	case 0x1302:
		return EVP_sha384();
	default:
		return NULL;
	}
}

// RFC 8446 4.4.3. Its length, 0: no such hash.
static size_t tbs13(const uint8_t *messages, size_t covers, const struct transcript *t, const char label[sizeof(SERVER_LABEL)],
                    uint8_t out[TBS_ROOM])
{
	const EVP_MD *md = suite_digest(t->suite);
	uint8_t *hash = out + TLS13_PAD + sizeof(SERVER_LABEL);

	if (md == NULL || !hash_messages(md, messages, covers, t, hash))
		return 0;
	memset(out, ' ', TLS13_PAD);
	memcpy(out + TLS13_PAD, label, sizeof(SERVER_LABEL));
	return TLS13_PAD + sizeof(SERVER_LABEL) + EVP_MD_get_size(md);
}

// RFC 8422 5.4.
static size_t tbs12(const struct transcript *t, uint8_t out[TBS_ROOM])
{
	if (t->params.len > TBS_ROOM - TBS12_RANDOMS)
		return 0;
	memcpy(out, t->client_random, TRANSCRIPT_RANDOM);
	memcpy(out + TRANSCRIPT_RANDOM, t->server_random, TRANSCRIPT_RANDOM);
	memcpy(out + TBS12_RANDOMS, t->params.at, t->params.len);
	return TBS12_RANDOMS + t->params.len;
}

// ------------------------------------------------------------------------------------------------------------- our own

static bool is_digest_of(const uint8_t known[PROOF_DIGEST], const void *data, size_t len)
{
	uint8_t of[PROOF_DIGEST];

	return digest(data, len, of) && secret_equal(of, known, PROOF_DIGEST);
}

static const char *check_ours(const struct witness *w, const uint8_t *messages, const struct transcript *t)
{
	uint8_t tbs[TBS_ROOM];
	size_t len = t->tls13 ? tbs13(messages, t->server_covers, t, SERVER_LABEL, tbs) : tbs12(t, tbs);

	if (w->scheme == 0)
		return "nothing was signed for this connection";
	if (len == 0 || !is_digest_of(w->tbs, tbs, len))
		return "it is not the handshake that was signed";
	if (t->server_scheme != w->scheme || !is_digest_of(w->signature, t->server_signature.at, t->server_signature.len))
		return "our signature is not in it";
	// Or the client has signed in to somebody else, who shows our key as its own.
	if (!is_digest_of(w->server_cert, t->server_cert.at, t->server_cert.len))
		return "our certificate is not in it";
	return NULL;
}

// -------------------------------------------------------------------------------------------------------- the client's

static bool kind_of(const EVP_PKEY *key, enum key_kind *kind)
{
	char group[32] = "";

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		*kind = KEY_RSA;
		return true;
	case EVP_PKEY_RSA_PSS:
		*kind = KEY_RSA_PSS;
		return true;
	case EVP_PKEY_ED25519:
		*kind = KEY_ED25519;
		return true;
	case EVP_PKEY_EC:
		EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
		*kind = strcmp(group, SN_X9_62_prime256v1) == 0 ? KEY_P256 : KEY_P384;
		return *kind == KEY_P256 || strcmp(group, SN_secp384r1) == 0;
	default:
		return false;
	}
}

static bool verify(EVP_PKEY *key, uint16_t scheme, const uint8_t *tbs, size_t len, struct span signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool ok = ctx != NULL && EVP_DigestVerifyInit_ex(ctx, &pctx, scheme_digest(scheme), NULL, NULL, key, NULL) == 1;

	// RFC 8446 4.2.3: the salt is as long as the digest
	if (ok && scheme_is_pss(scheme))
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, scheme_digest(scheme), NULL) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestVerify(ctx, signature.at, signature.len, tbs, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static EVP_PKEY *public_key(struct span der)
{
	const unsigned char *at = der.at;
	X509 *cert = d2i_X509(NULL, &at, (long)der.len);
	EVP_PKEY *key = cert != NULL && at == der.at + der.len ? X509_get_pubkey(cert) : NULL;

	X509_free(cert);
	ERR_clear_error();
	return key;
}

static const char *check_client(const uint8_t *messages, const struct transcript *t)
{
	EVP_PKEY *key = public_key(t->chain[0]);
	const uint8_t *what = messages; // RFC 5246 7.4.8: all of it
	size_t len = t->client_covers;
	const char *why = NULL;
	uint8_t tbs[TBS_ROOM];
	enum key_kind kind;

	if (key == NULL)
		return "the client's certificate cannot be read";
	if (t->tls13) {
		what = tbs;
		len = tbs13(messages, t->client_covers, t, CLIENT_LABEL, tbs);
	}
	if (!kind_of(key, &kind) || !scheme_allowed(t->tls13 ? TBS_TLS13 : TBS_TLS12, kind, t->client_scheme))
		why = "the client's key does not go with its signature";
	else if (!verify(key, t->client_scheme, what, len, t->client_signature))
		why = "the client's signature is wrong";
	EVP_PKEY_free(key);
	return why;
}

int proof_open(const struct witness *w, const uint8_t *messages, size_t len, struct transcript *t, const char **why)
{
	if (transcript_parse(messages, len, t) < 0)
		*why = "it is no handshake with a client's certificate";
	else
		*why = check_ours(w, messages, t);
	return *why == NULL ? 0 : -EBADMSG;
}

int proof_verify(const uint8_t *messages, const struct transcript *t, const char **why)
{
	*why = check_client(messages, t);
	return *why == NULL ? 0 : -EBADMSG;
}

// --------------------------------------------------------------------------------------------------------- once and now

// A user may look for a smart card, at most as long as auth-timeout lets him by default.
#define FRESH_S 240
#define SLOTS 65536 // 1.3 MB; as many clients in FRESH_S, about
#define PROBES 8

struct slot {
	uint8_t tbs[16]; // of its digest
	uint32_t until;  // seconds since the epoch; 0: free
};

struct proofs {
	struct slot slots[SLOTS];
};

bool proof_repeats(uint16_t server_scheme, bool in_token)
{
	return in_token || scheme_digest(server_scheme) == NULL || (server_scheme & 0xff) == 0x01; // Ed25519; RSA by PKCS #1
}

struct proofs *proofs_new(void)
{
	return calloc(1, sizeof(struct proofs));
}

void proofs_free(struct proofs *p)
{
	free(p);
}

static struct slot *find_free(struct proofs *p, const uint8_t *tbs, uint32_t now, int *ret)
{
	size_t at = tbs[0] << 8 | tbs[1];
	struct slot *unused = NULL;

	for (size_t i = 0; i < PROBES; i++) {
		struct slot *s = &p->slots[(at + i) % SLOTS];

		if (s->until <= now)
			unused = s;
		else if (memcmp(s->tbs, tbs, sizeof(s->tbs)) == 0)
			*ret = -EALREADY;
	}
	if (unused == NULL && *ret == 0)
		*ret = -EBUSY;
	return unused;
}

int proofs_use(struct proofs *p, const struct witness *w, const struct transcript *t, int64_t wall)
{
	const uint8_t *r = t->server_random;
	uint32_t then = (uint32_t)r[0] << 24 | r[1] << 16 | r[2] << 8 | r[3];
	struct slot *slot;
	int ret = 0;

	if (then > wall + FRESH_S || then < wall - FRESH_S)
		return -ESTALE;
	slot = find_free(p, w->tbs, (uint32_t)wall, &ret);
	if (ret < 0)
		return ret;
	memcpy(slot->tbs, w->tbs, sizeof(slot->tbs));
	slot->until = then + FRESH_S + 1;
	return 0;
}
