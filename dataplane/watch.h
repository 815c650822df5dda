// An operator looks at the packets of one tunnel (capture, trace). Between stages the loop shows what each of them is given; what
// becomes of a packet is shown where it ends. Poll cores write sightings into a queue of their own, the control thread reads them.
// When nobody looks, all this is one test a burst.
#pragma once
#include <stdint.h>

#include "lcore.h"
#include "proto/limits.h"

// Sightings that wait in a core's queue; what finds no room is lost, and counted.
#define WATCH_ROOM 512

enum watch_stage {
	STAGE_LANE_IN,
	STAGE_DTLS_IN,
	STAGE_INNER_IN,
	STAGE_FORWARD,
	STAGE_TX_INNER,
	STAGE_CSTP_OUT,
	STAGE_DTLS_OUT,
	STAGE_TX_OUTER,
	STAGE_END, // not a stage: the packet's way is over
	STAGES
};

struct sighting {
	uint64_t at;     // TSC
	uint32_t serial; // of the watch
	uint32_t packet; // the same as long as it is the same packet
	uint8_t place, stage, core;
	uint8_t kind;         // enum packet_kind
	uint16_t why;         // STAGE_END: the counter
	uint16_t len, cut;    // of what is told of the packet, and how much of it is in data
	struct path_key path; // where it came from or goes to, outside; family 0: not told
	uint8_t data[LIMIT_SNAP];
};

struct watch_queue {
	uint32_t written, lost;            // core: rw
	uint32_t read __rte_cache_aligned; // control: rw
	struct sighting at[WATCH_ROOM];
};

// Ordinary memory, taken as far as it is used. NULL: none.
struct watch_queue *watch_queue_new(void);
// Control thread: the oldest that has not been read; NULL: none. It stays valid until watch_read().
const struct sighting *watch_peek(const struct watch_queue *q);
void watch_read(struct watch_queue *q);

void watch_burst(struct lcore *lc, enum watch_stage stage, struct rte_mbuf **pkts, unsigned n);
void watch_end(struct lcore *lc, enum counter why, struct rte_mbuf *m);
// All these are about to enter that stage.
static inline void watch(struct lcore *lc, enum watch_stage stage, struct rte_mbuf **pkts, unsigned n)
{
	if (unlikely(__atomic_load_n(&lc->dp->watched, __ATOMIC_RELAXED)))
		watch_burst(lc, stage, pkts, n);
}
// The packet of a known tunnel ends here, as that counter says.
static inline void watch_over(struct lcore *lc, enum counter why, struct rte_mbuf *m)
{
	if (unlikely(__atomic_load_n(&lc->dp->watched, __ATOMIC_RELAXED)))
		watch_end(lc, why, m);
}
