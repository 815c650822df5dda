// Packets that become one frame, and those that must not. Whatever comes of them, the kernel's own segmentation has to give back
// what came.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "craft_coalesce.h"

static struct craft_crowd w;
static bool udp;

static int fresh(void **state)
{
	w.n = 0;
	udp = true;
	return 0;
}

// The flow's next packet.
static struct craft_packet *come(struct craft_flow *f, uint32_t payload)
{
	craft_next(f, &w.came[w.n], payload);
	return &w.came[w.n++];
}

// So many packets in each frame, and in that order.
static void become(const char *frames)
{
	char text[4 * COALESCE_MAX] = "";
	size_t used = 0;

	craft_coalesce(&w, udp);
	for (unsigned i = 0; i < w.c.bunches; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", i ? " " : "", w.c.bunch[i].n);
	assert_string_equal(text, frames);
	assert_true(craft_all_there(&w));
	for (unsigned i = 0; i < w.c.bunches; i++)
		assert_true(craft_gives_back(&w, &w.c.bunch[i]));
	w.n = 0;
}

static struct craft_flow tcp(uint8_t family)
{
	return craft_flow(family, PROTOCOL_TCP);
}

static void segments_in_order_are_one(void **state)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		struct craft_flow f = tcp((uint8_t)family);
		for (unsigned i = 0; i < 32; i++)
			come(&f, 1382);
		become("32");
		come(&f, 1382);
		come(&f, 1382);
		come(&f, 10); // a shorter one is the last
		come(&f, 1382);
		come(&f, 1382);
		become("3 2");
		come(&f, 500);
		come(&f, 501); // a longer one is none of them
		come(&f, 501);
		become("1 2");
		come(&f, 1382);
		become("1");
		become("");
	}
}

static void a_frame_is_64_kb_at_most(void **state)
{
	struct craft_flow f = tcp(4);

	for (unsigned i = 0; i < 64; i++)
		come(&f, 1382);
	become("47 17");
	f = tcp(6);
	f.options = 0;
	for (unsigned i = 0; i < 16; i++)
		come(&f, 8000);
	become("8 8");
}

// Three segments, the second of them changed.
#define ODD(frames, change)                              \
	do {                                             \
		struct craft_flow f = tcp(4), *was = &f; \
		come(was, 100);                          \
		change;                                  \
		come(was, 100);                          \
		become(frames);                          \
	} while (0)

static void what_differs_is_apart(void **state)
{
	ODD("2", (void)0);
	ODD("1 1", f.sequence += 1);
	ODD("1 1", f.sequence -= 1);
	ODD("1 1", f.sequence -= 100); // once more
	ODD("1 1", f.ack++);
	ODD("1 1", f.window++);
	ODD("1 1", f.ttl--);
	ODD("1 1", f.tos = 3); // congestion experienced, say
	ODD("1 1", f.options = 8);
	ODD("1 1", f.fragment = true);
	ODD("1 1", f.id++);
	ODD("1 1", f.id -= 2);
	ODD("1 1", f.flags = TCP_ACK | 0x40); // ECE
	ODD("1 1", f.flags = TCP_ACK | TCP_CWR);
	ODD("1 1", f.flags = TCP_ACK | TCP_FIN);
	ODD("1 1", f.flags = TCP_ACK | 0x20); // URG
	ODD("1 1", f.flags = TCP_ACK | 0x04); // RST
	ODD("1 1", f.flags = TCP_ACK | 0x02); // SYN
	ODD("1 1", f.flags = 0);
	ODD("1 1", f.port++); // another flow
}

static void a_byte_of_a_header_may_matter(void **state)
{
	for (unsigned at = 0; at < ETHER_HEADER + IPV4_HEADER + TCP_HEADER + 12; at++) {
		struct craft_flow f = tcp(4);
		come(&f, 100);
		come(&f, 100)->frame[at] ^= 0x81;
		become("1 1");
		f = tcp(6);
		come(&f, 100);
		come(&f, 100)->frame[at] ^= 0x81;
		become("1 1");
	}
}

static void a_push_ends_it(void **state)
{
	struct craft_flow f = tcp(4);

	come(&f, 100);
	f.flags = TCP_ACK | TCP_PSH;
	come(&f, 100);
	f.flags = TCP_ACK;
	come(&f, 100);
	come(&f, 100);
	become("2 2");
	f.flags = TCP_ACK | TCP_PSH;
	come(&f, 100);
	come(&f, 100);
	become("1 1");
}

