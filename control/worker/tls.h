// One TLS connection on a non-blocking socket. Worker only.
// Written bytes gather in a buffer of ours and leave in bursts (tls_flush), so that many records cost one system call and writing
// never blocks in the middle of a record.
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/states.h"
#include "reader.h"

// More than this is not gathered: the writer has to wait until the client reads.
#define TLS_OUT_MAX (256 * 1024)

struct tls {
	SSL *ssl;
	int fd;
	uint8_t *out;
	size_t out_at, out_len, out_room; // [out_at, out_len) is to be sent
	bool broken;                      // the socket has failed
	bool eof;
	bool rekeyed;      // by the client, since tls_rekey() was last called
	uint64_t moved_ms; // when bytes last left, or there were none to leave
	struct reader reader;
	size_t piece; // so much is given to the kernel at once; 0: all
};

int tls_init(struct tls *t, SSL_CTX *ctx, int fd, uint64_t now_ms);
void tls_fini(struct tls *t);

// From here on many records come at once.
void tls_widen(struct tls *t);

// 1: done; 0: needs more from the client; -EPROTO (logged).
int tls_handshake(struct tls *t);
// > 0 bytes of one record; -EAGAIN; 0: the client has closed; -EPROTO (logged).
int tls_read(struct tls *t, void *buf, size_t room);
// One record. 0; -ENOBUFS: too much is waiting already; -EPROTO.
int tls_write(struct tls *t, const void *buf, size_t len);
// 0: nothing is left to send; -EAGAIN: wait for POLLOUT; -EPIPE.
int tls_flush(struct tls *t, uint64_t now_ms);
// The client has stopped reading.
bool tls_is_frozen(struct tls *t, uint64_t now_ms);
// `ms` (-1: never) or what is left until that has to be asked, if it is less.
int tls_wait_ms(const struct tls *t, int ms, uint64_t now_ms);
// New keys, where it is TLS 1.3 (RFC 8446 4.6.3): ours, and the client's unless it has changed them itself meanwhile. 0; -ENOTSUP;
// -EPROTO.
int tls_rekey(struct tls *t);
// Bytes that wait for the client to read.
size_t tls_waiting(const struct tls *t);
// Say that nothing more will come (RFC 8446 6.1).
void tls_goodbye(struct tls *t);
// Give back what only a busy connection needs.
void tls_calm(struct tls *t);

// The cipher of its records, as DTLS has it; AES-256-GCM where DTLS has none like it.
enum aead_cipher tls_cipher(const struct tls *t);

// GnuTLS's description, as occtl prints it: "(TLS1.3)-(ECDHE-X25519)-(ECDSA-SECP256R1-SHA256)-(AES-256-GCM)". scheme: the
// SignatureScheme of our signature; in a resumption there is none.
void tls_describe(const struct tls *t, uint16_t scheme, char *out, size_t room);
