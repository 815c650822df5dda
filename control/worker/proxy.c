#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define V1_PREFIX 6 // "PROXY "
#define V1_MAX 107  // with its CRLF (2.1)
#define V2_SIGNATURE 12
#define V2_HEAD 16
#define TLS_HANDSHAKE 0x16

enum command { COMMAND_LOCAL, COMMAND_PROXY };
enum tlv { TLV_CRC32C = 0x03, TLV_SSL = 0x20 };

#define TLV_HEAD 3
#define SSL_HEAD 5 // what the client has done, and whether its certificate is good

static const uint8_t signature[V2_SIGNATURE] = "\r\n\r\n\0\r\nQUIT\n";

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

static unsigned word16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

// IPv4 that is written as IPv6 becomes what it is: bans and leases know one of the two.
static struct addr address_of(int family, const void *ip, unsigned port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct addr a;

	if (family == AF_INET)
		memcpy(&in.sin_addr, ip, sizeof(in.sin_addr));
	else
		memcpy(&in6.sin6_addr, ip, sizeof(in6.sin6_addr));
	addr_from_sockaddr(family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6, &a);
	return a;
}

// ------------------------------------------------------------------------------------------------------------- version 1

static bool port_parse(const char *text, unsigned *port)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < 5 && text[i] >= '0' && text[i] <= '9'; i++)
		n = n * 10 + (unsigned)(text[i] - '0');
	*port = n;
	return i > 0 && !text[i] && n <= UINT16_MAX && (text[0] != '0' || i == 1);
}

// "192.0.2.1 192.0.2.9 40000 443"; the line is taken apart.
static int v1_addresses(char *line, int family, struct proxy_header *out, const char **why)
{
	char *word[4], *next = line;
	uint8_t ip[2][16];
	unsigned port[2];

	for (int i = 0; i < 4; i++) {
		word[i] = strsep(&next, " ");
		if (!word[i])
			return refuse(why, "a PROXY line with too few words");
	}
	if (next)
		return refuse(why, "a PROXY line with too many words");
	for (int i = 0; i < 2; i++) {
		if (inet_pton(family, word[i], ip[i]) != 1)
			return refuse(why, "a PROXY line without an address where one belongs");
		if (!port_parse(word[i + 2], &port[i]))
			return refuse(why, "a PROXY line without a port where one belongs");
	}
	out->client = address_of(family, ip[0], port[0]);
	out->local = address_of(family, ip[1], port[1]);
	return 0;
}

static int v1_line(char *line, struct proxy_header *out, const char **why)
{
	*out = (struct proxy_header){ 0 };
	if (strncmp(line, "TCP4 ", 5) == 0)
		return v1_addresses(line + 5, AF_INET, out, why);
	if (strncmp(line, "TCP6 ", 5) == 0)
		return v1_addresses(line + 5, AF_INET6, out, why);
	if (strncmp(line, "UNKNOWN", 7) == 0 && (!line[7] || line[7] == ' '))
		return 0; // whatever else it says has no meaning
	return refuse(why, "a PROXY line that is for neither TCP4, TCP6 nor UNKNOWN");
}

static int v1_parse(const uint8_t *buf, size_t len, struct proxy_header *out, const char **why)
{
	const uint8_t *end = memchr(buf, '\n', len < V1_MAX ? len : V1_MAX);
	struct proxy_header header;
	char line[V1_MAX + 1];
	size_t size;
	int ret;

	if (!end)
		return len < V1_MAX ? -EAGAIN : refuse(why, "a PROXY line longer than 107 bytes");
	size = (size_t)(end + 1 - buf);
	if (size < V1_PREFIX + 2 || end[-1] != '\r')
		return refuse(why, "a PROXY line that does not end with CR LF");
	memcpy(line, buf + V1_PREFIX, size - V1_PREFIX - 2);
	line[size - V1_PREFIX - 2] = 0;
	if (strlen(line) != size - V1_PREFIX - 2)
		return refuse(why, "a PROXY line with a NUL in it");
	ret = v1_line(line, &header, why);
	if (ret < 0)
		return ret;
	*out = header;
	return (int)size;
}

// ------------------------------------------------------------------------------------------------------------- version 2

// CRC-32C (RFC 3720 B.4) of a whole header, with zeros where it stands itself.
static uint32_t crc32c(const uint8_t *header, size_t len, size_t at)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= i >= at && i < at + 4 ? 0 : header[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static bool checksum_holds(const uint8_t *header, size_t len, size_t at)
{
	const uint8_t *p = header + at;

	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]) == crc32c(header, len, at);
}

