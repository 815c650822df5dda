// Tunnels: main's side of what the dataplane has under a number, from TUNNEL_ADD to the last TUNNEL_COUNTERS.
// A tunnel belongs to one session and, until it ends, to one connection. Main process only.
#pragma once
#include "control/main/deposit.h"
#include "control/main/gateway.h"
#include "proto/messages.h"

// From the client's point of view as the wire has it: in = received from the client.
struct tunnel_totals {
	uint64_t packets_in, bytes_in, packets_out, bytes_out, dropped;
	uint64_t datagrams; // of DTLS, that its worker was given
	uint64_t cstp_bytes_in, cstp_bytes_out;
};

// What the client said of itself at CONNECT, for show.
struct connect_info {
	char hostname[LIMIT_HOSTNAME + 1], user_agent[LIMIT_USER_AGENT + 1];
	char device_type[LIMIT_DEVICE + 1], device_platform[LIMIT_DEVICE + 1];
	char tls_cipher[LIMIT_CIPHER + 1], dtls_cipher[LIMIT_CIPHER + 1];
	uint16_t base_mtu, mtu;
	uint8_t dtls_offers; // enum dtls_offer
	uint8_t cstp_encodings, dtls_encodings;
	bool want_ipv4, want_ipv6;
};

// What its client is kept to, and what may be changed while it is up (change.h).
struct kept {
	const struct terms *where; // that say where it may send: its own, or the session's filter
	uint64_t rx_rate, tx_rate; // as in its terms
	uint32_t idle_timeout;     // seconds, 0: off
};

enum tunnel_phase { TUNNEL_ADDING, TUNNEL_UP, TUNNEL_DELETING };

// In the dataplane; or that has died, and the next one has not been asked yet to take it, or has not answered (refill.c).
enum tunnel_where { WHERE_DATAPLANE, WHERE_NOWHERE, WHERE_ASKED };

struct tunnel {
	struct gateway *g;
	uint32_t number;
	enum tunnel_phase phase;
	enum tunnel_where where;
	struct session *session;
	struct conn *conn; // NULL: deleting
	struct terms *terms;
	struct iroute_list iroutes;
	struct connect_info *info;
	struct addr client, local;
	uint8_t app_id[APP_ID_SIZE];
	uint16_t mtu;
	enum dtls_kind dtls;
	int lane_fd; // the worker's end, until the worker gets it
	uint64_t since_ms;
	uint64_t moved_ms; // when the log said so last; not kept over an upgrade
	uint32_t moves;    // since then
	struct tunnel_totals now;
	struct tunnel_totals before; // of these, what dataplanes that have died had counted
	enum tunnel_channel channel;
	enum channel_why why;
	enum compressor cstp_compress, dtls_compress;
	uint16_t compress_above;
	uint32_t dpd, rekey_time; // seconds, 0: off; as its client was told
	struct kept kept;
	struct change *change;    // what the dataplane has been told of it and not yet answered; NULL: nothing
	struct quota_user *quota; // where what it carries is counted; NULL: nowhere
	enum aead_cipher cipher;
	struct addr path, ours; // of its latest DTLS
	struct event timer;     // session-timeout
	struct event report;    // stats-report-time
	enum end_reason reason;
	bool revoke;
	int utmp_pid;       // of its worker, as it stands in utmp
	bool in_utmp;       // it has a record there
	bool greeted;       // connect-script has let its client in
	bool was_up;        // when it ended: worth a line in the log once all is counted
	char from[48];      // the name of its connection
	bool held, leaving; // recover.c: the dataplane has it, but not for long
	bool recount;       // what its next counters have more than the last ones is counted already
	struct deposit_mark mark;
};

struct handover;
struct state_record;
struct state_writer;

extern const struct state_field connect_info_fields[];
extern const unsigned connect_info_fields_n;
#define CONNECT_INFO_PART(object)                                                     \
	{                                                                             \
		"info.", connect_info_fields, connect_info_fields_n, (void *)(object) \
	}

// The dataplane has room for so many. 0 or -ENOMEM.
int tunnel_table_open(struct gateway *g, uint32_t tunnels_max);
void tunnel_table_close(struct gateway *g);
// The next one has room for so many, with none in use beyond. 0 or -ENOMEM.
int tunnel_table_fit(struct gateway *g, uint32_t tunnels_max);
// Tell the dataplane to take it, with a new lane. 0 or -errno.
int tunnel_order(struct tunnel *t);

struct tunnel *tunnel_find(struct gateway *g, uint32_t number); // NULL: there is none
// Something of it that lasts is another now.
void tunnel_touched(struct tunnel *t);
// TUNNEL_ADD for this connection, under these terms. 0 or -errno, and then nothing is left of it.
int tunnel_add(struct session *s, struct conn *c, struct terms *terms);
// Is this line of its terms for its client? Servers and networks are of use where there is an address of their kind.
bool tunnel_grants(const struct tunnel *t, const struct terms_item *item);
void tunnel_replied(struct gateway *g, const struct msg_tunnel_reply *m);
void tunnel_counted(struct gateway *g, const struct msg_tunnel_counters *m);
void tunnel_changed(struct gateway *g, const struct msg_tunnel_state *m);
const char *end_reason_text(enum end_reason reason);
const char *channel_why_text(enum channel_why why);
// Its timer, which runs once it is up: for one that has come from another penstockd.
void tunnel_time(struct tunnel *t);
// The session's timeout is another from now on; if that is over already, so is the session.
void tunnel_retime(struct tunnel *t);
// TUNNEL_DEL: it no longer belongs to its connection; the last counters end it. revoke: the cookie dies with it.
void tunnel_end(struct tunnel *t, enum end_reason reason, bool revoke);
// It was being deleted, and the dataplane knows nothing of it any more.
void tunnel_over(struct tunnel *t);

// Not while the dataplane has something to answer.
bool tunnel_is_quiet(const struct tunnel *t);
void tunnel_table_save(const struct gateway *g, struct state_writer *w);
int tunnel_table_restore(struct handover *h, const struct state_record *rec);
void tunnel_save(const struct tunnel *t, struct state_writer *w);
int tunnel_restore(struct handover *h, const struct state_record *rec);
// When all are there: the numbers that are free.
void tunnel_table_restored(struct gateway *g);
