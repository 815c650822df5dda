// Which session has which inner address: lent by the pool of a network, or the one that its user's file names. There is a pool for
// each network of the configuration, and one for each that a user's or a group's file names while a session of theirs is there.
// One address is one session's, however networks overlap. Main process only.
#pragma once
#include <sys/queue.h>

#include "control/main/htab.h"
#include "control/main/lease.h"
#include "control/main/state.h"

struct gateway;
struct session;
struct policy;
struct terms;
struct address_pool;

struct address_book {
	struct htab ipv4, ipv6; // sessions by their address
	TAILQ_HEAD(address_pools, address_pool) pools;
	unsigned n_pools;
};

int address_book_init(struct address_book *b); // 0 or -ENOMEM
void address_book_fini(struct address_book *b);

// The pools that the configuration asks for; those that are right already stay, others go with their last session. 0 or -errno
// (logged), and then nothing has changed.
int address_pools(struct gateway *g, const struct policy *p);

// Lend the session what its client wants, keeping what it has. 0; -ENOSPC; -EADDRINUSE: another session has the address that the
// user's file names; -EADDRNOTAVAIL: there is none of a kind that the client takes; -EINVAL and what
// netlink says, for a network that is wrong (logged).
int address_lend(struct session *s, const struct terms *t, bool ipv4, bool ipv6);
// Somebody else has its address of that family: it gets another one of the same pool, and *occupied, the one of before, is
// nobody's, but is not lent either until address_let(). 0 or -ENOSPC, and then it has none of that family.
int address_another(struct session *s, const struct terms *t, int family, struct addr *occupied);
void address_let(struct gateway *g, const struct addr *occupied);
// After a restart: what the session had, where that is a network of its virtual host and free.
void address_restore(struct session *s, const struct addr *ipv4, const struct addr *ipv6);
void address_return(struct session *s);

// Every pool, in no order.
void address_pools_each(const struct address_book *b, void (*each)(void *who, const struct lease_pool *p), void *who);

// Does it lie, whole, in a network that addresses are lent from?
bool address_is_ours(const struct gateway *g, const struct addr *network);
// This network is behind a client: what lies in it is not lent.
void address_entangle(struct gateway *g, const struct addr *network);
// The gateway's own address as the session sees it; NULL where it has none of that family.
const struct addr *address_gateway(const struct session *s, int family);
// The session's address with the prefix that its client is told; family 0 where it has none.
struct addr address_told(const struct session *s, int family);

// A session's addresses in a state, with the pools that they came from (networks; family 0: from none).
struct address_state {
	struct addr ipv4, ipv6, network4, network6;
	uint8_t subnet6;
};
extern const struct state_field address_fields[];
extern const unsigned address_fields_n;
#define ADDRESS_PART(object)                                           \
	{                                                              \
		"", address_fields, address_fields_n, (void *)(object) \
	}
void address_save(const struct session *s, struct address_state *out);
// 0 or -errno: it is another's already, or there is no such pool (logged).
int address_take_again(struct session *s, const struct address_state *a);
