// A flood: one attack of strangers on a gateway, for some seconds, from as many addresses as are wished for. What its files share.
// It runs in a network namespace that a test has made, and stops by itself.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define IDS_MAX 64

struct wishes {
	struct sockaddr_storage server;
	socklen_t server_len;
	unsigned seconds;
	unsigned connections;     // at one time
	unsigned rate;            // datagrams or connections a second; 0: as many as there can be
	unsigned places;          // addresses (of IPv6: /64s) that they come from
	uint8_t ids[IDS_MAX][32]; // session ids that somebody else has
	unsigned n_ids;
	bool once;             // nobody comes again, and it ends when all have gone
	const char *interface; // on which answers are looked for
	const char *user;
};
extern struct wishes wish;

struct counts {
	uint64_t made;                // datagrams, or connections that were begun
	uint64_t bytes_out, bytes_in; // of IP packets by UDP, of TCP's payload otherwise
	uint64_t refused;             // connections that came to nothing
	uint64_t ended;               // by the other side, after they were there
	uint64_t answers, let_in;     // logins that were answered, and those that were let in
	double first_end, last_end;   // how long such a connection lived: the shortest and the longest
	unsigned open;                // at the end
};
extern struct counts counts;
extern double now; // seconds

void clock_read(void);
uint32_t random_below(uint32_t n);
// The n-th place that somebody comes from.
socklen_t place(unsigned n, struct sockaddr_storage *out);

// datagrams.c, streams.c: -1: there is no such attack. What went wrong is said.
int datagrams_run(const char *attack);
int streams_run(const char *attack);
