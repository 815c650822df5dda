// Somebody whom an attack is none of: a worker whose client pings through its lane, a hundred times a second, in a thread of its
// own, and answers main when it is asked. How long the slowest answer took, and how many never came.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "ping.h"
#include "proto/chan.h"

#define BYSTANDER_EVERY_US 10000
#define BYSTANDER_PATIENCE_US 2000000 // then a ping is lost
#define BYSTANDER_LEAST 5
#define BYSTANDER_RING 1024
#define BYSTANDER_ID 0x6279

static struct bystander {
	pthread_t thread;
	int lane;
	struct chan *main; // NULL: nobody asks
	const chan_handler *from_main;
	uint8_t from[4], to[4];
	_Atomic bool runs;
	pthread_mutex_t lock;
	uint64_t sent_us[BYSTANDER_RING]; // 0: answered
	uint32_t next, first;             // sequence numbers: the next, and the first of this look
	uint64_t worst_us;
} bystander = { .lane = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static PROBE_UNUSED uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void bystander_ping(struct bystander *b)
{
	uint8_t packet[PING_SIZE];

	pthread_mutex_lock(&b->lock);
	ping_make_numbered(packet, b->from, b->to, BYSTANDER_ID, (uint16_t)b->next);
	b->sent_us[b->next++ % BYSTANDER_RING] = now_us();
	pthread_mutex_unlock(&b->lock);
	send(b->lane, packet, PING_SIZE, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// An answer, by the low half of its number: of the last of which that is true.
static void bystander_answered(struct bystander *b, uint16_t low)
{
	uint32_t number = b->next - (uint16_t)(b->next - low);
	uint64_t took, *sent = &b->sent_us[number % BYSTANDER_RING];

	if (b->next - number >= BYSTANDER_RING || !*sent)
		return;
	took = now_us() - *sent;
	*sent = 0;
	if (number >= b->first && took > b->worst_us)
		b->worst_us = took;
}

static void bystander_hear(struct bystander *b)
{
	uint8_t buf[LIMIT_MESSAGE];
	ssize_t n;

	while ((n = recv(b->lane, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		if (n != PING_SIZE || buf[9] != IPPROTO_ICMP || buf[20] != 0 || (buf[24] << 8 | buf[25]) != BYSTANDER_ID)
			continue;
		pthread_mutex_lock(&b->lock);
		bystander_answered(b, (uint16_t)(buf[26] << 8 | buf[27]));
		pthread_mutex_unlock(&b->lock);
	}
}

static void *bystander_run(void *arg)
{
	struct bystander *b = arg;
	struct pollfd p[2] = { { .fd = b->lane, .events = POLLIN }, { .fd = b->main ? b->main->fd : -1, .events = POLLIN } };
	uint64_t due = now_us(), now;

	while (b->runs) {
		now = now_us();
		if (now >= due) {
			bystander_ping(b);
			due = due + BYSTANDER_EVERY_US > now ? due + BYSTANDER_EVERY_US : now + BYSTANDER_EVERY_US;
		}
		now = now_us();
		poll(p, 2, now < due ? (int)((due - now) / 1000) + 1 : 0);
		bystander_hear(b);
		if (p[1].revents && chan_serve(b->main, b->from_main, b, 16) <= 0)
			p[1].fd = -1;
	}
	return NULL;
}

static PROBE_UNUSED int bystander_start(int lane, const uint8_t from[4], const uint8_t to[4], struct chan *main,
                                        const chan_handler *from_main)
{
	bystander.lane = lane;
	bystander.main = main;
	bystander.from_main = from_main;
	memcpy(bystander.from, from, 4);
	memcpy(bystander.to, to, 4);
	bystander.runs = true;
	return pthread_create(&bystander.thread, NULL, bystander_run, &bystander) == 0 ? 0 : -1;
}

static PROBE_UNUSED void bystander_stop(void)
{
	if (!bystander.runs)
		return;
	bystander.runs = false;
	pthread_join(bystander.thread, NULL);
}

// Only what is sent from now on counts.
static PROBE_UNUSED void bystander_begin(void)
{
	pthread_mutex_lock(&bystander.lock);
	bystander.first = bystander.next;
	bystander.worst_us = 0;
	pthread_mutex_unlock(&bystander.lock);
}

// So many were sent until now, and so many of them have had no answer.
static PROBE_UNUSED uint32_t bystander_end(uint32_t *sent)
{
	uint64_t until = now_us() + BYSTANDER_PATIENCE_US;
	uint32_t last, lost;

	usleep(BYSTANDER_LEAST * BYSTANDER_EVERY_US); // or there were attacks between two of them
	pthread_mutex_lock(&bystander.lock);
	last = bystander.next;
	*sent = last - bystander.first;
	pthread_mutex_unlock(&bystander.lock);
	do {
		usleep(2000);
		lost = 0;
		pthread_mutex_lock(&bystander.lock);
		for (uint32_t n = bystander.first; n < last; n++)
			lost += last - n < BYSTANDER_RING ? bystander.sent_us[n % BYSTANDER_RING] != 0 : 0;
		pthread_mutex_unlock(&bystander.lock);
	} while (lost > 0 && now_us() < until);
	return lost;
}
