// A client's DTLS: PSK-NEGOTIATE, over UDP sockets that all clients share.
#include "swarm.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#define APP_ID_EXTENSION 48018
#define FIRST_MS 400 // as GnuTLS does it
#define PATIENCE 15.0
#define BATCH 32
#define BUFFER (64 << 20) // ten thousand clients answer at once

static SSL_CTX *ctx;
static BIO_METHOD *method;
static int sockets[UDP_SOCKETS];
static struct {
	const uint8_t *bytes;
	size_t len;
} arrived; // the datagram that its client is to read

// ------------------------------------------------------------------------------------------------------------ datagrams

static int datagram_write(BIO *b, const char *bytes, int len)
{
	struct client *c = BIO_get_data(b);
	char room[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
	struct iovec iov = { (void *)bytes, (size_t)len };
	struct msghdr m = { .msg_name = &wish.server,
		            .msg_namelen = sizeof(wish.server),
		            .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = room,
		            .msg_controllen = sizeof(room) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&m);
	struct in_pktinfo from = { .ipi_spec_dst.s_addr = tls_address(c) };

	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(from));
	memcpy(CMSG_DATA(cmsg), &from, sizeof(from));
	sendmsg(sockets[c->udp_socket], &m, 0); // what does not go is lost, as on any other network
	return len;
}

static int datagram_read(BIO *b, char *bytes, int room)
{
	size_t len = arrived.len < (size_t)room ? arrived.len : (size_t)room;

	BIO_clear_retry_flags(b);
	if (!arrived.bytes) {
		BIO_set_retry_read(b);
		return -1;
	}
	memcpy(bytes, arrived.bytes, len);
	arrived.bytes = NULL;
	return (int)len;
}

static long datagram_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH ? 1 : cmd == BIO_CTRL_DGRAM_GET_MTU_OVERHEAD ? 28 : 0;
}

