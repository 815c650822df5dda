// What may come to the tunnels of dataplane_tunnels.h from both sides and from their lanes, and what comes of it.
#pragma once
#include "dataplane_tunnels.h"

static WORLD_UNUSED void run(void)
{
	unsigned moved;

	do {
		moved = 0;
		for (unsigned i = 0; i < CORES; i++)
			moved += loop_round(w.dp.cores[i]);
	} while (moved);
}

static unsigned arrival; // the core whose queues what comes next comes to

static WORLD_UNUSED void arrive_outside(struct rte_mbuf *m)
{
	assert_int_equal(rte_ring_enqueue(w.outer.rx_of[arrival], m), 0);
}

// The client's record of plaintext, into `out`; its length.
static WORLD_UNUSED uint16_t record_of(uint32_t t, unsigned handshake, uint8_t type, const void *plain, uint16_t len, uint8_t *out)
{
	return world_seal(&client[t][handshake], out, type, 1, sequence[t][handshake]++, plain, len);
}

static WORLD_UNUSED void send_record(uint32_t t, unsigned handshake, uint8_t type, const void *plain, uint16_t len)
{
	struct path path = path_of(t, handshake);
	uint8_t record[2200];

	arrive_outside(world_frame(&w, &path, record, record_of(t, handshake, type, plain, len, record)));
}

// An inner IPv4 packet of the client, behind its type byte.
static WORLD_UNUSED uint16_t inner_plain(uint32_t t, uint16_t len, uint8_t *plain)
{
	plain[0] = TYPE_DATA;
	world_ip(plain + 1, len, world_ipv4(t), INSIDE);
	return len + 1;
}

static WORLD_UNUSED void send_data(uint32_t t, unsigned handshake, uint16_t len)
{
	uint8_t plain[2048];

	send_record(t, handshake, CONTENT_DATA, plain, inner_plain(t, len, plain));
}

// The next frame from that ring; NULL for none. Freed with the next call.
static WORLD_UNUSED struct rte_mbuf *next_of(struct rte_ring *r)
{
	void *m = NULL;

	rte_pktmbuf_free(held);
	rte_ring_dequeue(r, &m);
	held = m;
	return held;
}

static WORLD_UNUSED unsigned waiting(struct rte_ring *r)
{
	return rte_ring_count(r);
}

static WORLD_UNUSED void nothing_came_out(void)
{
	assert_int_equal(waiting(w.outer.tx), 0);
	assert_int_equal(waiting(w.inner.tx), 0);
}

// From the kernel to a client.
static WORLD_UNUSED void arrive_inside(uint16_t ethertype, const uint8_t *packet, uint16_t len)
{
	struct rte_mbuf *m = world_packet(&w);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(ETHER_HEADER + len));

	memset(frame, 0, ETHER_HEADER);
	store16(frame + 12, ethertype);
	memcpy(frame + ETHER_HEADER, packet, len);
	assert_int_equal(rte_ring_enqueue(w.inner.rx_of[arrival], m), 0);
}

static WORLD_UNUSED void send_inside(uint32_t t, uint16_t len)
{
	uint8_t packet[2048];

	world_ip(packet, len, INSIDE, world_ipv4(t));
	arrive_inside(ETHER_IPV4, packet, len);
}

static WORLD_UNUSED void arrive_lane(uint32_t t, enum packet_kind kind, uint8_t type, uint32_t handshake, const struct path *path,
                                     const void *p, uint16_t len)
{
	struct rte_mbuf *m = world_packet(&w);

	*packet_of(m) = (struct packet){ .tunnel = t, .kind = kind, .type = type, .handshake = handshake };
	if (path)
		packet_of(m)->path = *path;
	memcpy(rte_pktmbuf_append(m, len), p, len);
	assert_int_equal(rte_ring_enqueue(w.dp.cores[arrival]->from_control, m), 0);
}

// The plaintext of the one record that left for the client; its type byte and all.
static WORLD_UNUSED const uint8_t *client_gets(uint32_t t, unsigned handshake, uint8_t type, uint16_t *len)
{
	struct rte_mbuf *m = next_of(w.outer.tx);
	struct path path = path_of(t, handshake);
	unsigned headers = headers_len(&path);
	uint8_t *frame, *plain;

	assert_non_null(m);
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	assert_memory_equal(frame, &path.peer_mac, 6);
	assert_memory_equal(frame + 6, &path.our_mac, 6);
	assert_memory_equal(frame + headers - 8, &path.key.our_udp, 2);
	assert_memory_equal(frame + headers - 6, &path.key.peer_udp, 2);
	assert_int_equal(frame[headers], type);
	plain = world_open(&client[t][handshake], frame + headers, (uint16_t)(m->data_len - headers), len);
	assert_non_null(plain);
	return plain;
}

static WORLD_UNUSED struct packet control_gets(uint8_t kind)
{
	struct rte_mbuf *m = next_of(w.lc->to_control);

	assert_non_null(m);
	assert_int_equal(packet_of(m)->kind, kind);
	return *packet_of(m);
}

static WORLD_UNUSED struct packet event_of(uint8_t event)
{
	struct packet p = control_gets(PACKET_EVENT);

	assert_int_equal(p.event, event);
	return p;
}

#define COUNTED(counter, n) assert_int_equal(total(COUNT_##counter), n)

static WORLD_UNUSED void send_bytes(const struct path *path, const void *datagram, uint16_t len)
{
	arrive_outside(world_frame(&w, path, datagram, len));
	run();
}

static WORLD_UNUSED uint16_t hello_of(uint32_t t, uint8_t *out)
{
	static const uint8_t head[] = "\x16\xfe\xff\0\0\0\0\0\0\0\0\0\0"
	                              "\x01\0\0\0\0\0\0\0\0\0\0\0"
	                              "\xfe\xfd";
	uint16_t len = sizeof(head) - 1;

	memcpy(out, head, len);
	memset(out + len, 9, 32);
	len += 32;
	out[len++] = APP_ID_SIZE;
	world_app_id(t, out + len);
	len += APP_ID_SIZE;
	memcpy(out + len, "\0\0\x02\0\xa8\x01\0\0\0", 9);
	len += 9;
	store16(out + 11, len - RECORD_HEADER);
	store16(out + RECORD_HEADER + 2, len - RECORD_HEADER - 12);
	store16(out + RECORD_HEADER + 10, len - RECORD_HEADER - 12);
	return len;
}
