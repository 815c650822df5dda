// A peer that says anything that the table lets it say: well-formed messages whose values come out of a fuzzer's bytes, in any
// order. Included by fuzz targets that play the other side of a channel to real handlers.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/chan.h"

#define TALK_UNUSED __attribute__((unused))

struct talk {
	const uint8_t *at, *end;
	const char *const *words; // that some texts are, NULL at the end
};

static TALK_UNUSED uint8_t talk_byte(struct talk *t)
{
	return t->at < t->end ? *t->at++ : 0;
}

// Small ones and those at the upper edge in one byte, for they are the ones that mean something.
static TALK_UNUSED uint64_t talk_number(struct talk *t, uint64_t least, uint64_t most)
{
	const uint8_t b = talk_byte(t);
	uint64_t raw = 0;

	if (b < 0xc0)
		return b > most - least ? most : least + b;
	if (b < 0xe0)
		return b - 0xc0u > most - least ? least : most - (b - 0xc0u);
	for (int i = 0; i < 8; i++)
		raw = raw << 8 | talk_byte(t);
	return most - least == UINT64_MAX ? raw : least + raw % (most - least + 1);
}

static TALK_UNUSED void talk_text(struct talk *t, const struct msg_field *f, char *out)
{
	const uint8_t b = talk_byte(t);
	const char *word = "";
	size_t len = 0;

	for (unsigned i = 0; t->words && i < b && t->words[i]; i++)
		word = t->words[i];
	if (b < 0x80 && strlen(word) <= f->max)
		len = strlen(word);
	memcpy(out, word, len);
	if (b >= 0x80)
		for (size_t most = b & 0x7f; len < most && len < f->max; len++)
			out[len] = (char)(' ' + talk_byte(t) % 95);
	while (len < f->min)
		out[len++] = 'a';
	out[len] = '\0';
}

// The same byte again and again, so that two of them can be alike; or some of their own.
static TALK_UNUSED uint16_t talk_bytes(struct talk *t, const struct msg_field *f, uint8_t *out)
{
	const uint8_t b = talk_byte(t);
	const uint16_t len = (uint16_t)(f->min == f->max ? f->min : talk_number(t, f->min, f->max));

	memset(out, b >> 1, len);
	if (b & 1)
		for (uint16_t i = 0; i < len && t->at < t->end; i++)
			out[i] = talk_byte(t);
	return len;
}

static TALK_UNUSED void talk_addr(struct talk *t, const struct msg_field *f, struct addr *out)
{
	const uint8_t b = talk_byte(t);

	memset(out, 0, sizeof(*out));
	if ((b & 3) == 0 && f->min == 0)
		return;
	out->family = b & 1 ? 6 : 4;
	out->prefix = b & 1 ? 128 : 32;
	out->port = (uint16_t)(b & 4 ? 443 : 0);
	memcpy(out->ip, b & 1 ? (const uint8_t[]){ 0x20, 1, 0xd, 0xb8 } : (const uint8_t[]){ 10, 9, 0, 0 }, 4);
	out->ip[b & 1 ? 15 : 3] = b >> 3;
	if (b & 8)
		out->prefix = (uint8_t)(talk_byte(t) % (out->prefix + 1));
}

static TALK_UNUSED void talk_field(struct talk *t, const struct msg_field *f, uint8_t *msg)
{
	void *at = msg + f->offset;
	uint16_t len;

	switch (f->kind) {
	case MSG_KIND_U8:
		*(uint8_t *)at = (uint8_t)talk_number(t, f->min, f->max);
		break;
	case MSG_KIND_U16:
		*(uint16_t *)at = (uint16_t)talk_number(t, f->min, f->max);
		break;
	case MSG_KIND_U32:
		*(uint32_t *)at = (uint32_t)talk_number(t, f->min, f->max);
		break;
	case MSG_KIND_U64:
		*(uint64_t *)at = talk_number(t, f->min, f->max);
		break;
	case MSG_KIND_STR:
		talk_text(t, f, at);
		break;
	case MSG_KIND_BYTES:
		len = talk_bytes(t, f, at);
		memcpy(msg + f->len_offset, &len, sizeof(len));
		break;
	case MSG_KIND_ADDR:
		talk_addr(t, f, at);
		break;
	}
}

// One of the messages that one role may send to another: by its number, or the next one, so that inputs mean the same when there
// are more messages.
static TALK_UNUSED enum msg_number talk_message(struct talk *t, enum role from, enum role to, union msg_any *m)
{
	unsigned number = talk_byte(t);

	while (!msg_descs[number].name || msg_descs[number].from != from || msg_descs[number].to != to)
		number = (number + 1) % MSG_NUMBERS;
	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < msg_descs[number].n_fields; i++)
		talk_field(t, &msg_descs[number].fields()[i], (uint8_t *)m);
	return (enum msg_number)number;
}

// Of no use to who gets them.
static TALK_UNUSED void talk_descriptors(int fds[LIMIT_FDS], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fds[i] < 0)
			abort();
	}
}

// Say it. What could not be said (the other side has closed, or does not read) was not said.
static TALK_UNUSED bool talk_say(struct chan *c, enum msg_number number, const union msg_any *m)
{
	int fds[LIMIT_FDS], ret;

	talk_descriptors(fds, msg_descs[number].fds);
	ret = chan_send(c, number, m, fds);
	for (unsigned i = 0; i < msg_descs[number].fds; i++)
		close(fds[i]);
	if (ret == -EINVAL)
		abort(); // it is within its bounds
	return ret == 0;
}

static TALK_UNUSED int talk_forget(void *who, const void *m, const int *fds)
{
	return 0;
}

// Handlers that take all that there is and do nothing.
static TALK_UNUSED void talk_forget_all(chan_handler handlers[MSG_NUMBERS])
{
	for (int i = 0; i < MSG_NUMBERS; i++)
		handlers[i] = talk_forget;
}
