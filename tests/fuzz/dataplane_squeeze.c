// A compressed packet under DTLS, in a buffer of the dataplane's: the first byte picks the compressor, the second how much room the
// buffer has. What comes out fits the buffer and the tunnel.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/packet.h"
#include "dataplane/squeeze.h"
#include "dataplane/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct squeeze squeeze;
	struct tunnel_out out = { .mtu = 1400 };
	uint16_t room;
	struct rte_mbuf *m;

	if (size < 3 || size > 1500)
		return 0;
	out.compress = (uint8_t)(COMPRESS_LZ4 + data[0] % COMPRESS_LAST);
	room = (uint16_t)(size + 8u * data[1]);
	m = calloc(1, sizeof(*m));
	m->buf_addr = malloc(room);
	m->buf_len = room;
	m->nb_segs = 1;
	m->data_len = (uint16_t)(size - 2);
	m->pkt_len = m->data_len;
	memcpy(m->buf_addr, data + 2, m->data_len);
	if (squeeze_unpack(&squeeze, &out, m)) {
		if (m->data_len > room || m->data_len > out.mtu || m->pkt_len != m->data_len)
			abort();
		squeeze_pack(&squeeze, &out, m);
	}
	free(m->buf_addr);
	free(m);
	return 0;
}
