// What main itself needs of the configuration, read once a load into plain fields.
// Main process only; the policy owns its reference to the terms for everybody, and who is exempt.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "control/main/abuse.h"
#include "control/main/ban.h"
#include "control/main/packing.h"
#include "control/main/terms.h"

struct config;
struct exempt;

struct policy {
	uint32_t max_clients;  // 0: no bound
	uint32_t auth_timeout; // seconds, 0: off
	uint32_t udp_silence;  // switch-to-tcp-timeout, 0: never
	uint32_t rekey_time;   // 0: never
	enum rekey_method rekey_method;
	uint32_t stats_seconds; // server-stats-reset-time, 0: never
	uint16_t tcp_port, udp_port;
	bool predictable_ips, dtls_psk, dtls_legacy;
	uint32_t points[ABUSE_KINDS];
	struct ban_rules bans;
	struct exempt *exempt;
	struct packing packing; // all 0: no compression
	struct terms *terms;    // of sessions whose user and group have no file
};

// 0; -EINVAL for what only main can judge (logged); -ENOMEM. On failure `out` is untouched.
int policy_load(const struct config *c, struct policy *out);
void policy_free(struct policy *p);
