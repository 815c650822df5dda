// Packets that a receiver has to refuse, made from the message table: the same list is thrown at chan.c itself (proto_ladder) and
// at the running programs (secmod_worker, main_worker, dataplane_lane).
#pragma once
#include <stdbool.h>

#include "craft.h"
#include "probe.h"

struct attack {
	char name[80];
	struct craft packet;
	int fds;
};

typedef void (*attack_fn)(void *arg, const struct attack *a);

static CRAFT_UNUSED void attack_well_formed(struct attack *a, int number, int high)
{
	a->packet.len = (size_t)craft_packet(number, a->packet.buf, LIMIT_MESSAGE, high);
	a->fds = msg_descs[number].fds;
}

static CRAFT_UNUSED bool attack_is_allowed(int number, enum role from, enum role to, uint32_t state)
{
	const struct msg_desc *d = &msg_descs[number];

	return d->name && d->from == from && d->to == to && (d->states & state);
}

// Each message that may be sent this way, with the first of these receiver's states that allows it: a new message of the table is
// attacked without a word more here, and one that no state is brought up for fails.
static CRAFT_UNUSED void attacks_from_table(enum role from, enum role to, const uint32_t *states, size_t n_states,
                                            void (*f)(void *who, int number, size_t state), void *who)
{
	size_t i;
	int n;

	for (n = 1; n < MSG_NUMBERS; n++) {
		if (!msg_descs[n].name || msg_descs[n].from != from || msg_descs[n].to != to)
			continue;
		for (i = 0; i < n_states && !(msg_descs[n].states & states[i]); i++)
			;
		if (i == n_states)
			fail_msg("%s: this test brings no channel into a state for it", msg_descs[n].name);
		f(who, n, i);
	}
}

// ---------------------------------------------------------------------------------------------------------------- families

// Every message that this channel does not carry, or not in this state; and numbers that nobody has.
static CRAFT_UNUSED void attacks_out_of_place(enum role from, enum role to, uint32_t state, attack_fn f, void *arg)
{
	static struct attack a;
	int n;

	for (n = 0; n < MSG_NUMBERS; n++) {
		if (attack_is_allowed(n, from, to, state))
			continue;
		if (msg_descs[n].name) {
			attack_well_formed(&a, n, n & 1);
			snprintf(a.name, sizeof(a.name), "%s out of place", msg_descs[n].name);
		} else {
			a.packet.len = 0;
			a.fds = 0;
			craft_array(&a.packet, 1);
			craft_number(&a.packet, (uint64_t)n);
			snprintf(a.name, sizeof(a.name), "unknown number %d", n);
		}
		f(arg, &a);
	}
}

// What is no message at all.
static CRAFT_UNUSED void attacks_without_head(attack_fn f, void *arg)
{
	static struct attack a;
	unsigned i;
	size_t h;

	a.fds = 0;
	for (h = 0; h < CRAFT_HOSTILES; h++) {
		snprintf(a.name, sizeof(a.name), "%s as the packet", craft_hostiles[h].name);
		a.packet.len = 0;
		craft_raw(&a.packet, craft_hostiles[h].bytes, craft_hostiles[h].len);
		f(arg, &a);
		snprintf(a.name, sizeof(a.name), "%s as the number", craft_hostiles[h].name);
		a.packet.len = 0;
		craft_array(&a.packet, 2);
		craft_raw(&a.packet, craft_hostiles[h].bytes, craft_hostiles[h].len);
		f(arg, &a);
	}
	for (i = 0; i < 256; i++) {
		snprintf(a.name, sizeof(a.name), "one byte %02x", i);
		a.packet.len = 0;
		craft_byte(&a.packet, i);
		f(arg, &a);
		// A lane takes what starts with an IP version for a packet; with 20 bytes of zeros behind it that is nobody's.
		snprintf(a.name, sizeof(a.name), "full packet of %02x", i);
		a.packet.len = LIMIT_MESSAGE;
		memset(a.packet.buf, (int)i, LIMIT_MESSAGE);
		f(arg, &a);
	}
}

static CRAFT_UNUSED void attacks_by_fds(int number, attack_fn f, void *arg)
{
	static const int counts[] = { 0, 1, 2, 3, 4, 5, 64, PROBE_FDS_MAX };
	static struct attack a;
	size_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i] == msg_descs[number].fds)
			continue;
		attack_well_formed(&a, number, 0);
		a.fds = counts[i];
		snprintf(a.name, sizeof(a.name), "%s with %d fds", msg_descs[number].name, counts[i]);
		f(arg, &a);
	}
}

// Cut at every `step`th byte (0: some twenty of them), with more behind it, and longer than any message.
static CRAFT_UNUSED void attacks_by_length(int number, size_t step, attack_fn f, void *arg)
{
	static const size_t extra[] = { 1, 2, 9, 1000, LIMIT_MESSAGE };
	static struct attack a;
	size_t full, i;
	int high;

	for (high = 0; high <= 1; high++) {
		attack_well_formed(&a, number, high);
		full = a.packet.len;
		for (i = 1; i < full; i += step ? step : full / 20 + 1) {
			snprintf(a.name, sizeof(a.name), "%s cut at %zu of %zu", msg_descs[number].name, i, full);
			a.packet.len = i;
			f(arg, &a);
		}
		for (i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
			snprintf(a.name, sizeof(a.name), "%s with %zu bytes more", msg_descs[number].name, extra[i]);
			memset(a.packet.buf + full, 0, extra[i]);
			a.packet.len = full + extra[i];
			f(arg, &a);
		}
	}
}

