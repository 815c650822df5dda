// What people ask about a tunnel and packets do not: counted where something out of the ordinary happens. The owner core writes,
// the control thread reads what it finds.
#pragma once
#include <assert.h>
#include <stdint.h>

#include <rte_common.h>

// The reasons for which packets of a tunnel were dropped last.
#define COLD_DROPS 4

struct cold_drop {
	uint64_t at;    // TSC of the last one; 0: the place is free
	uint32_t times; // since the reason has its place here
	uint16_t why;   // enum counter
};

struct tunnel_cold {
	int64_t lost;                       // records that the replay window has left behind unseen
	uint64_t copies;                    // records that had been there before, or came too late to know
	uint64_t cstp_in, cstp_in_bytes;    // of tunnel_in's packets and bytes, those that came over CSTP
	uint64_t cstp_out, cstp_out_bytes;  // of tunnel_out's, those that went to the lane
	struct cold_drop drops[COLD_DROPS]; // in no order
} __rte_cache_aligned;
static_assert(sizeof(struct tunnel_cold) == 2 * RTE_CACHE_LINE_SIZE, "two lines a tunnel");

// One packet more was dropped for this reason; the one that was the longest ago makes room.
void cold_dropped(struct tunnel_cold *cold, unsigned why, uint64_t now);
