#include "flight.h"

#include <stdio.h>

#include "inner.h"
#include "proto/addr.h"
#include "record.h"

static struct flight *find(struct flights *fs, uint32_t packet)
{
	for (unsigned i = 0; i < FLIGHTS; i++)
		if (fs->at[i].used && fs->at[i].packet == packet)
			return &fs->at[i];
	return NULL;
}

static struct flight *begin(struct flights *fs, const struct sighting *s, bool inward)
{
	struct flight *f = NULL;

	for (unsigned i = 0; i < FLIGHTS && !f; i++)
		f = fs->at[i].used ? NULL : &fs->at[i];
	if (!f)
		f = &fs->at[fs->next++ % FLIGHTS];
	f->used = true;
	f->inward = inward;
	f->packet = s->packet;
	f->at = s->at;
	f->core = s->core;
	f->n_stages = 0;
	f->path.family = 0;
	f->outer.len = f->outer.cut = f->inner.len = f->inner.cut = 0;
	return f;
}

// Buffers are used again: what enters anew is another packet.
static bool enters(const struct sighting *s)
{
	return s->stage == STAGE_LANE_IN || s->stage == STAGE_DTLS_IN || s->stage == STAGE_CSTP_OUT;
}

static bool is_inward(const struct sighting *s)
{
	switch (s->stage) {
	case STAGE_LANE_IN:
		return s->kind == PACKET_OPENED;
	case STAGE_CSTP_OUT:
	case STAGE_DTLS_OUT:
	case STAGE_TX_OUTER:
		return false;
	case STAGE_END:
		return s->kind != PACKET_INNER && s->kind != PACKET_CSTP;
	default:
		return true;
	}
}

static void keep(struct flight *f, const struct sighting *s)
{
	bool inside = s->stage == STAGE_INNER_IN || s->stage == STAGE_CSTP_OUT;
	struct flight_part *p = inside ? &f->inner : &f->outer;

	if (s->stage != STAGE_END && f->n_stages < FLIGHT_STAGES)
		f->stage[f->n_stages++] = s->stage;
	if (!s->cut)
		return;
	p->len = s->len;
	p->cut = s->cut;
	memcpy(p->data, s->data, s->cut);
	if (!inside)
		f->path = s->path;
}

static enum counter verdict(const struct sighting *s)
{
	switch (s->stage) {
	case STAGE_FORWARD:
		return COUNT_inner_forwarded;
	case STAGE_TX_INNER:
		return COUNT_inner_tx;
	case STAGE_TX_OUTER:
		return COUNT_outer_tx;
	case STAGE_END:
		return s->why;
	default:
		return COUNTERS;
	}
}

void flights_take(struct flights *fs, const struct sighting *s, flight_done done, void *who)
{
	struct flight *f = find(fs, s->packet);
	enum counter end = verdict(s);

	if (f && enters(s)) {
		f->used = false;
		f = NULL;
	}
	if (f && f->inward && s->stage == STAGE_DTLS_OUT) { // the answer to a DPD request, in its buffer
		f->used = false;
		done(who, f, COUNT_dtls_dpd_answered);
		f = NULL;
	}
	if (!f)
		f = begin(fs, s, is_inward(s));
	keep(f, s);
	if (end == COUNTERS)
		return;
	f->used = false;
	done(who, f, end);
}

const char *flight_stages(const struct flight *f, char out[FLIGHT_TEXT])
{
	static const char *const names[STAGES] = {
		[STAGE_LANE_IN] = "lane_in",   [STAGE_DTLS_IN] = "dtls_in",   [STAGE_INNER_IN] = "inner_in",
		[STAGE_FORWARD] = "forward",   [STAGE_TX_INNER] = "tx_inner", [STAGE_CSTP_OUT] = "cstp_out",
		[STAGE_DTLS_OUT] = "dtls_out", [STAGE_TX_OUTER] = "tx_outer",
	};
	int used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < f->n_stages && used < FLIGHT_TEXT; i++)
		used += snprintf(out + used, FLIGHT_TEXT - (size_t)used, "%s%s", i ? " > " : "", names[f->stage[i]]);
	return out;
}

const char *flight_outer(const struct flight *f, char out[FLIGHT_TEXT])
{
	struct record r;

	out[0] = '\0';
	if (f->outer.cut && record_parse(f->outer.data, f->outer.cut, &r))
		snprintf(out, FLIGHT_TEXT, "%s epoch %u record %llu, %u bytes",
		         r.type == CONTENT_DATA    ? "data"
		         : r.type == CONTENT_ALERT ? "alert"
		                                   : "handshake",
		         r.epoch, (unsigned long long)r.sequence, f->outer.len);
	else if (f->outer.len)
		snprintf(out, FLIGHT_TEXT, "%u bytes", f->outer.len);
	return out;
}

static const char *protocol_name(uint8_t protocol, char number[8])
{
	switch (protocol) {
	case PROTOCOL_ICMP:
		return "ICMP";
	case PROTOCOL_ICMPV6:
		return "ICMPv6";
	case PROTOCOL_UDP:
		return "UDP";
	case 6:
		return "TCP";
	default:
		snprintf(number, 8, "%u", protocol);
		return number;
	}
}

const char *flight_inner(const struct flight *f, char out[FLIGHT_TEXT])
{
	char from[ADDR_TEXT], to[ADDR_TEXT], number[8];
	const uint8_t *ip = f->inner.data;
	struct addr a = { 0 }, b = { 0 };
	struct inner_ip parsed;
	size_t len;

	out[0] = '\0';
	if (!f->inner.len)
		return out;
	// only the header is looked at: the packet may have been cut
	if (f->inner.cut < f->inner.len || !inner_ip_parse(ip, f->inner.cut, &parsed)) {
		snprintf(out, FLIGHT_TEXT, "%u bytes", f->inner.len);
		return out;
	}
	len = parsed.family == 4 ? 4 : 16;
	a.family = b.family = parsed.family;
	a.prefix = b.prefix = (uint8_t)(8 * len);
	memcpy(a.ip, parsed.from, len);
	memcpy(b.ip, parsed.to, len);
	snprintf(out, FLIGHT_TEXT, "%.40s > %.40s %s", addr_text(&a, from), addr_text(&b, to),
	         protocol_name(parsed.family == 4 ? ip[9] : ip[6], number));
	return out;
}
