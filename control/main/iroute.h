// Networks behind clients: each is one tunnel's, and the kernel routes it to the inner interface while that tunnel is up. So it
// does with addresses of clients that lie in no network of ours. Main process only.
#pragma once
#include <sys/queue.h>

#include "control/main/htab.h"
#include "proto/addr.h"

struct gateway;
struct tunnel;

enum iroute_kind {
	IROUTE_BEHIND, // an iroute of the user's or the group's file
	IROUTE_SUBNET, // the client's own part of an IPv6 network: the kernel knows the way already
	IROUTE_HOST,   // the client's own address: the dataplane knows it already
};

// How the gateway's host knows the way there.
enum iroute_way {
	WAY_NONE,    // it does not, or we have not told it
	WAY_KERNEL,  // by a route of ours
	WAY_COMMAND, // by what route-add-cmd has done
};

struct iroute {
	struct hlink by_network;
	TAILQ_ENTRY(iroute) all; // of its tunnel
	struct tunnel *tunnel;
	struct addr network;
	enum iroute_kind kind;
	enum iroute_way way;
};

TAILQ_HEAD(iroute_list, iroute);

// What lies behind this tunnel's client, by its terms and its session's addresses. What another user has stays his; what a session
// of the same user has is taken from it, for the newest connection counts. Networks that nobody may have are left out. All of this
// is logged. 0 or -ENOMEM.
int iroute_claim(struct tunnel *t);
// The dataplane has the tunnel: the kernel's routes.
void iroute_up(struct tunnel *t);
// The interface behind the dataplane has gone, and the kernel's routes with it.
void iroute_lost(struct tunnel *t);
// Is a part of this network, or all of it, behind a client? Networks there that are not within `clients` do not count: where one is
// around those, the narrower counts, which is the clients'.
bool iroute_touches(const struct gateway *g, const struct addr *network, const struct addr *clients);
void iroute_release(struct tunnel *t);

struct handover;
struct state_record;
struct state_writer;
void iroute_save(const struct tunnel *t, struct state_writer *w);
int iroute_restore(struct handover *h, const struct state_record *rec);
