#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "secmod/secmod.h"

// Main that lets so much lie is stuck or gone: what then is lost is a log line or the return of an address.
#define OUT_MAX 65536

struct out_message {
	STAILQ_ENTRY(out_message) next;
	enum msg_number number;
	_Alignas(uint64_t) uint8_t msg[];
};

static void wait_writable(struct secmod *sm)
{
	event_add(sm->main_writable, NULL);
}

static void queue(struct secmod *sm, enum msg_number number, const void *msg)
{
	struct out_message *o;

	if (sm->out_count >= OUT_MAX) {
		log_err("%s: reads nothing: %s is lost", sm->main.name, msg_descs[number].name);
		return;
	}
	o = malloc(sizeof(*o) + msg_descs[number].size);
	if (o == NULL) {
		log_err("%s: no memory: %s is lost", sm->main.name, msg_descs[number].name);
		return;
	}
	o->number = number;
	memcpy(o->msg, msg, msg_descs[number].size);
	STAILQ_INSERT_TAIL(&sm->out, o, next);
	sm->out_count++;
	wait_writable(sm);
}

// false: main takes no more for now.
static bool send_now(struct secmod *sm, enum msg_number number, const void *msg)
{
	int ret = chan_send(&sm->main, number, msg, NULL);

	if (ret == -EAGAIN)
		return false;
	// -EPIPE: its end is noticed by the read side
	if (ret < 0 && ret != -EPIPE)
		log_err("%s: cannot send %s: %s", sm->main.name, msg_descs[number].name, strerror(-ret));
	return true;
}

void to_main(struct secmod *sm, enum msg_number number, const void *msg)
{
	if (!STAILQ_EMPTY(&sm->out) || !send_now(sm, number, msg))
		queue(sm, number, msg);
}

void to_main_wait(struct secmod *sm, enum msg_number number, const void *msg)
{
	struct pollfd p = { .fd = sm->main.fd, .events = POLLOUT };

	while (!STAILQ_EMPTY(&sm->out) || !send_now(sm, number, msg)) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return;
		to_main_flush(sm);
	}
}

// -------------------------------------------------------------------------------------------------------------- listing

static bool send_row(struct secmod *sm, uint32_t token, const struct record *r)
{
	int64_t left = r->deadline - monotonic_ms();
	struct msg_session_row row = { .token = token,
		                       .sid_len = SID_SIZE,
		                       .client = r->client,
		                       .created = r->created,
		                       .in_use = r->uses > 0,
		                       .certified = r->certified };

	memcpy(row.sid, r->sid, SID_SIZE);
	strcpy(row.user, r->user);
	strcpy(row.group, r->group);
	strcpy(row.vhost, r->vhost);
	strcpy(row.user_agent, r->user_agent);
	strcpy(row.method, r->method);
	strcpy(row.acct_id, r->acct_id);
	// an open session does not expire
	if (!r->uses)
		row.expires = time(NULL) + (left > 0 ? (left + 999) / 1000 : 0);
	return send_now(sm, MSG_SESSION_ROW, &row);
}

// false: main takes no more for now.
static bool send_listing(struct secmod *sm)
{
	struct msg_session_rows_end end = { .token = sm->listing[0] };
	const struct record *r;

	while ((r = cookies_peek(sm->cookies)) != NULL) {
		if (!send_row(sm, sm->listing[0], r))
			return false;
		cookies_next(sm->cookies);
		sm->listed++;
	}
	end.count = sm->listed;
	return send_now(sm, MSG_SESSION_ROWS_END, &end);
}

static void start_listing(struct secmod *sm)
{
	sm->listed = 0;
	cookies_walk(sm->cookies);
}

void to_main_list(struct secmod *sm, uint32_t token)
{
	if (sm->n_listings == LISTINGS_MAX) {
		log_warn("%s: asks for more than %d lists at once", sm->main.name, LISTINGS_MAX);
		return;
	}
	sm->listing[sm->n_listings++] = token;
	if (sm->n_listings > 1)
		return;
	start_listing(sm);
	to_main_flush(sm);
}

void to_main_flush(struct secmod *sm)
{
	struct out_message *o;

	while ((o = STAILQ_FIRST(&sm->out)) != NULL) {
		if (!send_now(sm, o->number, o->msg)) {
			wait_writable(sm);
			return;
		}
		STAILQ_REMOVE_HEAD(&sm->out, next);
		sm->out_count--;
		free(o);
	}
	while (sm->n_listings > 0) {
		if (!send_listing(sm)) {
			wait_writable(sm);
			return;
		}
		memmove(sm->listing, sm->listing + 1, --sm->n_listings * sizeof(*sm->listing));
		start_listing(sm);
	}
}

void to_main_fini(struct secmod *sm)
{
	struct out_message *o;

	while ((o = STAILQ_FIRST(&sm->out)) != NULL) {
		STAILQ_REMOVE_HEAD(&sm->out, next);
		free(o);
	}
}
