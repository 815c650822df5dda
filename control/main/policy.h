// What main itself needs of the configuration, read once a load into plain fields.
// Main process only; the policy owns its references to the terms, and who is exempt, and goes before the configuration that it was
// made of.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/main/abuse.h"
#include "control/main/ban.h"
#include "control/main/exposed.h"
#include "control/main/terms.h"
#include "proto/limits.h"

struct config;
struct netlist;

struct policy_vhost {
	const char *name; // "": the default one
	const struct config *config;
	struct exposed exposed;
	struct terms *terms; // of its sessions whose user and group have no file
};

struct policy {
	uint32_t max_clients;                   // 0: no bound
	uint32_t startups, startups_per_source; // max-startups, 0: by max_clients; 0: no bound
	uint32_t auth_timeout;                  // seconds, 0: off
	uint32_t rate_limit_ms;                 // 0: off
	uint32_t drain_ms;                      // 0: off
	uint32_t stats_seconds;                 // server-stats-reset-time, 0: never
	uint16_t tcp_port, udp_port;
	gid_t readers; // who may look by penstockctl; 0: nobody but root
	bool dtls_psk;
	bool metrics_per_user;
	uint32_t points[ABUSE_KINDS];
	struct ban_rules bans;
	struct netlist *exempt;
	struct netlist *proxies;                 // who may say by a header whose connection it brings; NULL: nobody has to
	struct policy_vhost vhost[LIMIT_VHOSTS]; // the first is the default one
	unsigned n_vhosts;
};

// 0; -EINVAL for what only main can judge (logged); -ENOMEM. On failure `out` is untouched.
int policy_load(const struct config *c, struct policy *out);
void policy_free(struct policy *p);
// The virtual host of that name; NULL: there is none (any more).
const struct policy_vhost *policy_vhost(const struct policy *p, const char *name);
