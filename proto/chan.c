#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "err.h"
#include "secret.h"

// The kernel fills whole 8-byte units: one more descriptor than LIMIT_FDS can arrive, never more (the rest it discards itself).
#define FD_SLOTS (LIMIT_FDS + 2)
#define CONTROL_SIZE CMSG_SPACE(LIMIT_FDS * sizeof(int))
_Static_assert(CONTROL_SIZE <= CMSG_LEN(FD_SLOTS * sizeof(int)), "descriptors could overrun their array");

struct packet {
	const uint8_t *buf;
	size_t len;
	int *fds;
	int n_fds;
	bool cut;     // longer than LIMIT_MESSAGE
	bool fds_cut; // descriptors were lost
};

int chan_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ? -errno : 0;
}

void chan_init(struct chan *c, int fd, enum role self, enum role peer, uint32_t state, const char *name_fmt, ...)
{
	va_list ap;

	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->self = (uint8_t)self;
	c->peer = (uint8_t)peer;
	c->state = state;
	va_start(ap, name_fmt);
	vsnprintf(c->name, sizeof(c->name), name_fmt, ap);
	va_end(ap);
}

void chan_fini(struct chan *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

int chan_take_fd(const int *fds, int i)
{
	int *slot = (int *)fds + i; // ours, lent to the handler as const
	int fd = *slot;

	*slot = -1;
	return fd;
}

static void close_fds(int *fds, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

// ------------------------------------------------------------------------------------------------------------------ send

static void put_fds(struct msghdr *mh, char *control, const int *fds, int n)
{
	struct cmsghdr *cm;

	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	cm = CMSG_FIRSTHDR(mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(cm), fds, (size_t)n * sizeof(int));
}

static int send_packet(int fd, uint8_t *buf, size_t len, const int *fds, int n_fds)
{
	char control[CONTROL_SIZE] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { buf, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0)
		put_fds(&mh, control, fds, n_fds);
	do
		n = sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EWOULDBLOCK || errno == ENOBUFS)
		return -EAGAIN;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

int chan_send(struct chan *c, enum msg_number number, const void *msg, const int *fds)
{
	const struct msg_desc *d = &msg_descs[number];
	uint8_t buf[LIMIT_MESSAGE];
	int len, ret;

	if (c->fd < 0)
		return -EPIPE;
	if (!d->name || d->from != c->self || d->to != c->peer || (d->fds > 0 && !fds))
		return -EINVAL;
	len = msg_encode(number, msg, buf, sizeof(buf));
	if (len < 0)
		return len;
	ret = send_packet(c->fd, buf, (size_t)len, fds, d->fds);
	if (d->secrecy == MSG_SECRET)
		secret_wipe(buf, (size_t)len);
	return ret;
}

// ---------------------------------------------------------------------------------------------------------------- ladder

static uint32_t monotonic_second(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static bool used_up(struct chan *c, int number, const struct msg_desc *d)
{
	uint32_t second;

	if (d->times > 0) {
		if (c->used[number] >= d->times)
			return true;
		c->used[number]++;
	}
	if (d->per_second == 0)
		return false;
	second = monotonic_second();
	if (second != c->burst_second) {
		memset(c->burst, 0, sizeof(c->burst));
		c->burst_second = second;
	}
	if (c->burst[number] >= d->per_second)
		return true;
	c->burst[number]++;
	return false;
}

static int refuse(const struct chan *c, const char *what, const char *why)
{
	return errno_log(EPROTO, "%s: %s: %s", c->name, what, why);
}

// Everything that the table knows before the fields. *number only when it returns 0.
static int climb(struct chan *c, const chan_handler *handlers, const struct packet *pkt, int *number)
{
	const struct msg_desc *d;
	int claimed;

	if (pkt->cut)
		return refuse(c, "packet", "too long");
	claimed = msg_peek(pkt->buf, pkt->len);
	if (claimed < 0 || !msg_descs[claimed].name)
		return refuse(c, "packet", "no known message");
	d = &msg_descs[claimed];
	if (d->from != c->peer || d->to != c->self || !handlers[claimed])
		return refuse(c, d->name, "not on this channel");
	if (!(d->states & c->state))
		return refuse(c, d->name, "not in this state");
	if (used_up(c, claimed, d))
		return refuse(c, d->name, "too often");
	if (pkt->n_fds != d->fds || pkt->fds_cut)
		return refuse(c, d->name, "wrong number of descriptors");
	*number = claimed;
	return 0;
}

// We ran out of descriptors, and the peer is not to blame: that message is lost, as on a link, and what waits for it times out.
static bool lost_to_limit(const struct packet *pkt, const struct chan *c)
{
	int number = pkt->cut ? -1 : msg_peek(pkt->buf, pkt->len);

	return pkt->fds_cut && number > 0 && msg_descs[number].name && msg_descs[number].from == c->peer &&
	       pkt->n_fds < msg_descs[number].fds;
}

static void tell_lost(const struct chan *c, const chan_handler *handlers, void *who, const struct packet *pkt)
{
	int number = msg_peek(pkt->buf, pkt->len);
	const struct msg_desc *d = &msg_descs[number];
	union msg_any msg;
	const char *why;

	if (!c->lost || d->to != c->self || !handlers[number] || !(d->states & c->state))
		return;
	if (msg_decode((enum msg_number)number, pkt->buf, pkt->len, &msg, &why) == 0)
		c->lost(who, (enum msg_number)number, &msg);
	if (d->secrecy == MSG_SECRET)
		secret_wipe(&msg, d->size);
}

static int serve_packet(struct chan *c, const chan_handler *handlers, void *who, const struct packet *pkt, int *served)
{
	const struct msg_desc *d;
	union msg_any msg;
	const char *why;
	int number, ret;

	if (lost_to_limit(pkt, c)) {
		log_err("%s: out of descriptors: a message is lost", c->name);
		tell_lost(c, handlers, who, pkt);
		*served = 0;
		return 0;
	}
	ret = climb(c, handlers, pkt, &number);
	if (ret < 0)
		return ret;
	d = &msg_descs[number];
	if (msg_decode((enum msg_number)number, pkt->buf, pkt->len, &msg, &why) < 0)
		return refuse(c, d->name, why);
	*served = number;
	ret = handlers[number](who, &msg, pkt->fds);
	if (d->secrecy == MSG_SECRET)
		secret_wipe(&msg, d->size);
	return ret < 0 ? ret : 0;
}

int chan_serve_packet(struct chan *c, const chan_handler handlers[MSG_NUMBERS], void *who, const uint8_t *buf, size_t len, int *fds,
                      int n_fds)
{
	struct packet pkt = { .buf = buf, .len = len, .fds = fds, .n_fds = n_fds };
	int served, ret;

	ret = serve_packet(c, handlers, who, &pkt, &served);
	close_fds(fds, n_fds);
	return ret < 0 ? ret : 1;
}

// --------------------------------------------------------------------------------------------------------------- receive

// Collect what the kernel has put into our table: whatever happens next, close_fds() ends them.
static int collect_fds(struct msghdr *mh, int fds[FD_SLOTS])
{
	struct cmsghdr *cm;
	int n = 0;
	size_t i, count;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count && n < FD_SLOTS; i++)
			memcpy(&fds[n++], CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
	}
	return n;
}

// > 0: a packet; 0: closed; or a negative errno.
static int receive(const struct chan *c, uint8_t buf[LIMIT_MESSAGE], int fds[FD_SLOTS], struct packet *pkt)
{
	char control[CONTROL_SIZE] __attribute__((aligned(8)));
	struct iovec iov = { buf, LIMIT_MESSAGE };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n;

	if (c->fd < 0)
		return 0;
	// A peer that closes with our words unread leaves ECONNRESET once, before what it had still to say.
	do
		n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	*pkt = (struct packet){ .buf = buf, .len = (size_t)n, .fds = fds, .n_fds = collect_fds(&mh, fds) };
	pkt->cut = mh.msg_flags & MSG_TRUNC;
	pkt->fds_cut = mh.msg_flags & MSG_CTRUNC;
	if (n > 0)
		return 1;
	close_fds(fds, pkt->n_fds);
	return 0;
}

// One message. *number is 0 where it was lost.
static int serve_one(struct chan *c, const chan_handler *handlers, void *who, int *number)
{
	uint8_t buf[LIMIT_MESSAGE];
	int fds[FD_SLOTS], ret;
	struct packet pkt = { 0 };

	ret = receive(c, buf, fds, &pkt);
	if (ret <= 0)
		return ret;
	*number = 0;
	ret = serve_packet(c, handlers, who, &pkt, number);
	close_fds(fds, pkt.n_fds);
	// Without asking what it was: a refused packet may hold a secret too.
	secret_wipe(buf, pkt.len);
	return ret < 0 ? ret : 1;
}

int chan_serve(struct chan *c, const chan_handler handlers[MSG_NUMBERS], void *who, int most)
{
	int served, number, ret;

	for (served = 0; served < most; served++) {
		ret = serve_one(c, handlers, who, &number);
		if (ret == -EAGAIN && served > 0)
			return served;
		if (ret <= 0)
			return ret;
	}
	return c->fd < 0 ? 0 : served;
}

static int64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int chan_await(struct chan *c, const chan_handler handlers[MSG_NUMBERS], void *who, enum msg_number number, int timeout_ms)
{
	int64_t deadline = monotonic_ms() + timeout_ms, left;
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int served = 0, ret;

	do {
		left = deadline - monotonic_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		ret = serve_one(c, handlers, who, &served);
		if (ret == 0)
			return -EPIPE;
		if (ret < 0 && ret != -EAGAIN)
			return ret;
	} while (ret == -EAGAIN || served != (int)number);
	return 0;
}
