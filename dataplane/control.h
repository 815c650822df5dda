// The control thread: main's channel, the lanes, the life of tunnels. One thread owns everything here; poll cores see of it only
// what it publishes in the tables and posts in the rings.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "draft.h"
#include "handshake.h"
#include "eal.h"
#include "farewell.h"
#include "inventory.h"
#include "lcore.h"
#include "mailbox.h"
#include "mirror.h"
#include "policy.h"
#include "peers.h"
#include "port.h"
#include "telemetry.h"
#include "proto/chan.h"
#include "proto/dpd.h"

// Rings between the planes: about a full lane's worth each way.
#define RING_PACKETS 2048
#define RING_COMMANDS 1024
// Key installations on their way to the core.
#define INSTALLS_MAX 256
#define LANE_BURST 32

enum tunnel_phase {
	TUNNEL_FREE,
	TUNNEL_UP,
	TUNNEL_LEAVING,  // unlinked; the retire command is to be posted
	TUNNEL_RETIRING, // posted; the core has not done it yet
	TUNNEL_DRAINING, // what is on its way to a core with this number, from us or from another core
	TUNNEL_BURYING,  // a grace period
	TUNNEL_FLUSHING, // what we have still to take from the cores with this number
};

// The control thread's part of a tunnel.
struct tunnel {
	uint32_t number;
	uint8_t phase;   // enum tunnel_phase
	uint8_t channel; // enum tunnel_channel, as the core told
	uint8_t why;     // enum channel_why
	uint8_t owner;   // index of the core that has it
	bool untold;     // main does not know the channel, cipher or path yet
	bool commanded;  // `command` is on its way: a core has not been seen to have done it
	bool deny_roaming;
	struct chan lane; // fd -1: the worker has gone
	struct addr ipv4, ipv6;
	struct addr *networks; // behind it
	unsigned n_networks;
	struct addr relay; // its records are the worker's, to and from that address; family 0: they are ours
	uint64_t heard;    // TSC of the last of them
	uint8_t app_id[APP_ID_SIZE];
	struct handshakes handshakes;
	struct farewell *farewell;    // for a client with keys of a dataplane that has died; NULL: none
	struct bucket handshake_rate; // what strangers can make its worker look at
	uint64_t datagrams;           // that it was given
	uint64_t added, told;         // TSC
	uint64_t reported;            // packets, both ways and dropped, of the last TUNNEL_COUNTERS
	uint64_t lost, lost_bytes;    // of those that its core counted as sent, here on their way to the lane
	struct dpd dpd;               // over UDP, in TSC ticks
	uint64_t rekey;               // keys are too old after so many ticks; 0: never
	uint64_t keyed, ended;        // TSC: when those in force were confirmed, and when we last ended them; 0: not
	uint32_t keyed_for;           // their handshake
	uint64_t idle;                // main is told after so many ticks without activity; 0: never
	struct command command;       // for its core, one at a time
	uint64_t mark;                // epoch or turn that has to be over
	uint32_t place;               // in control.active
};

// Key sets that are in nobody's use.
struct key_pool {
	struct tunnel_keys *sets;
	uint32_t *free;
	uint32_t n, n_free;
	uint32_t touched; // sets that were ever taken: the lowest so many
};

// Two rounds of every core: whatever lay in a core's rings at its beginning has been served at its end.
struct epoch {
	uint64_t done;              // how many are over; one is always under way
	uint64_t rounds[CORES_MAX]; // of each core when it began
};

// What a core was like a second ago.
struct sample {
	uint64_t busy;
	uint16_t busy_now; // thousandths
};

struct control {
	struct dataplane dp;
	struct tables tables;
	struct networks networks;
	struct draft draft; // of the next tunnel
	struct policies policies;
	struct ports ports;
	struct chan main;
	int epoll;
	int links;            // tells of interfaces that go up or down
	struct mirror mirror; // where the inner port is a NIC
	struct path_book paths;
	struct peers peers;             // by the paths in force
	struct bucket strays, searches; // what is done about records from unknown addresses
	uint32_t search_at;             // index in active
	struct tunnel *tunnels;         // [dp.tunnels_max]
	uint32_t *active, n_active;     // numbers in use, in no order
	uint32_t *leaving, n_leaving;   // those of them on their way out
	struct inventory inventory;
	struct key_pool keys;
	struct command installs[INSTALLS_MAX]; // ring
	unsigned installs_first, installs_n;
	struct lane_io *lane_io;
	struct watcher *watcher;
	struct telemetry telemetry;
	struct wake wake;      // a core calls this thread
	struct counters count; // of this thread
	uint64_t now;          // TSC at the start of this turn
	uint64_t moved;        // when something last moved in a lane
	uint32_t sweep_at;     // index in active: up to here the sweep that is under way has come
	uint64_t sweep_began;
	uint32_t owned[CORES_MAX];           // tunnels of each core
	uint32_t on_dtls;                    // tunnels whose packets go over DTLS
	uint32_t to_control_most[CORES_MAX]; // of each core's ring to us: the most that ever waited
	struct epoch epoch;
	uint64_t emptied; // turns in which every core's ring to us was emptied
	uint64_t sample_at;
	struct sample sample[CORES_MAX];
	struct latency latency_told; // all cores together, when main was last told
	uint64_t latency_next;       // TSC: when it is due again
	bool stop;
	const char *memory; // which memory and why
	int status;         // how the process is to end
};

