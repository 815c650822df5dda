// The ladder that every message climbs, in every direction and state: the first bytes pick the two roles, the state and the
// descriptors that come along; then packets follow, a length before each. What reaches a handler is allowed to, and no descriptor
// is leaked.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "craft.h"
#include "proto/chan.h"
#include "proto/log.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct chan *receiver;
static int served;

static int on_any(int number)
{
	const struct msg_desc *d = &msg_descs[number];

	if (d->from != receiver->peer || d->to != receiver->self || !(d->states & receiver->state))
		abort();
	served++;
	return 0;
}

// One handler each, or none would know which message it is.
#define MESSAGE(from, to, NAME, name, number, ...)                     \
	static int on_##name(void *who, const void *m, const int *fds) \
	{                                                              \
		for (unsigned i = 0; i < msg_descs[number].fds; i++)   \
			if (fds[i] < 0)                                \
				abort();                               \
		return on_any(number);                                 \
	}
#include "proto/messages.def"
#undef MESSAGE
static const chan_handler handlers[MSG_NUMBERS] = {
#define MESSAGE(from, to, NAME, name, number, ...) [number] = on_##name,
#include "proto/messages.def"
#undef MESSAGE
};

// Whatever roles some message goes between.
static void roles_of(unsigned which, struct chan *c)
{
	int number = 1 + (int)which % (MSG_NUMBERS - 1);

	while (!msg_descs[number].name)
		number = 1 + number % (MSG_NUMBERS - 1);
	c->self = msg_descs[number].to;
	c->peer = msg_descs[number].from;
}

static bool send_packet(int fd, const uint8_t *bytes, size_t len, unsigned n)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;
	int fds[8];

	if (n > 0) {
		for (unsigned i = 0; i < n; i++)
			fds[i] = STDERR_FILENO;
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
	}
	return sendmsg(fd, &mh, MSG_NOSIGNAL) >= 0;
}

// As it is; or, for it is hard to guess, as the fields of a message.
static size_t packet_of(struct talk *t, uint8_t out[2 * LIMIT_MESSAGE])
{
	const uint8_t how = talk_byte(t);
	size_t len = (size_t)talk_byte(t) << (how >> 5), left = (size_t)(t->end - t->at);
	static struct craft c;
	union msg_any m;

	if (how & 1) {
		enum msg_number number = talk_message(t, receiver->peer, receiver->self, &m);

		return (size_t)msg_encode(number, &m, out, LIMIT_MESSAGE);
	}
	len = len < left ? len : left;
	len = len < LIMIT_MESSAGE ? len : LIMIT_MESSAGE;
	c.len = 0;
	if (how & 2 && len > 0) {
		craft_array(&c, msg_descs[t->at[0]].n_fields + 1u);
		craft_byte(&c, 0xcc);
	}
	craft_raw(&c, t->at, len);
	t->at += len;
	memcpy(out, c.buf, c.len);
	return c.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { .at = data, .end = data + size };
	uint8_t packet[2 * LIMIT_MESSAGE];
	struct chan c;
	int fds[2], probe, ret = 1;

	log_init("fuzz", (enum log_level)(LOG_LEVEL_ERR - 1), LOG_FORM_PLAIN);
	probe = dup(STDERR_FILENO);
	close(probe);
	if (chan_pair(fds) < 0)
		abort();
	chan_init(&c, fds[0], ROLE_MAIN, ROLE_WORKER, ANY, "peer");
	receiver = &c;
	roles_of(talk_byte(&t), &c);
	while (t.at < t.end && ret > 0) {
		const uint8_t state = talk_byte(&t);
		const size_t len = packet_of(&t, packet);

		chan_enter(&c, state & 0x20 ? ANY : 1u << (state & 0x1f));
		served = 0;
		if (!send_packet(fds[1], packet, len, talk_byte(&t) % 8))
			break;
		ret = chan_serve(&c, handlers, NULL, 4);
		if (served > 1 || (len > 0 && ret == 0) || ret == -EAGAIN)
			abort();
	}
	chan_fini(&c);
	close(fds[1]);
	if (dup(STDERR_FILENO) != probe)
		abort(); // one has stayed open
	close(probe);
	return 0;
}
