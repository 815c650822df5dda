// One poll core's world. Only its own thread writes here; the control thread reads counters and uses the rings, other cores put
// packets into its `handed` rings.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <poll.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "bucket.h"
#include "cold.h"
#include "counters.h"
#include "interrupts.h"
#include "latency.h"
#include "networks.h"
#include "forward.h"
#include "policy.h"
#include "port.h"
#include "squeeze.h"
#include "reassembly.h"
#include "tables.h"
#include "tunnel.h"
#include "wake.h"

#define BURST 32
#define RX_MAX (2 * PORTS_MAX) // receive queues that one core polls

// What a packet carries along, in the mbuf's private area (PACKET_PRIVATE bytes of every pool of ours).
enum packet_kind {
	PACKET_DATAGRAM,  // outer: a UDP payload with its path; from a lane: a worker's handshake datagram, sent as it is to `path`
	PACKET_RECORD,    // outer: a DTLS record for a tunnel
	PACKET_OPENED,    // an inner IP packet from a client: opened, or CSTP data from a lane
	PACKET_INNER,     // an inner IP packet to a client
	PACKET_SEAL,      // lane -> outer: plaintext of content type `type`, to be sealed under keys of `handshake`
	PACKET_FRAME,     // core -> core: done, to be sent by the core that owns a queue of `port`
	PACKET_HANDSHAKE, // core -> control -> lane: a handshake datagram as it came
	PACKET_CSTP,      // core -> control -> lane: an inner packet for CSTP
	PACKET_EVENT,     // core -> control: no payload; `event`
	PACKET_STRAY,     // core -> control -> core: a record from an unknown address, back with whose it may be (stray.h)
};
enum packet_event { EVENT_NONE, EVENT_CONFIRMED, EVENT_ALERT, EVENT_CHANNEL, EVENT_ELSEWHERE, EVENT_PATH };
#define CANDIDATES_MAX 8
#define HELLOS 1024
#define HELLOS_A_SECOND 50 // of one tunnel: half of the datagrams that its worker looks at; the others are for handshakes under way
#define HELLOS_BURST 100
#define SOURCES 256

struct packet {
	uint32_t tunnel; // number
	uint32_t handshake;
	uint8_t kind;                      // enum packet_kind
	uint8_t type;                      // DTLS content type, or the CSTP packet type byte
	uint8_t event, level, description; // PACKET_EVENT
	bool hello;                        // PACKET_HANDSHAKE: a ClientHello (its random is in the datagram)
	uint8_t channel, why;              // EVENT_CHANNEL: enum tunnel_channel, enum channel_why
	uint8_t core;                      // index of the core that received it; EVENT_ELSEWHERE: where the tunnel's records come
	uint8_t port;                      // number of the port by which it leaves; set by dtls_out()
	uint8_t n_candidates;              // PACKET_STRAY
	uint32_t candidate[CANDIDATES_MAX];
	struct path path __rte_cache_aligned; // outer, PACKET_HANDSHAKE: where it came from; PACKET_DATAGRAM: where it goes;
	                                      // events: of the keys
};
#define PACKET_PRIVATE sizeof(struct packet)
static_assert(PACKET_PRIVATE == 2 * RTE_CACHE_LINE_SIZE, "two lines a packet");
static inline struct packet *packet_of(struct rte_mbuf *m)
{
	return (struct packet *)rte_mbuf_to_priv(m);
}

// A receive queue that a core polls.
struct rx_queue {
	const struct port *port;
	uint16_t queue;
};

// By which queue a core sends on a port: its own, or that of the core it hands its frames to.
struct tx_way {
	uint16_t queue;
	uint8_t core;
};