// control.c. Pools, tables and rings (after EAL and ports); 0 or -errno with `why`.
size_t control_budget(uint32_t tunnels_max, unsigned cores);
int control_init(struct control *c, uint32_t tunnels_max, uint16_t udp_port, const struct cpu_list *cpus, char *why);
void control_wipe(struct control *c);
int control_run(struct control *c);                   // until main closes its channel; the exit status
int control_turn(struct control *c, int64_t wait_ns); // one turn of it; how much moved
// To main, waiting for it if need be; a main that does not read for seconds is as good as gone.
void main_send(struct control *c, enum msg_number number, const void *msg);
bool main_offer(struct control *c, enum msg_number number, const void *msg); // if it has room
#define MAIN_SEND(c, NAME, ...) main_send((c), MSG_##NAME, (__VA_ARGS__))

// tunnel.c
struct tunnel_keys *key_pool_take(struct key_pool *p); // NULL: none left
void key_pool_give(void *pool, void *keys);            // wipes; as limbo_put() wants it
int tunnel_add(struct control *c, const struct msg_tunnel_add *m, int lane, char *why);
int tunnel_change(struct control *c, const struct msg_tunnel_change *m, char *why);
void tunnel_del(struct control *c, uint32_t number);
struct tunnel *tunnel_of(struct control *c, uint32_t number); // NULL: not up
// To another core, where it is not there already. Waits for a moment; -EBUSY: it moves or leaves already; -EAGAIN.
int tunnel_move(struct control *c, struct tunnel *t, unsigned core);
int tunnel_install(struct control *c, struct tunnel *t, struct tunnel_keys *k);
void tunnel_on_event(struct control *c, const struct packet *p);
void tunnel_relays(struct control *c, struct tunnel *t, const struct msg_dtls_channel *m); // where records are the worker's
// Its packets go over CSTP until UDP is heard again, unless it has been since `heard`. As tunnel_move(), but does not wait.
int tunnel_give_up_udp(struct control *c, struct tunnel *t, uint64_t heard);
void tunnel_forget_past(struct control *c, struct tunnel *t); // the keys before those in force; not now: the sweep comes again
// TUNNEL_COUNTERS and TUNNEL_STATE. false: main has no room now.
bool tunnel_tell_counters(struct control *c, const struct tunnel *t);
bool tunnel_tell_state(struct control *c, struct tunnel *t);
unsigned tunnel_turn(struct control *c); // installs, leaving tunnels, limbo
bool tunnel_path_yields(void *control, uint32_t owner, const struct path *p);

// sweep.c: every tunnel is looked at once a second, a few in each turn; more slowly where there are very many.
void sweep_turn(struct control *c);
int64_t sweep_wait_ns(const struct control *c); // until it has something to do
// When a tunnel was last active; `added` for one that never was.
uint64_t sweep_active(const struct control *c, const struct tunnel *t);

// cores.c: the poll cores and what leads to them.
int cores_init(struct control *c, const struct cpu_list *cpus);
void cores_wake(struct control *c);
// The core that a tunnel should be on whose records come through `core` on that port: that one, if the port spreads flows over the
// cores; else the one that has fewest. port PORTS_MAX: they come nowhere yet.
unsigned cores_choose(const struct control *c, uint8_t port, unsigned core);
void epoch_turn(struct control *c);
static inline uint64_t epoch_next(const struct control *c) // over when all that happens now has been seen
{
	return c->epoch.done + 2;
}

// lane.c: a record from a path that is not the tunnel's yet, to a worker whose records they are. False: no room for one.
bool lane_stray(struct control *c, struct tunnel *t, struct rte_mbuf *m);
int lane_init(struct control *c);
int lane_open(struct control *c, struct tunnel *t, int fd);
void lane_close(struct control *c, struct tunnel *t);
unsigned lane_read(struct control *c, struct tunnel *t);
unsigned lane_turn(struct control *c); // what the cores have for lanes
// To be sealed and sent, under that handshake's keys.
void lane_seal(struct control *c, struct tunnel *t, uint32_t handshake, uint8_t type, const void *plain, size_t len);
// As it is, by that path.
void lane_datagram(struct control *c, struct tunnel *t, const struct path *to, const void *datagram, size_t len);
bool lane_congested(const struct control *c, const struct tunnel *t);
