#include "portxdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "portfd.h"

#define MAPS_MAX 16

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

// --------------------------------------------------------------------------------------------------------- the program

// Registers: 1 context at entry, 2 frame, 3 its end, 4 and 5 scratch, 6 context.
#define INSN(c, d, s, o, i) ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOVE(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define AND(d, i) INSN(BPF_ALU64 | BPF_AND | BPF_K, d, 0, 0, i)
#define LOAD(size, d, s, o) INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define UNLESS(d, i, to) INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, to, i)
#define WHEN(d, i, to) INSN(BPF_JMP | BPF_JEQ | BPF_K, d, 0, to, i)
#define BEYOND(d, s, to) INSN(BPF_JMP | BPF_JGT | BPF_X, d, s, to, 0)
#define GO(to) INSN(BPF_JMP | BPF_JA, 0, 0, to, 0)
#define CALL(i) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, i)
#define END INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define PASS(at) (31 - (at)-1) // the way from instruction `at` to the end, where the kernel gets the frame

static int load_program(int map, uint16_t port)
{
	const struct bpf_insn code[] = {
		/*  0 */ MOVE(6, 1),
		/*  1 */ LOAD(BPF_W, 2, 6, offsetof(struct xdp_md, data)),
		/*  2 */ LOAD(BPF_W, 3, 6, offsetof(struct xdp_md, data_end)),
		/*  3 */ MOVE(4, 2),
		/*  4 */ ADD(4, 14 + 20 + 8),
		/*  5 */ BEYOND(4, 3, PASS(5)),
		/*  6 */ LOAD(BPF_H, 5, 2, 12),
		/*  7 */ WHEN(5, htons(0x0800), 8), // to 16
		/*  8 */ UNLESS(5, htons(0x86dd), PASS(8)),
		/*  9 */ MOVE(4, 2),
		/* 10 */ ADD(4, 14 + 40 + 8),
		/* 11 */ BEYOND(4, 3, PASS(11)),
		/* 12 */ LOAD(BPF_B, 5, 2, 14 + 6),
		/* 13 */ UNLESS(5, IPPROTO_UDP, PASS(13)),
		/* 14 */ LOAD(BPF_H, 5, 2, 14 + 40 + 2),
		/* 15 */ GO(8), // to 24
		/* 16 */ LOAD(BPF_B, 5, 2, 14),
		/* 17 */ UNLESS(5, 0x45, PASS(17)), // options: the kernel's
		/* 18 */ LOAD(BPF_B, 5, 2, 14 + 9),
		/* 19 */ UNLESS(5, IPPROTO_UDP, PASS(19)),
		/* 20 */ LOAD(BPF_H, 5, 2, 14 + 6),
		/* 21 */ AND(5, htons(0x3fff)),
		/* 22 */ UNLESS(5, 0, PASS(22)), // a fragment: others' must stay the kernel's, and later ones name no port
		/* 23 */ LOAD(BPF_H, 5, 2, 14 + 20 + 2),
		/* 24 */ UNLESS(5, htons(port), PASS(24)),
		/* 25 */ LOAD(BPF_W, 2, 6, offsetof(struct xdp_md, rx_queue_index)),
		/* 26 */ INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
		/* 27 */ INSN(0, 0, 0, 0, 0),
		/* 28 */ SET(3, XDP_PASS), // a queue without a socket of ours
		/* 29 */ CALL(BPF_FUNC_redirect_map),
		/* 30 */ END,
		/* 31 */ SET(0, XDP_PASS),
		/* 32 */ END,
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insn_cnt = sizeof(code) / sizeof(code[0]),
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "BSD",
		.prog_name = "penstock",
	};
	long fd = bpf(BPF_PROG_LOAD, &attr);

	return fd < 0 ? -errno : (int)fd;
}

// ------------------------------------------------------------------------------------------------------------ attaching

struct finding {
	int taken[MAPS_MAX], n_taken;
	int found;
};

static void look_at(int fd, void *arg)
{
	struct finding *f = arg;
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uintptr_t)&info } };

	for (int i = 0; i < f->n_taken; i++)
		if (f->taken[i] == fd)
			return;
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && info.type == BPF_MAP_TYPE_XSKMAP)
		f->found = fd;
}

// The map that the driver has just made for its socket: ports are started one by one, so it is the one not seen before.
static int find_map(void)
{
	static struct finding f;

	f.found = -ENOENT;
	if (f.n_taken == MAPS_MAX)
		return -E2BIG;
	portfd_each(look_at, &f);
	if (f.found >= 0)
		f.taken[f.n_taken++] = f.found;
	return f.found;
}

static struct rtattr *put_attr(struct nlmsghdr *h, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(a), data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

// Take the driver's program off, in the mode in which it is there; what the kernel thinks of the other mode does not matter.
static void detach(int fd, int index, uint32_t mode)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
		char room[64];
	} m = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.link)),
		       .nlmsg_type = RTM_SETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.link = { .ifi_index = index } };
	char answer[1024];
	struct rtattr *nest;
	const int none = -1;

	nest = put_attr(&m.h, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	put_attr(&m.h, IFLA_XDP_FD, &none, sizeof(none));
	put_attr(&m.h, IFLA_XDP_FLAGS, &mode, sizeof(mode));
	nest->rta_len = (unsigned short)((char *)&m.h + m.h.nlmsg_len - (char *)nest);
	if (send(fd, &m, m.h.nlmsg_len, 0) == (ssize_t)m.h.nlmsg_len && recv(fd, answer, sizeof(answer), 0) < 0)
		return;
}

static int detach_all(int index)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	detach(fd, index, XDP_FLAGS_DRV_MODE);
	detach(fd, index, XDP_FLAGS_SKB_MODE);
	close(fd);
	return 0;
}

// By a link, which goes when its descriptor does: with this process.
static int attach(int program, int index)
{
	union bpf_attr attr = { .link_create = {
		                        .prog_fd = (uint32_t)program, .target_ifindex = (uint32_t)index, .attach_type = BPF_XDP } };

	if (bpf(BPF_LINK_CREATE, &attr) >= 0)
		return 0;
	attr.link_create.flags = XDP_FLAGS_SKB_MODE;
	return bpf(BPF_LINK_CREATE, &attr) < 0 ? -errno : 0;
}

int portxdp_share(const char *interface, uint16_t udp_port)
{
	int index = (int)if_nametoindex(interface), map = find_map(), program, ret;

	if (index == 0 || map < 0)
		return index == 0 ? -ENODEV : map;
	program = load_program(map, udp_port);
	if (program < 0)
		return program;
	ret = detach_all(index);
	if (ret == 0)
		ret = attach(program, index);
	close(program);
	return ret;
}
