// What goes through a client's tunnel: CSTP's frames, DPD, and echoes whose answers have to be its own.
#include "swarm.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#define CSTP_HEADER 8
#define ECHO_MAGIC 0x50656e73

struct echo {
	struct iphdr ip;
	struct icmphdr icmp;
	uint32_t magic, client;
};

static int frame_write(struct client *c, const uint8_t *frame, size_t len)
{
	ERR_clear_error();
	return tls_outcome(c->tls, SSL_write(c->tls, frame, (int)len));
}

// What does not go at once waits, and what comes meanwhile is lost.
void tunnel_send_cstp(struct client *c, enum packet_type type, const uint8_t *packet, size_t len)
{
	uint8_t frame[PACKET_ROOM] = { 'S', 'T', 'F', 1, (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)type, 0 };

	if (c->stage != STAGE_UP || c->unsent || CSTP_HEADER + len > sizeof(frame))
		return;
	if (len > 0)
		memcpy(frame + CSTP_HEADER, packet, len);
	if (frame_write(c, frame, CSTP_HEADER + len) != 0)
		return; // a connection that has failed says so when it is read
	c->unsent = malloc(CSTP_HEADER + len);
	if (!c->unsent)
		abort();
	c->unsent_len = CSTP_HEADER + len;
	memcpy(c->unsent, frame, c->unsent_len);
}

void tunnel_send(struct client *c, enum packet_type type, const uint8_t *packet, size_t len)
{
	if (!dtls_send(c, type, packet, len))
		tunnel_send_cstp(c, type, packet, len);
}

// One frame a record.
int tunnel_read_cstp(struct client *c)
{
	uint8_t frame[TALK_ROOM + 1];
	size_t len;
	int n, ret;

	if (c->unsent && frame_write(c, c->unsent, c->unsent_len) != 0) {
		free(c->unsent);
		c->unsent = NULL;
	}
	while (c->stage == STAGE_UP) {
		ERR_clear_error();
		n = SSL_read(c->tls, frame, TALK_ROOM);
		ret = tls_outcome(c->tls, n);
		if (ret <= 0)
			return ret;
		len = n < CSTP_HEADER ? 0 : (size_t)(frame[4] << 8 | frame[5]);
		if (n < CSTP_HEADER || memcmp(frame, "STF\1", 4) != 0 || len + CSTP_HEADER != (size_t)n)
			return -1;
		if (frame[6] == DISCONNECT || frame[6] == TERMINATE)
			return -1;
		tunnel_receive(c, frame[6], frame + CSTP_HEADER, len, false);
	}
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- echoes

static uint16_t checksum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

void tunnel_echo(struct client *c, size_t size)
{
	union {
		struct echo echo;
		uint8_t bytes[PACKET_ROOM];
	} p = { 0 };

	if (size < sizeof(p.echo))
		size = sizeof(p.echo);
	p.echo.ip = (struct iphdr){
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_ICMP, .saddr = c->inside, .daddr = wish.echo
	};
	p.echo.ip.tot_len = htons((uint16_t)size);
	p.echo.ip.check = checksum(&p.echo.ip, sizeof(p.echo.ip));
	p.echo.icmp = (struct icmphdr){ .type = ICMP_ECHO };
	p.echo.icmp.un.echo.id = htons((uint16_t)(c - swarm));
	p.echo.icmp.un.echo.sequence = htons(++c->echo);
	p.echo.magic = ECHO_MAGIC;
	p.echo.client = (uint32_t)(c - swarm);
	p.echo.icmp.checksum = checksum(&p.echo.icmp, size - sizeof(p.echo.ip));
	c->echo_sent = now;
	counts.sent++;
	tunnel_send(c, DATA, p.bytes, size);
}

static void answer_take(struct client *c, const uint8_t *packet, size_t len)
{
	struct echo e;

	if (len < sizeof(e)) {
		counts.astray++;
		return;
	}
	memcpy(&e, packet, sizeof(e));
	if (e.ip.protocol != IPPROTO_ICMP || e.icmp.type != ICMP_ECHOREPLY)
		return; // the gateway's kernel has other things to say, too
	if (e.magic != ECHO_MAGIC || e.client != (uint32_t)(c - swarm) || e.ip.daddr != c->inside) {
		counts.astray++;
		return;
	}
	c->echo_answered = ntohs(e.icmp.un.echo.sequence);
	counts.answered++;
}

void tunnel_receive(struct client *c, uint8_t type, const uint8_t *packet, size_t len, bool by_dtls)
{
	if (type == DATA)
		answer_take(c, packet, len);
	else if (type == DPD_REQUEST && by_dtls)
		dtls_send(c, DPD_RESPONSE, packet, len);
	else if (type == DPD_REQUEST)
		tunnel_send_cstp(c, DPD_RESPONSE, packet, len);
}
