#include "reader.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define LOOK_MS 1000

void reader_sent(struct reader *r, uint64_t now_ms)
{
	if (r->look_ms == 0)
		r->look_ms = now_ms + LOOK_MS;
}

// A window of less than a segment is none: the kernel does not send into it (RFC 9293 3.8.6.2.1).
static bool is_shut(const struct tcp_info *info)
{
	return info->tcpi_notsent_bytes > 0 && info->tcpi_snd_wnd < info->tcpi_snd_mss;
}

bool reader_is_frozen(struct reader *r, int socket, uint64_t now_ms)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (r->look_ms == 0 || now_ms < r->look_ms)
		return false;
	if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    (info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0)) {
		*r = (struct reader){ 0 };
		return false;
	}
	r->look_ms = now_ms + LOOK_MS;
	if (!is_shut(&info)) {
		r->shut_ms = 0;
	} else if (r->shut_ms == 0 || info.tcpi_bytes_acked != r->acked) {
		r->shut_ms = now_ms;
		r->acked = info.tcpi_bytes_acked;
	}
	return r->shut_ms > 0 && now_ms - r->shut_ms >= READER_FROZEN_MS;
}
