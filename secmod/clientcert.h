// The certificate that a connection's client has shown: its worker hands over the handshake (CERT_PART, CERT_PROVE), which is all
// that it is believed. sec-mod only, its loop's thread only.
#pragma once
#include "proto/messages.h"

struct conn;
struct key;
struct vhost;
struct certified;

// What has come so far.
struct transcript_parts {
	size_t len;
	uint8_t messages[LIMIT_TRANSCRIPT];
};

// A signature for this connection's handshake is on its way: only that handshake will prove anything.
int clientcert_signed(struct conn *conn, const struct key *k, const struct msg_sign_req *m, const struct msg_sign_rep *rep);

int clientcert_part(struct conn *conn, const struct msg_cert_part *m);
int clientcert_prove(struct conn *conn, const struct msg_cert_prove *m);

// Where another connection has proven `cert` (NULL: none), this one goes on, if it is still good. False: it is not.
bool clientcert_again(struct conn *conn, const struct vhost *v, const struct certified *cert);

void clientcert_drop(struct conn *conn);
