// What main itself needs of the configuration, read once a load into plain fields.
// Main process only; the policy owns its items.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/main/ban.h"
#include "proto/states.h"

struct config;

// One SESSION_ITEM that every session gets.
struct policy_item {
	enum item_kind kind;
	char *text;
};

struct policy {
	uint32_t max_clients;                                        // 0: no bound
	uint32_t auth_timeout, session_timeout, keepalive;           // seconds, 0: off
	uint32_t idle_timeout, mobile_idle_timeout, dpd, mobile_dpd; // likewise; mobile: of mobile clients
	uint32_t udp_silence;                                        // switch-to-tcp-timeout, 0: never
	uint16_t tcp_port, udp_port;
	uint16_t mtu; // 0: what a path of 1500 bytes leaves
	bool no_udp, tunnel_all_dns, predictable_ips;
	uint32_t points_wrong_password, points_connection;
	struct ban_rules bans;
	struct addr ipv4_network, ipv6_network; // family 0: none
	uint8_t ipv6_subnet_prefix;
	struct policy_item *items;
	size_t n_items;
};

// 0; -EINVAL for what only main can judge (logged); -ENOMEM. On failure `out` is untouched.
int policy_load(const struct config *c, struct policy *out);
void policy_free(struct policy *p);
// The n-th text of a kind, NULL past the end.
const char *policy_item_text(const struct policy *p, enum item_kind kind, unsigned n);