static void an_acknowledgement_stays_where_it_came(void **state)
{
	struct craft_flow f = tcp(4);

	come(&f, 100);
	come(&f, 100);
	come(&f, 0); // has no data: nothing may move over it
	come(&f, 100);
	come(&f, 100);
	become("2 1 2");
}

static void a_broken_checksum_is_not_laundered(void **state)
{
	struct craft_flow f = tcp(4);
	struct craft_packet *p;

	come(&f, 100);
	p = come(&f, 100);
	p->frame[p->len - 1] ^= 1;
	come(&f, 100);
	come(&f, 100);
	become("1 1 2");
	p = come(&f, 100);
	p->frame[p->len - 1] ^= 1;
	come(&f, 100);
	come(&f, 100);
	become("1 2");
	p = come(&f, 100);
	p->frame[ETHER_HEADER + 10] ^= 1; // the IP header's
	come(&f, 100);
	become("1 1");
}

static void identifications_count_or_stay(void **state)
{
	struct craft_flow f = tcp(4);

	for (unsigned i = 0; i < 4; i++, f.id--)
		come(&f, 100);
	become("4"); // the same in all, and DF set
	f.fragment = true;
	for (unsigned i = 0; i < 3; i++, f.id--)
		come(&f, 100);
	become("1 1 1"); // without DF they name fragments
	for (unsigned i = 0; i < 3; i++)
		come(&f, 100);
	become("3");
	f.fragment = false;
	come(&f, 100);
	come(&f, 100);
	f.id--;
	come(&f, 100);
	become("2 1");
}

static void flows_do_not_mix(void **state)
{
	struct craft_flow a = tcp(4), b = tcp(4), d = tcp(6), e = craft_flow(4, PROTOCOL_UDP);

	b.port++;
	for (unsigned i = 0; i < 8; i++) {
		come(&a, 1000);
		come(&b, 500);
		come(&d, 1000);
		come(&e, 300);
	}
	become("8 8 8 8");
}

static void a_fragment_is_not_overtaken(void **state)
{
	struct craft_flow a = tcp(4), other = tcp(6), f = craft_flow(4, PROTOCOL_UDP);

	come(&a, 100);
	come(&other, 100);
	come(&f, 100)->frame[ETHER_HEADER + 6] = 0x20; // more fragments follow: whose they are is in none but the first
	come(&a, 100);
	come(&other, 100);
	become("1 2 1 1");
}

static void datagrams_of_a_size_are_one(void **state)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		struct craft_flow f = craft_flow((uint8_t)family, PROTOCOL_UDP);
		for (unsigned i = 0; i < 10; i++)
			come(&f, 1200);
		come(&f, 7);
		come(&f, 1200);
		come(&f, 1201);
		become("11 1 1");
		for (unsigned i = 0; i < 3; i++)
			come(&f, 1200);
		udp = false; // a kernel that has none
		become("1 1 1");
		udp = true;
	}
}

static void a_datagram_without_checksum_stays_so(void **state)
{
	struct craft_flow f = craft_flow(4, PROTOCOL_UDP);

	for (unsigned i = 0; i < 3; i++)
		store16(come(&f, 100)->frame + ETHER_HEADER + IPV4_HEADER + UDP_CHECKSUM, 0);
	become("1 1 1");
}

static void what_pads_a_frame_is_left(void **state)
{
	struct craft_flow f = tcp(4);

	come(&f, 100);
	come(&f, 100)->len++;
	become("1 1");
}

static void nonsense_passes_as_it_is(void **state)
{
	struct craft_flow f = tcp(4);

	for (unsigned len = 0; len < 60; len++) {
		come(&f, 100)->len = len;
		memset(w.came[0].frame, (int)len, len);
		come(&f, 100);
		become("1 1");
	}
	memset(&w.came[w.n], 0xff, 2000);
	w.came[w.n++].len = 2000;
	become("1");
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments_in_order_are_one),
		TEST(a_frame_is_64_kb_at_most),
		TEST(what_differs_is_apart),
		TEST(a_byte_of_a_header_may_matter),
		TEST(a_push_ends_it),
		TEST(an_acknowledgement_stays_where_it_came),
		TEST(a_broken_checksum_is_not_laundered),
		TEST(identifications_count_or_stay),
		TEST(flows_do_not_mix),
		TEST(a_fragment_is_not_overtaken),
		TEST(datagrams_of_a_size_are_one),
		TEST(a_datagram_without_checksum_stays_so),
		TEST(what_pads_a_frame_is_left),
		TEST(nonsense_passes_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