// What no text may hold: what ends or forges a line, steers a terminal or turns what follows around, and what is no UTF-8.
static const struct {
	const char *name;
	uint8_t bytes[4];
	size_t len;
} attack_texts[] CRAFT_UNUSED = {
	{ "NUL", { 0 }, 1 },
	{ "a line feed", { '\n' }, 1 },
	{ "an escape", { 0x1b }, 1 },
	{ "DEL", { 0x7f }, 1 },
	{ "a C1 control", { 0xc2, 0x9b }, 2 },
	{ "an override of direction", { 0xe2, 0x80, 0xae }, 3 },
	{ "a byte that is no UTF-8", { 0xff }, 1 },
	{ "an overlong /", { 0xc0, 0xaf }, 2 },
	{ "half a surrogate", { 0xed, 0xa0, 0x80 }, 3 },
	{ "half a character", { 0xe2, 0x82 }, 2 },
};

// Addresses that are none.
static const uint8_t attack_addresses[][ADDR_WIRE] CRAFT_UNUSED = {
	{ 5, 32, 0, 0, 192, 0, 2, 1 },
	{ 4, 33, 0, 0, 192, 0, 2, 1 },
	{ 4, 32, 0, 0, 192, 0, 2, 1, 1 },
	{ 6, 129, 0, 0, 0x20, 1 },
	{ 0, 1 },
	{ 255, 255, 255, 255, 255 },
};

static CRAFT_UNUSED void attacks_by_text(int number, unsigned i, attack_fn f, void *arg)
{
	const struct msg_field *field = &msg_descs[number].fields()[i];
	static struct craft value;
	static struct attack a;
	size_t k, len;

	a.fds = msg_descs[number].fds;
	for (k = 0; k < sizeof(attack_texts) / sizeof(attack_texts[0]); k++) {
		len = field->min > attack_texts[k].len ? (size_t)field->min : attack_texts[k].len;
		if (len > field->max)
			continue;
		value.len = 0;
		craft_run(&value, 0xda, 'a', len);
		memcpy(value.buf + value.len - attack_texts[k].len, attack_texts[k].bytes, attack_texts[k].len);
		snprintf(a.name, sizeof(a.name), "%s.%s with %s", msg_descs[number].name, field->name, attack_texts[k].name);
		craft_replaced(&a.packet, number, i, value.buf, value.len);
		f(arg, &a);
	}
}

static CRAFT_UNUSED void attacks_by_address(int number, unsigned i, attack_fn f, void *arg)
{
	static struct craft value;
	static struct attack a;
	size_t k;

	a.fds = msg_descs[number].fds;
	for (k = 0; k < sizeof(attack_addresses) / sizeof(attack_addresses[0]); k++) {
		value.len = 0;
		craft_run(&value, 0xc5, 0, ADDR_WIRE);
		memcpy(value.buf + value.len - ADDR_WIRE, attack_addresses[k], ADDR_WIRE);
		snprintf(a.name, sizeof(a.name), "%s.%s is no address (%zu)", msg_descs[number].name,
		         msg_descs[number].fields()[i].name, k);
		craft_replaced(&a.packet, number, i, value.buf, value.len);
		f(arg, &a);
	}
}

// One field at a time: each hostile header, the wrong kind, just out of bounds, and what is not what it says.
static CRAFT_UNUSED void attacks_by_field(int number, attack_fn f, void *arg)
{
	const struct msg_desc *d = &msg_descs[number];
	static struct craft value;
	static struct attack a;
	unsigned i, kind;
	size_t h;

	a.fds = d->fds;
	for (i = 0; i < d->n_fields; i++) {
		const struct msg_field *field = &d->fields()[i];
		bool is_run = field->kind == MSG_KIND_STR || field->kind == MSG_KIND_BYTES;

		for (h = 0; h < CRAFT_HOSTILES; h++) {
			snprintf(a.name, sizeof(a.name), "%s.%s is %s", d->name, field->name, craft_hostiles[h].name);
			craft_replaced(&a.packet, number, i, craft_hostiles[h].bytes, craft_hostiles[h].len);
			f(arg, &a);
		}
		for (kind = 0; kind < 3; kind++) { // a number, a string, bytes: what the field is not, or too much of what it is
			value.len = 0;
			if (kind == 0 && !is_run && (field->kind == MSG_KIND_ADDR || field->max < UINT64_MAX))
				craft_number(&value, field->max + 1);
			else if (kind == 0 && is_run)
				craft_number(&value, field->min);
			else if (kind > 0)
				craft_run(&value, kind == 1 ? 0xda : 0xc5, 'a', is_run ? (size_t)field->max + 1 : 21);
			else
				continue;
			snprintf(a.name, sizeof(a.name), "%s.%s out of kind or bounds (%u)", d->name, field->name, kind);
			craft_replaced(&a.packet, number, i, value.buf, value.len);
			f(arg, &a);
		}
		if (field->kind == MSG_KIND_STR)
			attacks_by_text(number, i, f, arg);
		else if (field->kind == MSG_KIND_ADDR)
			attacks_by_address(number, i, f, arg);
	}
}
