// A RADIUS server played by a test: it reads requests and answers as the test says, rightly signed or not. Digests are OpenSSL's
// own, so that ours are checked against them. Included by tests that link the secmod room.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RADIUS_RIG_UNUSED __attribute__((unused))
#define RADIUS_RIG_SECRET "xyzzy5461"

struct radius_rig {
	int fd;
	uint16_t port;
	uint8_t request[4097];
	size_t len;
	struct sockaddr_in from;
};

// What an answer is made of. Attributes are type, length (both bytes included), value, one after the other.
struct radius_rig_answer {
	uint8_t code;
	const uint8_t *attributes;
	size_t len;
	const char *secret;   // NULL: the right one
	bool unsigned_;       // without Message-Authenticator
	bool wrong_signature; // with a wrong one
	bool signature_last;
};

static RADIUS_RIG_UNUSED int radius_rig_open(struct radius_rig *r, const char *ip, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t size = sizeof(at);

	r->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, ip, &at.sin_addr);
	if (r->fd < 0 || bind(r->fd, (struct sockaddr *)&at, size) < 0 || getsockname(r->fd, (struct sockaddr *)&at, &size) < 0)
		return -errno;
	r->port = ntohs(at.sin_port);
	return 0;
}

// The next request; false: none within so many milliseconds.
static RADIUS_RIG_UNUSED bool radius_rig_receive(struct radius_rig *r, int ms)
{
	struct pollfd p = { r->fd, POLLIN, 0 };
	socklen_t size = sizeof(r->from);
	ssize_t n;

	if (poll(&p, 1, ms) != 1)
		return false;
	n = recvfrom(r->fd, r->request, sizeof(r->request), 0, (struct sockaddr *)&r->from, &size);
	r->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static RADIUS_RIG_UNUSED const uint8_t *radius_rig_find(const uint8_t *packet, size_t len, uint8_t type)
{
	for (size_t i = 20; i + 2 <= len && packet[i + 1] >= 2; i += packet[i + 1])
		if (packet[i] == type)
			return packet + i;
	return NULL;
}

// RFC 2865 3, RFC 3579 3.2.
static RADIUS_RIG_UNUSED size_t radius_rig_build(const uint8_t *request, const struct radius_rig_answer *a, uint8_t out[4096])
{
	const char *secret = a->secret != NULL ? a->secret : RADIUS_RIG_SECRET;
	size_t len = 20, secret_len = strlen(secret), at = 0;
	uint8_t plain[4096 + 128];
	unsigned size = 16;

	if (!a->unsigned_ && !a->signature_last)
		at = len, len += 18;
	if (a->len > 0)
		memcpy(out + len, a->attributes, a->len);
	len += a->len;
	if (!a->unsigned_ && a->signature_last)
		at = len, len += 18;
	out[0] = a->code;
	out[1] = request[1];
	out[2] = (uint8_t)(len >> 8);
	out[3] = (uint8_t)len;
	memcpy(out + 4, request + 4, 16);
	if (at > 0) {
		memcpy(out + at, "\x50\x12", 2);
		memset(out + at + 2, 0, 16);
		HMAC(EVP_md5(), secret, (int)secret_len, out, len, plain, &size);
		memcpy(out + at + 2, plain, 16);
		out[at + 2] ^= a->wrong_signature;
	}
	memcpy(plain, out, len);
	memcpy(plain + len, secret, secret_len);
	EVP_Digest(plain, len + secret_len, out + 4, &size, EVP_md5(), NULL);
	return len;
}

static RADIUS_RIG_UNUSED void radius_rig_send(struct radius_rig *r, const uint8_t *bytes, size_t len)
{
	sendto(r->fd, bytes, len, 0, (struct sockaddr *)&r->from, sizeof(r->from));
}

static RADIUS_RIG_UNUSED void radius_rig_answer(struct radius_rig *r, const struct radius_rig_answer *a)
{
	uint8_t out[4096];

	radius_rig_send(r, out, radius_rig_build(r->request, a, out));
}