static int socket_new(unsigned i)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	const int on = 1, buffer = BUFFER;

	sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&any, sizeof(any)) < 0)
		return -1;
	setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	setsockopt(sockets[i], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	if (setsockopt(sockets[i], IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return -1;
	return loop_watch(sockets[i], &loop_udp[i]);
}

// ------------------------------------------------------------------------------------------------------------- contexts

static unsigned int psk_client(SSL *ssl, const char *hint, char *identity, unsigned int room, unsigned char *psk,
                               unsigned int psk_room)
{
	const struct client *c = SSL_get_app_data(ssl);

	identity[0] = 0;
	strncat(identity, "psk", room - 1);
	memcpy(psk, c->psk, sizeof(c->psk));
	return sizeof(c->psk);
}

static int add_app_id(SSL *ssl, unsigned int type, const unsigned char **out, size_t *len, int *alert, void *arg)
{
	static unsigned char body[1 + APP_ID] = { APP_ID };

	memcpy(body + 1, ((struct client *)SSL_get_app_data(ssl))->app_id, APP_ID);
	*out = body;
	*len = sizeof(body);
	return 1;
}

static unsigned int timeout_us(SSL *ssl, unsigned int last_us)
{
	return last_us ? last_us * 2 : FIRST_MS * 1000;
}

int dtls_prepare(void)
{
	unsigned i;

	ctx = SSL_CTX_new(DTLS_client_method());
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "swarm");
	if (!ctx || !method)
		return -1;
	BIO_meth_set_write(method, datagram_write);
	BIO_meth_set_read(method, datagram_read);
	BIO_meth_set_ctrl(method, datagram_ctrl);
	SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_psk_client_callback(ctx, psk_client);
	if (SSL_CTX_set_cipher_list(ctx, "PSK-AES256-GCM-SHA384:PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305") != 1)
		return -1;
	if (SSL_CTX_add_client_custom_ext(ctx, APP_ID_EXTENSION, add_app_id, NULL, NULL, NULL, NULL) != 1)
		return -1;
	for (i = 0; i < UDP_SOCKETS; i++)
		if (socket_new(i) < 0)
			return -1;
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- a client

void dtls_end(struct client *c)
{
	SSL_free(c->dtls);
	c->dtls = NULL;
	c->channel = CHANNEL_NONE;
}

static void step(struct client *c);

// Each from a port of its own: what still comes for the one before must not get into this one.
void dtls_begin(struct client *c)
{
	BIO *bio = BIO_new(method);

	dtls_end(c);
	c->udp_socket = (uint8_t)((c->udp_socket + 1) % UDP_SOCKETS);
	c->dtls = SSL_new(ctx);
	if (!bio || !c->dtls)
		abort();
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->dtls, bio, bio);
	SSL_set_app_data(c->dtls, c);
	SSL_set_mtu(c->dtls, 1300);
	DTLS_set_timer_cb(c->dtls, timeout_us);
	c->channel = CHANNEL_SHAKING;
	c->dtls_began = now;
	step(c);
}

// A fatal alert asks for a new handshake (a dataplane that has started anew sends one).
static void failed(struct client *c)
{
	counts.handshakes_failed += c->channel == CHANNEL_SHAKING;
	if (c->channel == CHANNEL_UP && c->stage == STAGE_UP)
		dtls_begin(c);
	else
		dtls_end(c);
}

static void read_packets(struct client *c)
{
	uint8_t packet[PACKET_ROOM];
	int n, ret;

	while (c->channel == CHANNEL_UP) {
		n = SSL_read(c->dtls, packet, sizeof(packet));
		ret = tls_outcome(c->dtls, n);
		if (ret < 0)
			failed(c);
		if (ret <= 0)
			return;
		tunnel_receive(c, packet[0], packet + 1, (size_t)n - 1, true);
	}
}

static void step(struct client *c)
{
	int ret;

	ERR_clear_error();
	if (c->channel == CHANNEL_SHAKING) {
		ret = tls_outcome(c->dtls, SSL_connect(c->dtls));
		if (ret < 0)
			failed(c);
		if (ret <= 0)
			return;
		c->channel = CHANNEL_UP;
		counts.handshakes++;
		dtls_send(c, DPD_REQUEST, NULL, 0); // the gateway knows by it that the handshake has ended
	}
	read_packets(c);
}

// A handshake that nobody answers is begun again.
void dtls_tick(struct client *c)
{
	if (c->channel != CHANNEL_SHAKING)
		return;
	ERR_clear_error();
	DTLSv1_handle_timeout(c->dtls);
	if (now - c->dtls_began < PATIENCE)
		return;
	counts.handshakes_failed++;
	dtls_begin(c);
}

bool dtls_send(struct client *c, enum packet_type type, const uint8_t *packet, size_t len)
{
	uint8_t record[PACKET_ROOM];

	if (c->channel != CHANNEL_UP || len >= sizeof(record))
		return false;
	record[0] = (uint8_t)type;
	if (len > 0)
		memcpy(record + 1, packet, len);
	ERR_clear_error();
	return tls_outcome(c->dtls, SSL_write(c->dtls, record, (int)len + 1)) > 0;
}

// Who speaks from where it came to.
static struct client *client_of(struct msghdr *m, unsigned udp_socket)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(m);
	struct in_pktinfo info;
	struct client *c;
	uint32_t number;

	if (!cmsg || cmsg->cmsg_level != IPPROTO_IP || cmsg->cmsg_type != IP_PKTINFO)
		return NULL;
	memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
	number = ntohl(info.ipi_addr.s_addr) - wish.network;
	if (number >= wish.addresses)
		return NULL;
	c = &swarm[number % wish.clients];
	return c->dtls && c->udp_socket == udp_socket && tls_address(c) == info.ipi_addr.s_addr ? c : NULL;
}

void dtls_receive(unsigned udp_socket)
{
	static uint8_t bytes[BATCH][PACKET_ROOM];
	char control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec iov[BATCH];
	struct mmsghdr m[BATCH];
	struct client *c;
	int i, n;

	do {
		for (i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ bytes[i], PACKET_ROOM };
			m[i].msg_hdr = (struct msghdr){
				.msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = sizeof(control[i])
			};
		}
		n = recvmmsg(sockets[udp_socket], m, BATCH, 0, NULL);
		for (i = 0; i < n; i++) {
			c = client_of(&m[i].msg_hdr, udp_socket);
			if (!c)
				continue;
			arrived.bytes = bytes[i];
			arrived.len = m[i].msg_len;
			step(c);
			arrived.bytes = NULL;
		}
	} while (n == BATCH);
}
