#include "secmod/coa_request.h"

#include <string.h>

#include "proto/states.h"

#define VENDOR_ROARING_PENGUIN 10055
#define RP_UPSTREAM_SPEED_LIMIT 1
#define RP_DOWNSTREAM_SPEED_LIMIT 2
#define KILOBIT 125 // bytes

// Nothing of ours has an empty name.
static bool text_is(const struct radius_attribute *a, char *out, size_t room)
{
	return a->len > 0 && radius_read_text(a, out, room);
}

static bool number_is(const struct radius_attribute *a, uint32_t *out)
{
	if (a->len != 4)
		return false;
	*out = radius_number(a);
	return true;
}

static bool seconds_are(const struct radius_attribute *a, uint32_t *out)
{
	return number_is(a, out) && *out <= INT32_MAX;
}

static enum coa_cause is(bool right)
{
	return right ? COA_FINE : COA_INVALID_VALUE;
}

// Twice the same is a contradiction, or somebody's trick.
static enum coa_cause names(bool *given, bool right)
{
	if (*given)
		return COA_INVALID_REQUEST;
	*given = true;
	return is(right);
}

static enum coa_cause changes(struct coa_request *r, enum change_what what, bool right)
{
	if (r->disconnect)
		return COA_UNSUPPORTED_ATTRIBUTE;
	if (r->what & what)
		return COA_INVALID_REQUEST;
	r->what |= (uint8_t)what;
	return is(right);
}

static enum coa_cause on_vendor(struct coa_request *r, const struct radius_attribute *a)
{
	bool up = a->type == RP_UPSTREAM_SPEED_LIMIT;
	uint32_t kilobits = 0;
	bool right;

	if (a->vendor != VENDOR_ROARING_PENGUIN || (!up && a->type != RP_DOWNSTREAM_SPEED_LIMIT))
		return COA_UNSUPPORTED_ATTRIBUTE;
	right = number_is(a, &kilobits) && kilobits <= LIMIT_RATE / KILOBIT;
	*(up ? &r->rx_rate : &r->tx_rate) = (uint64_t)kilobits * KILOBIT;
	return changes(r, up ? CHANGE_RX_RATE : CHANGE_TX_RATE, right);
}

static enum coa_cause on_attribute(struct coa_request *r, const struct radius_attribute *a)
{
	switch (a->type) {
	case RADIUS_ACCT_SESSION_ID:
		return names(&r->by_id, text_is(a, r->acct_id, sizeof(r->acct_id)));
	case RADIUS_USER_NAME:
		return names(&r->by_user, text_is(a, r->user, sizeof(r->user)));
	case RADIUS_CALLING_STATION_ID:
		return names(&r->by_caller, text_is(a, r->caller, sizeof(r->caller)));
	case RADIUS_FRAMED_IP_ADDRESS:
		return names(&r->by_ipv4, radius_read_ip(a, 4, &r->ipv4));
	case RADIUS_FRAMED_IPV6_ADDRESS:
		return names(&r->by_ipv6, radius_read_ip(a, 6, &r->ipv6));
	case RADIUS_NAS_PORT:
		return names(&r->by_port, number_is(a, &r->port));
	case RADIUS_NAS_IP_ADDRESS:
		return is(radius_read_ip(a, 4, &r->nas4));
	case RADIUS_NAS_IPV6_ADDRESS:
		return is(radius_read_ip(a, 6, &r->nas6));
	case RADIUS_NAS_IDENTIFIER:
		return is(text_is(a, r->nas_identifier, sizeof(r->nas_identifier)));
	case RADIUS_SESSION_TIMEOUT:
		return changes(r, CHANGE_SESSION_TIMEOUT, seconds_are(a, &r->session_timeout));
	case RADIUS_IDLE_TIMEOUT:
		return changes(r, CHANGE_IDLE_TIMEOUT, seconds_are(a, &r->idle_timeout));
	case RADIUS_FILTER_ID:
		return changes(r, CHANGE_FILTER, text_is(a, r->filter, sizeof(r->filter)));
	case RADIUS_EVENT_TIMESTAMP:
		return is(number_is(a, &r->timestamp));
	// what says something of the order, and changes nothing
	case RADIUS_MESSAGE_AUTHENTICATOR:
	case RADIUS_PROXY_STATE:
	case RADIUS_CLASS:
	case RADIUS_CALLED_STATION_ID:
	case RADIUS_REPLY_MESSAGE:
	case RADIUS_ACCT_TERMINATE_CAUSE:
	case RADIUS_NAS_PORT_TYPE:
		return COA_FINE;
	case RADIUS_SERVICE_TYPE: // Authorize Only: RFC 5176 3.1
	case RADIUS_STATE:
		return COA_UNSUPPORTED_SERVICE;
	default:
		return COA_UNSUPPORTED_ATTRIBUTE;
	}
}

static bool names_a_session(const struct coa_request *r)
{
	return r->by_id || r->by_user || r->by_ipv4 || r->by_ipv6 || r->by_caller || r->by_port;
}

enum coa_cause coa_request_read(const uint8_t *bytes, size_t len, struct coa_request *out)
{
	enum coa_cause cause = COA_FINE;
	struct radius_attribute a;
	struct radius_walk w;

	memset(out, 0, sizeof(*out));
	out->disconnect = bytes[0] == RADIUS_DISCONNECT_REQUEST;
	radius_walk_begin(&w, bytes, len);
	while (cause == COA_FINE && radius_walk_next(&w, &a)) {
		if (a.vendor || a.type == RADIUS_VENDOR_SPECIFIC || a.type == 0)
			cause = on_vendor(out, &a);
		else
			cause = on_attribute(out, &a);
	}
	if (cause == COA_FINE && (!names_a_session(out) || (!out->disconnect && !out->what)))
		cause = COA_MISSING_ATTRIBUTE;
	return cause;
}

void coa_request_repeat(const uint8_t *bytes, size_t len, struct radius_attributes *out)
{
	struct radius_attribute a;
	struct radius_walk w;

	radius_walk_begin(&w, bytes, len);
	while (radius_walk_next(&w, &a))
		if (!a.vendor && a.type == RADIUS_PROXY_STATE)
			radius_add(out, a.type, a.value, a.len);
}
