// A client's life: it logs in or comes back by its cookie, stays, and comes back whenever it is cut off.
#include "swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#define PATIENCE 60.0 // for an attempt to connect
#define RETRY_FIRST 0.5
#define RETRY_MAX 10.0
#define FAILURES_TOLD 10

static const char *const stages[STAGES] = { "down", "connecting", "TLS", "init", "user", "password", "CONNECT", "up" };

static void end(struct client *c, bool hard)
{
	dtls_end(c);
	tls_end(c, hard);
	free(c->talk);
	free(c->unsent);
	c->talk = NULL;
	c->unsent = NULL;
	c->stage = STAGE_DOWN;
}

void client_begin(struct client *c)
{
	c->began = now;
	c->talk = calloc(1, sizeof(*c->talk));
	if (!c->talk)
		abort();
	c->stage = STAGE_TCP;
	c->asked_back = c->cookie[0] != 0;
	if (tls_tcp_begin(c) < 0)
		client_fail(c);
}

void client_break(struct client *c, bool hard)
{
	end(c, hard);
	c->retry_at = now;
}

void client_goodbye(struct client *c)
{
	const uint8_t by_the_user = 0xb0;

	counts.goodbyes += c->stage == STAGE_UP;
	tunnel_send_cstp(c, DISCONNECT, &by_the_user, 1);
	end(c, false);
	c->cookie[0] = 0;
	c->wanted = false;
}

void client_lose(struct client *c)
{
	counts.broken++;
	client_break(c, false);
}

// Most retries meet a gateway that has just been started anew: they spread.
static double pause_after(unsigned tries)
{
	double pause = RETRY_FIRST * (double)(1u << (tries < 5 ? tries : 5));

	return (pause < RETRY_MAX ? pause : RETRY_MAX) * (0.5 + churn_random(1000) / 1000.0);
}

void client_fail(struct client *c)
{
	static unsigned told;
	unsigned status = http_status(c);
	unsigned long why = ERR_peek_last_error();

	if (c->impostor && c->stage == STAGE_PASSWORD && status != 0) {
		counts.refused++;
		c->impostor = c->wanted = false;
		end(c, false);
		return;
	}
	if (told++ < FAILURES_TOLD)
		fprintf(stderr, "client %td failed after %.2f s: %s: %s, status %u\n", c - swarm, now - c->began, stages[c->stage],
		        why ? ERR_reason_error_string(why) : "", status);
	if (c->stage == STAGE_TUNNEL && c->asked_back && status >= 400 && status < 500) {
		counts.lost++;
		c->cookie[0] = 0;
	}
	counts.failed[c->stage]++;
	end(c, false);
	c->retry_at = now + pause_after(c->tries++);
}

// ---------------------------------------------------------------------------------------------------------------- steps

static void come_up(struct client *c)
{
	if (c->asked_back)
		counts.returns++;
	free(c->talk);
	c->talk = NULL;
	c->tries = 0;
	c->stage = STAGE_UP;
	if (!wish.no_dtls && !c->silent)
		dtls_begin(c);
}

static int after_password(struct client *c)
{
	if (http_take_cookie(c) < 0)
		return -1;
	counts.logins++;
	counts.let_in += c->impostor;
	c->impostor = false;
	c->stage = STAGE_TUNNEL;
	http_ask_tunnel(c);
	return 1;
}

static int go_on(struct client *c)
{
	switch (c->stage) {
	case STAGE_TLS:
		if (c->asked_back) {
			c->stage = STAGE_TUNNEL;
			http_ask_tunnel(c);
			return 1;
		}
		http_ask_init(c);
		break;
	case STAGE_INIT:
		http_ask_login(c, "username", wish.user);
		break;
	case STAGE_USER:
		http_ask_login(c, "password", c->impostor ? "no-such-password" : wish.password);
		break;
	case STAGE_PASSWORD:
		return after_password(c);
	case STAGE_TUNNEL:
		if (http_take_tunnel(c) < 0)
			return -1;
		come_up(c);
		return 1;
	default:
		break;
	}
	c->stage++;
	return 1;
}

static int work(struct client *c)
{
	switch (c->stage) {
	case STAGE_TCP:
		return tls_tcp_step(c);
	case STAGE_TLS:
		return tls_step(c);
	default:
		return http_exchange(c);
	}
}

void client_step(struct client *c)
{
	int ret = 1;

	while (ret > 0 && c->stage > STAGE_DOWN && c->stage < STAGE_UP) {
		ERR_clear_error();
		ret = work(c);
		if (ret > 0)
			ret = go_on(c);
	}
	if (ret < 0)
		client_fail(c);
	else if (c->stage == STAGE_UP && tunnel_read_cstp(c) < 0)
		client_lose(c);
}

void client_tick(struct client *c)
{
	if (c->stage == STAGE_UP) {
		dtls_tick(c);
		return;
	}
	if (c->stage != STAGE_DOWN && now - c->began > PATIENCE)
		client_fail(c);
}

bool client_settled(const struct client *c)
{
	if (!c->wanted)
		return c->stage == STAGE_DOWN;
	return c->stage == STAGE_UP && (wish.no_dtls || c->silent || c->channel == CHANNEL_UP);
}