struct lcore {
	unsigned id;    // EAL lcore
	unsigned index; // in dp->cores, and in tables->rcu
	unsigned cpu;
	struct dataplane *dp; // shared, read-mostly
	struct rx_queue outer[RX_MAX], inner[RX_MAX], kernel[RX_MAX];
	unsigned n_outer, n_inner, n_kernel;
	struct tx_way way[PORTS_MAX];       // by port number
	uint64_t probed;                    // TSC of the last packet that the kernel got to make sure of a neighbour
	struct backlog *backlog[PORTS_MAX]; // by port number: of the kernel's TAPs; else NULL
	struct rte_mempool *pool;           // for packets that the core makes itself
	struct reassembly *reassembly;      // of outer fragments
	struct rte_ring *mailbox;           // control -> core: struct command *
	struct rte_ring *from_control;      // control -> core: mbufs (PACKET_OPENED, _DATAGRAM, _SEAL, _STRAY)
	struct rte_ring *to_control;        // core -> control: mbufs (PACKET_HANDSHAKE, _CSTP, _EVENT, _STRAY)
	struct rte_ring *released;          // core -> control: struct tunnel_keys * out of use; has room for all there are
	struct rte_ring *handed[CORES_MAX]; // that core -> this core: mbufs (hand.h); NULL: itself, or no such core
	uint64_t now;                       // TSC at the start of this round
	struct bucket strays;               // owner: what it gives the control thread of records from unknown addresses
	struct bucket source[SOURCES];      // owner: and of these by the hash of their address
	struct bucket hellos[HELLOS];       // owner: ClientHellos that it gives the control thread, by their App-ID
	struct bucket icmp;                 // owner: what it tells of packets that are too big
	uint32_t fragment_id;               // owner: of what it has cut last for the outside
	struct counters count;              // owner: rw
	uint64_t busy_cycles, rounds_busy, sleeps, packets; // owner: rw
	uint64_t rounds;  // owner: rw; all that was in its rings at the start of a round is served in it
	uint64_t started; // owner: TSC of its first round; 0: it does not run yet
	uint32_t from_control_most, handed_most[CORES_MAX]; // owner: rw; the most that ever waited in these rings
	bool busy_poll;                                     // set before start: never sleeps
	struct pollfd *wait; // set before start: what ends a long sleep: the wake's fd first, then its queues'
	unsigned n_wait;     // 0: some queue has no descriptor to wait for
	struct interrupts interrupts;
	struct wake wake;          // control or another core calls the core
	struct wake *control_wake; // the core calls control; NULL: nobody to call (tests)
	bool stop;                 // control: rw, owner: ro
	struct tx_queue {
		struct rte_mbuf *pkts[BURST * 2];
		unsigned n;
	} tx[PORTS_MAX]; // by port number, flushed at the end of each round
	struct hand_queue {
		struct rte_mbuf *pkts[BURST];
		unsigned n;
	} hand[CORES_MAX];             // by core, flushed likewise
	struct latency latency;        // owner: rw
	struct watch_queue *sightings; // owner: writes (watch.h)
	struct squeeze squeeze;        // one packet at a time; touched by tunnels that compress only
} __rte_cache_aligned;

// A tunnel that an operator looks at (watch.h).
#define WATCHES_MAX 4
struct watched {
	uint32_t tunnel;
	uint32_t serial;
};

// Who carries packets from one client to another.

// What all cores share.
struct dataplane {
	struct tables *tables;
	struct networks *networks;
	struct tunnel_in *in;     // [tunnels_max]
	struct tunnel_out *out;   // [tunnels_max]
	struct tunnel_cold *cold; // [tunnels_max]
	struct policy *
	        *policy; // [tunnels_max]: of those with TUNNEL_POLICY; set before publish, then owner core; NULL after retirement
	uint8_t *owner;  // [tunnels_max]: index of the core to which a tunnel belongs. Written by that core alone, between bursts
	uint32_t tunnels_max;
	uint16_t udp_port;        // network order
	bool whole;               // datagrams are not fragmented on their way
	uint8_t client_to_client; // enum client_to_client; control thread: rw, others: ro
	uint64_t tsc_hz;
	const struct port *ports[PORTS_MAX]; // by number
	const struct port *inner;
	const struct hosts *hosts; // where there are NICs of ours
	struct forwarding forwarding;
	unsigned n_ports;
	uint32_t bare; // a bit for each port: takes and gives datagrams, not frames
	struct lcore *cores[CORES_MAX];
	unsigned n_cores;
	uint32_t watched;                  // control: rw; a bit for each of watch[] in force
	struct watched watch[WATCHES_MAX]; // control: set before its bit
};

static inline bool is_bare(const struct dataplane *dp, uint8_t port)
{
	return dp->bare >> port & 1;
}
// A reload changes it under the cores.
static inline enum client_to_client clients_now(const struct dataplane *dp)
{
	return (enum client_to_client)__atomic_load_n(&dp->client_to_client, __ATOMIC_RELAXED);
}
// Everything that the owner before wrote of the tunnel is seen by whoever reads here that it is the owner now.
static inline unsigned owner_of(const struct dataplane *dp, uint32_t tunnel)
{
	return __atomic_load_n(&dp->owner[tunnel], __ATOMIC_ACQUIRE);
}
static inline void count(struct lcore *lc, enum counter c)
{
	lc->count.value[c]++;
}
static inline void drop(struct lcore *lc, enum counter why, struct rte_mbuf *m)
{
	lc->count.value[why]++;
	rte_pktmbuf_free(m);
}
// A frame that came by a NIC of ours and is the kernel's. (tx.c)
void to_kernel(struct lcore *lc, const struct port *nic, struct rte_mbuf *m);
// To the control thread, counted as `what`; a full ring drops and counts, and says false. (tx.c)
bool to_control(struct lcore *lc, struct rte_mbuf *m, enum counter what);
// EVENT_CONFIRMED (once a key set), EVENT_ALERT, EVENT_CHANNEL, EVENT_ELSEWHERE, EVENT_PATH; false: could not be told now, try with
// a later packet. (tx.c)
bool tell_control(struct lcore *lc, enum packet_event event, uint32_t tunnel, const struct tunnel_keys *k, uint8_t a, uint8_t b);
