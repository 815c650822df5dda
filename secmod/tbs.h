// What a worker wants signed: is it a TLS server's handshake, and may this kind of key sign it that way?
// Pure: bytes in, verdict out. Touched with a hostile worker's bytes before any key is.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// TLS SignatureScheme, RFC 8446 4.2.3.
enum scheme {
	SCHEME_RSA_PKCS1_SHA256 = 0x0401,
	SCHEME_RSA_PKCS1_SHA384 = 0x0501,
	SCHEME_RSA_PKCS1_SHA512 = 0x0601,
	SCHEME_ECDSA_P256_SHA256 = 0x0403,
	SCHEME_ECDSA_P384_SHA384 = 0x0503,
	SCHEME_ECDSA_P521_SHA512 = 0x0603,
	SCHEME_PSS_RSAE_SHA256 = 0x0804,
	SCHEME_PSS_RSAE_SHA384 = 0x0805,
	SCHEME_PSS_RSAE_SHA512 = 0x0806,
	SCHEME_ED25519 = 0x0807,
	SCHEME_PSS_PSS_SHA256 = 0x0809,
	SCHEME_PSS_PSS_SHA384 = 0x080a,
	SCHEME_PSS_PSS_SHA512 = 0x080b,
};

enum key_kind { KEY_RSA, KEY_RSA_PSS, KEY_P256, KEY_P384, KEY_ED25519, KEY_KIND_LAST = KEY_ED25519 };

enum tbs_kind {
	TBS_OTHER, // no handshake: never signed
	TBS_TLS12, // RFC 8422 5.4: client_random, server_random, ServerECDHParams
	TBS_TLS13, // RFC 8446 4.4.3: CertificateVerify content of a server
};

enum tbs_kind tbs_classify(const uint8_t *tbs, size_t len);

// May a key of this kind sign such a structure with this SignatureScheme?
bool scheme_allowed(enum tbs_kind tbs, enum key_kind key, uint16_t scheme);

// The schemes that a kind of key may sign with at all: the one after `scheme`, the first after 0; 0: no more.
uint16_t scheme_next(enum key_kind key, uint16_t scheme);
// "SHA256" and so on, NULL where the scheme hashes by itself (Ed25519) or is unknown.
const char *scheme_digest(uint16_t scheme);
bool scheme_is_pss(uint16_t scheme);
