// One DTLS connection with AES-CBC-SHA, handshake and records, as the resumption of a session that never was: DTLS 0.9 (Cisco's,
// version 0x0100), 1.0 and 1.2, without a socket. Worker only.
// OpenSSL is no server of DTLS 0.9: dtls1_bad_ver has a client method only. What a resumption takes is little enough to be here
// whole, for all three versions; the cryptography is OpenSSL's. The records stay with the worker, since the dataplane has no CBC.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtls.h"

struct cbc;

// Where the output goes: datagrams, and the payload of each data record (its packet type byte first). The buffers are the caller's
// only during the call.
struct cbc_road {
	void (*send)(void *who, uint32_t handshake, const uint8_t *datagram, size_t len);
	void (*data)(void *who, struct cbc *c, const uint8_t *payload, size_t len);
};

// secret outlives it. now_ms: monotonic. NULL, errno.
struct cbc *cbc_new(uint32_t handshake, const struct dtls_secret *secret, const struct cbc_road *road, void *who, uint64_t now_ms);
void cbc_free(struct cbc *c);

// One datagram from the client. 1: it holds a record that authenticates and is newer than all before; 0; -EPROTO: it is over (the
// handshake cannot succeed, or the client has ended it), free it.
int cbc_input(struct cbc *c, const uint8_t *datagram, size_t len, uint64_t now_ms);
// A data record of at most LIMIT_DATAGRAM - CBC_RECORD_GROWS bytes. 0; -ENOTCONN before the handshake is over and after
// cbc_close(); -EMSGSIZE; -EIO.
int cbc_send(struct cbc *c, const uint8_t *payload, size_t len);
// A fatal alert: the client begins anew at once. What it still sends meanwhile is opened; nothing but this alert is sent any more.
void cbc_close(struct cbc *c);
// Retransmit what is due. 0; -ETIMEDOUT: the handshake takes too long, free it.
int cbc_tick(struct cbc *c, uint64_t now_ms);
// Milliseconds until cbc_tick() has something to do, -1: never.
int cbc_wait_ms(const struct cbc *c, uint64_t now_ms);

uint32_t cbc_born(const struct cbc *c);   // the number of its handshake
uint32_t cbc_number(const struct cbc *c); // what its datagrams go by: the same, until its client is somewhere else
void cbc_renumber(struct cbc *c, uint32_t handshake);
void cbc_outlive(struct cbc *c);  // its number counts no more: it is older than all that begin from now on
bool cbc_up(const struct cbc *c); // both sides have finished
void cbc_cipher_name(const struct cbc *c, char *out, size_t room); // as GnuTLS has it: "(DTLS0.9)-(RSA)-(AES-128-CBC)-(SHA1)"
