// One poll core's world. Only its own thread writes here; the control thread reads counters and uses the rings.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <poll.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "counters.h"
#include "port.h"
#include "tables.h"
#include "tunnel.h"
#include "wake.h"

#define BURST 32

// What a packet carries along, in the mbuf's private area (PACKET_PRIVATE bytes of every pool of ours).
enum packet_kind {
	PACKET_RECORD,    // outer: a DTLS record for a tunnel
	PACKET_INNER,     // an inner IP packet: from the TAP, or opened, or from a lane
	PACKET_DATAGRAM,  // lane -> outer: a worker's handshake datagram, sent as it is to `path`
	PACKET_SEAL,      // lane -> outer: plaintext of content type `type`, to be sealed under keys of `handshake`
	PACKET_HANDSHAKE, // core -> control -> lane: a handshake datagram as it came
	PACKET_CSTP,      // core -> control -> lane: an inner packet for CSTP
	PACKET_EVENT,     // core -> control: no payload; `event`
};
enum packet_event { EVENT_NONE, EVENT_CONFIRMED, EVENT_ALERT, EVENT_CHANNEL };

struct packet {
	uint32_t tunnel; // number
	uint32_t handshake;
	uint8_t kind;                      // enum packet_kind
	uint8_t type;                      // DTLS content type, or the CSTP packet type byte
	uint8_t event, level, description; // PACKET_EVENT
	bool hello;                        // PACKET_HANDSHAKE: a ClientHello (its random is in the datagram)
	uint8_t channel;                   // EVENT_CHANNEL: enum tunnel_channel
	uint16_t port;                     // ethdev by which it leaves; set by dtls_out()
	struct path path; // PACKET_HANDSHAKE: where it came from; PACKET_DATAGRAM: where it goes; events: of the keys
};
#define PACKET_PRIVATE RTE_ALIGN_CEIL(sizeof(struct packet), RTE_CACHE_LINE_SIZE)
static inline struct packet *packet_of(struct rte_mbuf *m)
{
	return (struct packet *)rte_mbuf_to_priv(m);
}

struct lcore {
	unsigned id; // EAL lcore
	unsigned cpu;
	unsigned rcu_id;      // in tables->rcu
	struct dataplane *dp; // shared, read-mostly
	const struct port *inner;
	const struct port *const *outer;
	unsigned n_outer;
	struct rte_mempool *pool;      // for packets that the core makes itself
	struct rte_ring *mailbox;      // control -> core: struct command *
	struct rte_ring *from_control; // control -> core: mbufs (PACKET_INNER, _DATAGRAM, _SEAL)
	struct rte_ring *to_control;   // core -> control: mbufs (PACKET_HANDSHAKE, _CSTP, _EVENT)
	struct rte_ring *released;     // core -> control: struct tunnel_keys * out of use; has room for all there are
	uint64_t now;                  // TSC at the start of this round
	struct counters count;         // owner: rw
	uint64_t busy_cycles, rounds_busy, sleeps, packets; // owner: rw
	uint64_t started;                                   // owner: TSC of its first round; 0: it does not run yet
	bool busy_poll;                                     // set before start: never sleeps
	struct pollfd *wait;       // set before start: what ends a long sleep: the wake's fd first, then every port's
	unsigned n_wait;           // 0: some port has no descriptor to wait for
	struct wake wake;          // control calls the core
	struct wake *control_wake; // the core calls control; NULL: nobody to call (tests)
	bool stop;                 // control: rw, owner: ro
	struct tx_queue {
		struct rte_mbuf *pkts[BURST * 2];
		unsigned n;
	} tx[PORTS_MAX]; // by ethdev id, flushed at the end of each round
} __rte_cache_aligned;

// What all cores share.
struct dataplane {
	struct tables *tables;
	struct tunnel_in *in;   // [tunnels_max]
	struct tunnel_out *out; // [tunnels_max]
	uint32_t tunnels_max;
	uint16_t udp_port; // network order
	uint64_t tsc_hz;
};

static inline void count(struct lcore *lc, enum counter c)
{
	lc->count.value[c]++;
}
static inline void drop(struct lcore *lc, enum counter why, struct rte_mbuf *m)
{
	lc->count.value[why]++;
	rte_pktmbuf_free(m);
}
// To the control thread, counted as `what`; a full ring drops and counts. (tx.c)
void to_control(struct lcore *lc, struct rte_mbuf *m, enum counter what);
// EVENT_CONFIRMED (once a key set), EVENT_ALERT, EVENT_CHANNEL; false: could not be told now, try with a later packet. (tx.c)
bool tell_control(struct lcore *lc, enum packet_event event, uint32_t tunnel, const struct tunnel_keys *k, uint8_t a, uint8_t b);
