// A tunnel: one session's packets. Control thread: life cycle. One owner core: everything that moves with a packet.
// Storage is allocated once at start (tunnel_store_init), indexed by tunnel number; keys come from a pool.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "aead.h"
#include "proto/addr.h"
#include "proto/limits.h"
#include "replay.h"

// Where datagrams of one peer come from and how they get back: learned from a frame that it sent.
struct path {
	struct rte_ether_addr peer_mac, our_mac;
	uint16_t port;                // ethdev
	uint8_t family;               // 4 or 6; 0: none
	uint8_t tos;                  // for what we send
	uint16_t peer_udp, our_udp;   // network order
	uint8_t peer_ip[16], our_ip[16];
};

// One direction's and one handshake's keys: from the pool, never changed after they are installed, wiped after an RCU grace period.
// A second handshake gets a second set; the first stays valid until the first good record under the second.
struct tunnel_keys {
	uint8_t cipher;               // set once
	uint16_t epoch;               // network order, set once
	uint32_t handshake;           // set once
	uint8_t in_iv[12], out_iv[12];// set once
	bool confirmed;               // owner core: an application record has authenticated
	struct path path;             // owner core
	uint64_t next_sequence;       // owner core: the next to send; never beyond DTLS_SEQUENCE_MAX
	struct replay_window seen;    // owner core
	struct aead_key in, out;      // set once
} __rte_cache_aligned;

// What receiving touches.
struct tunnel_in {
	struct tunnel_keys *keys;     // owner core (installed by command): in force; NULL: no DTLS yet
	struct tunnel_keys *next;     // owner core: installed, not yet confirmed
	uint32_t ipv4;                // inner address, network order; set before publish; 0: none
	uint32_t number;              // set before publish
	uint8_t ipv6[16];             // inner address, set before publish; all zero: none
	uint64_t packets, bytes;      // owner core: rw
	uint64_t dropped;             // owner core: rw
	uint64_t last_data;           // owner core: TSC of the last inner packet of the client
	bool live;                    // owner core: false from the retire command on
} __rte_cache_aligned;

// What sending touches.
struct tunnel_out {
	struct tunnel_keys *keys;     // owner core: sealing keys; NULL: none
	uint8_t channel;              // owner core: enum tunnel_channel
	uint16_t mtu;                 // set before publish
	uint32_t number;
	uint64_t udp_silence;         // TSC ticks without UDP after which CSTP takes over; set before publish
	uint64_t last_udp;            // owner core: TSC of the last authenticated record
	uint64_t packets, bytes;      // owner core: rw
	uint64_t dropped;             // owner core: rw
} __rte_cache_aligned;
