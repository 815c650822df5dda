// A tunnel: one session's packets. Control thread: life cycle. One owner core: everything that moves with a packet.
// Storage is allocated once at start (tunnel_store_init), indexed by tunnel number; keys come from a pool.
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "aead.h"
#include "path.h"
#include "proto/addr.h"
#include "proto/limits.h"
#include "replay.h"

// One direction's and one handshake's keys: from the pool, zeroed but for the fields set once, never changed after they are
// installed, wiped after an RCU grace period. A second handshake gets a second set; the first stays valid until the first good
// record under the second, and a little longer for what was on its way. Opening touches the first line, one of the window's and
// `in`; sealing the first, `path` and `out`.
struct tunnel_keys {
	uint8_t cipher;                // set once
	bool confirmed : 1;            // owner core: an application record has authenticated
	bool told : 1;                 // owner core: the control thread knows that
	bool quiet : 1;                // owner core: data went to CSTP; the next record brings it back
	bool closed : 1;               // owner core: an alert has ended it: nothing but alerts is sealed any more
	bool past : 1;                 // owner core: newer keys are in force
	uint16_t epoch;                // network order, set once
	uint32_t handshake;            // set once
	uint8_t in_iv[12], out_iv[12]; // set once
	uint64_t next_sequence;        // set before install, then owner core: the next to send; never beyond DTLS_SEQUENCE_LAST
	uint64_t last_udp;             // owner core: TSC of the last authenticated record
	struct replay_window seen;     // owner core
	struct path path;              // set before install, then owner core: follows the peer
	struct aead_key in, out;       // set once
} __rte_cache_aligned;
static_assert(offsetof(struct tunnel_keys, path) == 192, "what opening touches grew");
static_assert(offsetof(struct tunnel_keys, in) == 256, "what sealing touches grew");

// What a packet has to know of its tunnel beside the ordinary: one byte in each half.
enum tunnel_flag {
	TUNNEL_LIVE = 1 << 0,         // until the retire command
	TUNNEL_DENY_ROAMING = 1 << 1, // its peer keeps its address
	TUNNEL_ROUTES = 1 << 2,       // there are networks behind its client (networks.h)
	TUNNEL_COPY_DSCP = 1 << 3,    // outside as inside
	TUNNEL_COMPRESS = 1 << 4,     // tunnel_out says how
	TUNNEL_BY_WORKER = 1 << 5,    // its records are the worker's: they go to its lane, and so does every packet to its client
	TUNNEL_POLICY = 1 << 6,       // this way it is kept to something (policy.h)
	TUNNEL_CLAMP_MSS = 1 << 7,    // TCP's segments fit it
};

// What receiving touches; its number is its index.
struct tunnel_in {
	struct tunnel_keys *keys; // owner core (installed by command): in force; NULL: no DTLS yet
	struct tunnel_keys *next; // owner core: installed, not yet confirmed; or past, until what was on its way has come
	uint8_t ipv6[16];         // inner address, set before publish; all zero: none
	uint32_t ipv4;            // inner address, network order; set before publish; 0: none
	uint8_t flags;            // enum tunnel_flag; set before publish, then owner core
	bool handshaking;         // owner core: a ClientHello has come that no record has confirmed yet
	uint8_t cipher;           // owner core: of keys, as a hint for prefetching
	uint8_t astray;           // owner core: records in a row that another core received
	uint64_t packets, bytes;  // owner core: rw
	uint64_t last_data;       // owner core: TSC of the last inner packet that was not idle chatter (frame.h)
} __rte_cache_aligned;
static_assert(sizeof(struct tunnel_in) == RTE_CACHE_LINE_SIZE, "one line a packet");

// What sending touches.
struct tunnel_out {
	struct tunnel_keys *keys; // owner core: sealing keys; NULL: none
	uint8_t channel;          // owner core: enum tunnel_channel
	uint8_t flags;            // as tunnel_in's
	uint16_t mtu;             // set before publish
	uint16_t compress_above;  // longer packets are compressed; set before publish
	uint8_t compress;         // enum compressor; set before publish
	uint8_t tos;              // of what goes to its client over UDP; set before publish
	uint64_t udp_silence;     // TSC ticks without UDP after which CSTP takes over; set before publish
	uint64_t packets, bytes;  // owner core: rw
	uint64_t dropped;         // owner core: packets lost, either way
	uint64_t last_data;       // owner core: as tunnel_in's
} __rte_cache_aligned;
static_assert(sizeof(struct tunnel_out) == RTE_CACHE_LINE_SIZE, "one line a packet");

// udp_silence of so many seconds; 0: no silence is long enough.
static inline uint64_t tunnel_silence(uint32_t seconds, uint64_t hz)
{
	return seconds && hz < INT64_MAX / seconds ? seconds * hz : UINT64_MAX;
}