// The length of the next one with its head; 0: what is left is none.
static size_t tlv_size(const uint8_t *p, size_t len)
{
	size_t size = len < TLV_HEAD ? 0 : TLV_HEAD + word16(p + 1);

	return size <= len ? size : 0;
}

static int ssl_walk(const uint8_t *p, size_t len, const char **why)
{
	size_t size;

	if (len < SSL_HEAD)
		return refuse(why, "a PROXY header with a field for TLS that is too short");
	for (p += SSL_HEAD, len -= SSL_HEAD; len > 0; p += size, len -= size) {
		size = tlv_size(p, len);
		if (!size)
			return refuse(why, "a PROXY header with a field for TLS of a wrong length");
	}
	return 0;
}

// Much of what stands there a client may have chosen (its server name, its certificate's): nothing is read but lengths and the
// checksum.
static int tlvs_walk(const uint8_t *header, size_t len, size_t at, const char **why)
{
	size_t size;

	for (; at < len; at += size) {
		size = tlv_size(header + at, len - at);
		if (!size)
			return refuse(why, "a PROXY header with a field of a wrong length");
		if (header[at] == TLV_SSL && ssl_walk(header + at + TLV_HEAD, size - TLV_HEAD, why) < 0)
			return -EBADMSG;
		if (header[at] == TLV_CRC32C && (size != TLV_HEAD + 4 || !checksum_holds(header, len, at + TLV_HEAD)))
			return refuse(why, "a PROXY header with a wrong checksum");
	}
	return 0;
}

static int v2_addresses(const uint8_t *header, size_t len, struct proxy_header *out, const char **why)
{
	const uint8_t *p = header + V2_HEAD;
	int family = header[13] == 0x11 ? AF_INET : AF_INET6;
	size_t ip = family == AF_INET ? 4 : 16, size = 2 * ip + 4;

	if (len - V2_HEAD < size)
		return refuse(why, "a PROXY header that is too short for its addresses");
	out->client = address_of(family, p, word16(p + 2 * ip));
	out->local = address_of(family, p + ip, word16(p + 2 * ip + 2));
	return tlvs_walk(header, len, V2_HEAD + size, why);
}

static int v2_body(const uint8_t *header, size_t len, struct proxy_header *out, const char **why)
{
	*out = (struct proxy_header){ 0 };
	if ((header[12] & 0xf) == COMMAND_LOCAL)
		return 0; // whatever else it says has no meaning
	switch (header[13]) {
	case 0x11: // TCP over IPv4
	case 0x21: // and IPv6
		return v2_addresses(header, len, out, why);
	case 0x00: // unspecified
	case 0x31: // a Unix socket, of either kind
	case 0x32:
		return 0;
	}
	return refuse(why, "a PROXY header for something else than TCP");
}

static int v2_parse(const uint8_t *buf, size_t len, struct proxy_header *out, const char **why)
{
	struct proxy_header header;
	size_t size;
	int ret;

	if (len < V2_HEAD)
		return -EAGAIN;
	if (buf[12] >> 4 != 2 || (buf[12] & 0xf) > COMMAND_PROXY)
		return refuse(why, "a PROXY header of an unknown version or command");
	size = V2_HEAD + word16(buf + 14);
	if (size > PROXY_HEADER_MAX)
		return refuse(why, "a PROXY header longer than 4096 bytes");
	if (len < size)
		return -EAGAIN;
	ret = v2_body(buf, size, &header, why);
	if (ret < 0)
		return ret;
	*out = header;
	return (int)size;
}

// ----------------------------------------------------------------------------------------------------------------- which

static bool begins(const uint8_t *buf, size_t len, const void *with, size_t size)
{
	return memcmp(buf, with, len < size ? len : size) == 0;
}

int proxy_parse(const uint8_t *buf, size_t len, struct proxy_header *out, const char **why)
{
	if (len == 0)
		return -EAGAIN;
	if (begins(buf, len, signature, V2_SIGNATURE))
		return v2_parse(buf, len, out, why);
	if (begins(buf, len, "PROXY ", V1_PREFIX))
		return v1_parse(buf, len, out, why);
	return refuse(why, buf[0] == TLS_HANDSHAKE ? "no PROXY header: TLS begins at once" : "no PROXY header");
}
