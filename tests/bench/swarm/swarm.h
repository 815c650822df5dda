// A swarm: thousands of OpenConnect clients in one process, one thread, one epoll loop. What its files share.
//
// A client is an address: number i of N speaks from the i-th of NETWORK, and after having moved m times from the (m * N + i)-th. So
// a handful of UDP sockets serves all of them (the kernel says whom a datagram was for), and a client costs one descriptor.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#define APP_ID 32
#define COOKIE_ROOM 128
#define TALK_ROOM 16384
#define UDP_SOCKETS 4
#define PACKET_ROOM 2048

enum packet_type { DATA = 0, DPD_REQUEST = 3, DPD_RESPONSE = 4, DISCONNECT = 5, KEEPALIVE = 7, TERMINATE = 9 };

// Where a client's TCP connection is. Between STAGE_TCP and STAGE_TUNNEL it is on its way up.
enum stage { STAGE_DOWN, STAGE_TCP, STAGE_TLS, STAGE_INIT, STAGE_USER, STAGE_PASSWORD, STAGE_TUNNEL, STAGE_UP, STAGES };
enum channel { CHANNEL_NONE, CHANNEL_SHAKING, CHANNEL_UP };

// A request and its answer, there while one is under way.
struct talk {
	char request[4096], reply[TALK_ROOM];
	size_t request_len, reply_len;
	bool sent;
};

struct client {
	enum stage stage;
	enum channel channel; // DTLS
	bool wanted;          // it is to be up, and comes back whenever it is not
	bool impostor;        // this time with a wrong password
	bool silent;          // without DTLS until it is told otherwise
	bool asked_back;      // connecting by the cookie of a session that it has
	uint8_t udp_socket;
	int fd;
	unsigned moves, tries;
	SSL *tls, *dtls;
	struct talk *talk;
	uint8_t *unsent; // a CSTP frame that TCP had no room for
	size_t unsent_len;
	char cookie[COOKIE_ROOM]; // empty: none
	uint8_t app_id[APP_ID], psk[32];
	in_addr_t inside; // 0: never connected
	double began, retry_at, dtls_began, echo_sent;
	uint16_t echo, echo_answered, pinged; // sequence numbers: of the last ones, and of that before it was pinged
};

struct wishes {
	struct sockaddr_in server;
	const char *host, *user, *password;
	in_addr_t network; // host order
	uint32_t addresses;
	in_addr_t echo;
	unsigned clients, at_once, deeds, patience;
	uint64_t seed;
	bool no_dtls;
};
extern struct wishes wish;

// Of all clients, since the beginning.
struct counts {
	uint64_t logins, returns; // by password, by cookie
	uint64_t lost;            // cookies refused of who has not said goodbye
	uint64_t broken;          // connections ended by the other side
	uint64_t refused;         // logins with a wrong password, as it should be
	uint64_t let_in;          // and as it should not
	uint64_t handshakes, handshakes_failed, goodbyes;
	uint64_t sent, answered, astray; // echoes; the last are packets for somebody else
	uint64_t failed[STAGES];         // attempts to connect, by where they ended
	uint64_t deeds[16];
};
extern struct counts counts;
extern struct client *swarm;
extern double now; // when this turn of the loop began, in seconds

// loop.c
int loop_watch(int fd, void *what); // edge triggered; what: a client, or one of loop_udp
void loop_turn(int timeout_ms);
void loop_tick(void);
extern char loop_udp[UDP_SOCKETS];

// client.c: a client's life
void client_begin(struct client *c);            // connects, by cookie if it has one
void client_step(struct client *c);             // its TCP connection has moved
void client_break(struct client *c, bool hard); // without a goodbye; hard: RST
void client_goodbye(struct client *c);
void client_lose(struct client *c); // the other side has gone
void client_tick(struct client *c);
bool client_settled(const struct client *c); // it is as it is to be
void client_fail(struct client *c);

// http.c: 1 done, 0 waits, -1 failed
void http_ask_init(struct client *c);
void http_ask_login(struct client *c, const char *field, const char *value);
void http_ask_tunnel(struct client *c);
int http_exchange(struct client *c);
unsigned http_status(const struct client *c);
int http_take_cookie(struct client *c);
int http_take_tunnel(struct client *c);

// tls.c
int tls_prepare(void);
int tls_outcome(SSL *ssl, int n); // 1 done, 0 waits, -1 failed
int tls_tcp_begin(struct client *c);
int tls_tcp_step(struct client *c);
int tls_step(struct client *c);
void tls_end(struct client *c, bool hard);
in_addr_t tls_address(const struct client *c); // that it speaks from, network order

// dtls.c
int dtls_prepare(void);
void dtls_begin(struct client *c);
void dtls_end(struct client *c);
void dtls_tick(struct client *c);
void dtls_receive(unsigned udp_socket);
bool dtls_send(struct client *c, enum packet_type type, const uint8_t *packet, size_t len);

// tunnel.c: packets, over DTLS if that is up
void tunnel_send(struct client *c, enum packet_type type, const uint8_t *packet, size_t len);
void tunnel_send_cstp(struct client *c, enum packet_type type, const uint8_t *packet, size_t len);
int tunnel_read_cstp(struct client *c); // -1: the other side has gone
void tunnel_receive(struct client *c, uint8_t type, const uint8_t *packet, size_t len, bool by_dtls);
void tunnel_echo(struct client *c, size_t size);

// churn.c: deeds at random
void churn_begin(double seconds);
bool churn_done(void);
void churn_tick(void);
extern const char *const churn_names[];
uint32_t churn_random(uint32_t below);

// command.c: standard input
void command_read(void);
void command_tick(void);
bool command_ended(void);
