// What one session is granted and bound to: the values for everybody of its virtual host, with those of its group's and its user's
// file over them.
// Immutable once made, with counted references: a reload and a changed file are for later connections. Main process only.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/main/deposit.h"
#include "control/main/packing.h"
#include "control/main/ports.h"
#include "control/main/quota.h"
#include "proto/addr.h"
#include "proto/states.h"

struct config;

// One SESSION_ITEM.
struct terms_item {
	enum item_kind kind;
	char *text;
};

struct terms {
	unsigned references;
	uint32_t session_timeout, keepalive;                         // seconds, 0: off
	uint32_t idle_timeout, mobile_idle_timeout, dpd, mobile_dpd; // likewise; mobile: of mobile clients
	uint32_t max_same_clients;                                   // 0: any number
	uint32_t stats_report_time;                                  // seconds, 0: at its end only
	uint16_t mtu;                                                // 0: what a path of 1500 bytes leaves
	uint32_t udp_silence;                                        // switch-to-tcp-timeout, 0: never
	uint32_t rekey_time;                                         // 0: never
	enum rekey_method rekey_method;
	bool no_udp, tunnel_all_dns, client_bypass, dtls_legacy, predictable_ips;
	struct packing packing;                 // all 0: no compression
	uint8_t rules;                          // enum tunnel_rule
	struct addr ipv4_network, ipv6_network; // family 0: none
	uint8_t ipv6_subnet_prefix;
	struct addr explicit_ipv4, explicit_ipv6; // family 0: any
	uint64_t rx_rate, tx_rate;                // bytes a second that the client may send, and get; 0: any
	struct quota_limits quota;                // bytes that the user may have, both ways together
	time_t valid_until;                       // from then on not any more; 0: no end
	uint8_t tos;                              // of what goes to the client
	uint8_t priority;                         // of that in the kernel's queues, where it goes by TCP
	uint16_t output_buffer;                   // packets that may wait for it; 0: any
	bool restrict_to_routes;
	struct port_rules *ports; // restrict-user-to-ports; NULL: any
	struct addr *iroutes;     // networks behind the client
	size_t n_iroutes;
	struct terms_item *items;
	size_t n_items;
	uint32_t number;   // in the state that is being written
	uint32_t kept;     // with the keeper; 0: it has none
	struct gateway *g; // whose keeper; NULL: none
	struct deposit_mark mark;
};

struct handover;
struct state_record;
struct state_writer;

// From a virtual host's configuration, the files of the session's group and user, and what its login brought (NULL: none). What was
// brought counts before a user's value, that before a group's, and that before everybody's; lists of these three add up, and stand
// in the place of everybody's. 0; -EINVAL for what one file cannot show (logged); -ENOMEM. On failure `out` is untouched.
int terms_new(const struct config *vhost, const struct config *group, const struct config *user, const struct config *granted,
              struct terms **out);
// One more route, unless it is there already. Of fresh terms only. 0 or -errno.
int terms_route(struct terms *t, const char *network);
// Without a route, and with the default one, everything goes through the tunnel.
bool terms_reach_all(const struct terms *t);
struct terms *terms_get(struct terms *t);
void terms_put(struct terms *t); // NULL is fine
// Something that the keeper has needs them: so does it, until they are no more.
void terms_keep(struct gateway *g, struct terms *t);
// The number by which a state names them.
uint32_t terms_number(const struct terms *t, const struct state_writer *w);
// Once in a state; then `number` stands for them. Before the first: number 0.
void terms_save(struct terms *t, uint32_t number, struct state_writer *w);
int terms_restore(struct handover *h, const struct state_record *rec);
int terms_item_restore(struct handover *h, const struct state_record *rec);
int terms_iroute_restore(struct handover *h, const struct state_record *rec);
// The n-th text of a kind, NULL past the end.
const char *terms_text(const struct terms *t, enum item_kind kind, unsigned n);
