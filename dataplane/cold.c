#include "cold.h"

#include "counters.h"

void cold_dropped(struct tunnel_cold *cold, unsigned why, uint64_t now)
{
	struct cold_drop *place = cold->drops;

	cold->copies += why == COUNT_drop_replay;
	for (struct cold_drop *d = cold->drops; d < cold->drops + COLD_DROPS; d++) {
		if (d->at && d->why == why) {
			place = d;
			break;
		}
		if (d->at < place->at)
			place = d;
	}
	if (place->why != why || !place->at)
		*place = (struct cold_drop){ .why = (uint16_t)why };
	place->at = now;
	place->times++;
}
