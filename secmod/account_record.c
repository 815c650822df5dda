#include "secmod/account_record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// RFC 2866 5.10
enum cause {
	CAUSE_USER_REQUEST = 1,
	CAUSE_LOST_CARRIER = 2,
	CAUSE_IDLE_TIMEOUT = 4,
	CAUSE_SESSION_TIMEOUT = 5,
	CAUSE_ADMIN_RESET = 6,
	CAUSE_ADMIN_REBOOT = 7,
	CAUSE_PORT_ERROR = 8,
	CAUSE_NAS_ERROR = 9,
	CAUSE_NAS_REQUEST = 10,
};

static const uint8_t causes[] = {
	[END_NONE] = CAUSE_NAS_REQUEST, // its cookie had to make room
	[END_BY_USER] = CAUSE_USER_REQUEST,
	[END_TEMPORARY] = CAUSE_LOST_CARRIER,
	[END_BY_ADMIN] = CAUSE_ADMIN_RESET,
	[END_TERMINATED] = CAUSE_ADMIN_RESET,
	[END_REPLACED] = CAUSE_NAS_REQUEST,
	[END_IDLE] = CAUSE_IDLE_TIMEOUT,
	[END_SESSION_TIMEOUT] = CAUSE_SESSION_TIMEOUT,
	[END_AUTH_TIMEOUT] = CAUSE_NAS_REQUEST,
	[END_QUOTA] = CAUSE_SESSION_TIMEOUT, // the nearest there is: what was allowed is over
	[END_EXPIRED] = CAUSE_SESSION_TIMEOUT,
	[END_DEAD_PEER] = CAUSE_LOST_CARRIER,
	[END_FROZEN] = CAUSE_LOST_CARRIER,
	[END_SHUTDOWN] = CAUSE_ADMIN_REBOOT,
	// "An error on the port": the port is the connection. What broke there may be the client's TLS, its frames or the worker
	// that it had; User-Error would say that it was something its user has typed.
	[END_ERROR] = CAUSE_PORT_ERROR,
	[END_WORKER] = CAUSE_NAS_ERROR,
	[END_NURSERY] = CAUSE_NAS_ERROR,
	[END_DATAPLANE] = CAUSE_NAS_ERROR,
	[END_MAIN] = CAUSE_NAS_ERROR,
};
static_assert(sizeof(causes) == END_REASON_LAST + 1, "a cause for each reason");

// RFC 2866 5.6; values of RFC 2865 and IANA
#define AUTHENTIC_RADIUS 1
#define AUTHENTIC_LOCAL 2
#define SERVICE_FRAMED 2
#define PROTOCOL_PPP 1
#define PORT_ASYNC 0 // as ocserv says it

static void add_nas(struct radius_attributes *a, const struct radius_config *c, const struct addr *local)
{
	radius_add_addr(a, RADIUS_NAS_IP_ADDRESS, RADIUS_NAS_IPV6_ADDRESS, c->nas_ip.family ? &c->nas_ip : local);
	radius_add_text(a, RADIUS_NAS_IDENTIFIER, c->nas_identifier);
}

static void add_event(struct radius_attributes *a, enum account_status status, uint32_t now)
{
	radius_add_number(a, RADIUS_ACCT_STATUS_TYPE, status);
	radius_add_number(a, RADIUS_EVENT_TIMESTAMP, now);
}

static void add_connect_info(struct radius_attributes *a, const struct account *acc)
{
	char text[LIMIT_USER_AGENT + LIMIT_CIPHER + 2];

	snprintf(text, sizeof(text), "%s%s%s", acc->user_agent, acc->user_agent[0] && acc->cipher[0] ? " " : "", acc->cipher);
	radius_add_text(a, RADIUS_CONNECT_INFO, text);
}

static void add_classes(struct radius_attributes *a, const struct account *acc)
{
	for (size_t at = 0; at < acc->classes_len; at += 1 + acc->classes[at])
		radius_add(a, RADIUS_CLASS, acc->classes + at + 1, acc->classes[at]);
}

static void add_session(struct radius_attributes *a, const struct account *acc)
{
	char client[ADDR_TEXT], local[ADDR_TEXT];

	radius_add_text(a, RADIUS_USER_NAME, acc->user);
	radius_add_text(a, RADIUS_ACCT_SESSION_ID, acc->acct_id);
	radius_add_number(a, RADIUS_NAS_PORT, acc->id);
	radius_add_number(a, RADIUS_NAS_PORT_TYPE, PORT_ASYNC);
	radius_add_number(a, RADIUS_SERVICE_TYPE, SERVICE_FRAMED);
	radius_add_number(a, RADIUS_FRAMED_PROTOCOL, PROTOCOL_PPP);
	radius_add_addr(a, RADIUS_FRAMED_IP_ADDRESS, RADIUS_FRAMED_IPV6_ADDRESS, &acc->ipv4);
	radius_add_addr(a, RADIUS_FRAMED_IP_ADDRESS, RADIUS_FRAMED_IPV6_ADDRESS, &acc->ipv6);
	radius_add_text(a, RADIUS_CALLING_STATION_ID, addr_text(&acc->client, client));
	radius_add_text(a, RADIUS_CALLED_STATION_ID, addr_text(&acc->local, local));
	radius_add_number(a, RADIUS_ACCT_AUTHENTIC, strcmp(acc->method, "radius") == 0 ? AUTHENTIC_RADIUS : AUTHENTIC_LOCAL);
	add_connect_info(a, acc);
	add_classes(a, acc);
}

static void add_octets(struct radius_attributes *a, uint8_t octets, uint8_t gigawords, uint64_t n)
{
	radius_add_number(a, octets, (uint32_t)n);
	radius_add_number(a, gigawords, (uint32_t)(n >> 32));
}

static void add_traffic(struct radius_attributes *a, const struct account *acc)
{
	const struct traffic t = account_total(acc);

	add_octets(a, RADIUS_ACCT_INPUT_OCTETS, RADIUS_ACCT_INPUT_GIGAWORDS, t.bytes_in);
	add_octets(a, RADIUS_ACCT_OUTPUT_OCTETS, RADIUS_ACCT_OUTPUT_GIGAWORDS, t.bytes_out);
	radius_add_number(a, RADIUS_ACCT_INPUT_PACKETS, (uint32_t)t.packets_in);
	radius_add_number(a, RADIUS_ACCT_OUTPUT_PACKETS, (uint32_t)t.packets_out);
	radius_add_number(a, RADIUS_ACCT_SESSION_TIME, acc->seconds);
}

void account_record(struct radius_attributes *out, const struct account *acc, const struct radius_config *nas,
                    enum account_status status, uint32_t now)
{
	*out = (struct radius_attributes){ 0 };
	add_event(out, status, now);
	add_nas(out, nas, &acc->local);
	add_session(out, acc);
	if (status != ACCOUNT_START)
		add_traffic(out, acc);
	if (status == ACCOUNT_STOP)
		radius_add_number(out, RADIUS_ACCT_TERMINATE_CAUSE, causes[acc->reason]);
}

void account_record_of_all(struct radius_attributes *out, const struct radius_config *nas, enum account_status status, uint32_t now)
{
	static const struct addr none;
	char id[17];

	*out = (struct radius_attributes){ 0 };
	snprintf(id, sizeof(id), "%016x", now);
	add_event(out, status, now);
	add_nas(out, nas, &none);
	radius_add_text(out, RADIUS_ACCT_SESSION_ID, id);
}

void account_record_delay(struct radius_attributes *out, uint32_t seconds)
{
	radius_add_number(out, RADIUS_ACCT_DELAY_TIME, seconds);
}
