// RADIUS packets: what is built is what RFC 2865 and 3579 say, and what comes in is checked to the last byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "radius_rig.h"
#include "secmod/radius_packet.h"

#define SECRET RADIUS_RIG_SECRET

// RFC 2865 7.1: nemo logs in with "arctangent", and is let in.
static const uint8_t rfc_request[] = {
	0x01, 0x00, 0x00, 0x38, 0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22,
	0x7a, 0x01, 0x06, 0x6e, 0x65, 0x6d, 0x6f, 0x02, 0x12, 0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31, 0x96,
	0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee, 0x04, 0x06, 0xc0, 0xa8, 0x01, 0x10, 0x05, 0x06, 0x00, 0x00, 0x00, 0x03,
};
static const uint8_t rfc_accept[] = {
	0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24, 0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf, 0x9b, 0x55, 0xe0,
	0xb2, 0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03,
};

static void answers_of_the_rfc(void **state)
{
	uint8_t other[sizeof(rfc_accept)];

	assert_null(radius_check_answer(rfc_accept, sizeof(rfc_accept), rfc_request, SECRET, false));
	assert_string_equal(radius_check_answer(rfc_accept, sizeof(rfc_accept), rfc_request, SECRET, true),
	                    "it has no Message-Authenticator");
	for (size_t i = 0; i < sizeof(other); i++) { // no bit of it may be another
		memcpy(other, rfc_accept, sizeof(other));
		other[i] ^= 1;
		assert_non_null(radius_check_answer(other, sizeof(other), rfc_request, SECRET, false));
	}
	assert_non_null(radius_check_answer(rfc_accept, sizeof(rfc_accept), rfc_request, "xyzzy5462", false));
}

// RFC 2865 5.2, computed with OpenSSL alone.
static void reveal(const uint8_t *request, const uint8_t *hidden, size_t len, char *out)
{
	uint8_t plain[64], pad[16];
	const uint8_t *before = request + 4;
	unsigned size;

	for (size_t i = 0; i < len; i += 16) {
		memcpy(plain, SECRET, strlen(SECRET));
		memcpy(plain + strlen(SECRET), before, 16);
		EVP_Digest(plain, strlen(SECRET) + 16, pad, &size, EVP_md5(), NULL);
		for (size_t k = 0; k < 16; k++)
			out[i + k] = (char)(hidden[i + k] ^ pad[k]);
		before = hidden + i;
	}
	out[len] = '\0';
}

static void a_request(void **state)
{
	static const struct {
		size_t len;
		size_t hidden;
	} passwords[] = { { 0, 16 }, { 1, 16 }, { 15, 16 }, { 16, 16 }, { 17, 32 }, { 113, 128 }, { 128, 128 } };
	const struct addr nas4 = { 4, 32, 0, { 192, 0, 2, 1 } }, none = { 0 };
	struct radius_attributes a = { 0 };
	struct radius_packet p;

	radius_add_text(&a, RADIUS_USER_NAME, "nemo");
	radius_add_text(&a, RADIUS_NAS_IDENTIFIER, "");
	radius_add_number(&a, RADIUS_SERVICE_TYPE, 8);
	radius_add_addr(&a, RADIUS_NAS_IP_ADDRESS, RADIUS_NAS_IPV6_ADDRESS, &nas4);
	radius_add_addr(&a, RADIUS_FRAMED_IP_ADDRESS, RADIUS_FRAMED_IPV6_ADDRESS, &none);
	for (size_t i = 0; i < sizeof(passwords) / sizeof(*passwords); i++) {
		char password[129] = "", seen[129];
		const uint8_t *hidden;
		uint8_t copy[RADIUS_MAX], right[16];
		size_t len;
		unsigned size;

		memset(password, 'x', passwords[i].len);
		assert_int_equal(radius_build_access(&p, 77, &a, password, SECRET), 0);
		len = p.len;
		assert_null(radius_check(p.bytes, &len));
		assert_int_equal(len, p.len);
		assert_int_equal(p.bytes[0], RADIUS_ACCESS_REQUEST);
		assert_int_equal(p.bytes[1], 77);
		assert_memory_equal(p.bytes + 20, "\x50\x12", 2); // the signature is first
		memcpy(copy, p.bytes, p.len);
		memset(copy + 22, 0, 16);
		HMAC(EVP_md5(), SECRET, strlen(SECRET), copy, p.len, right, &size);
		assert_memory_equal(p.bytes + 22, right, 16);
		hidden = radius_rig_find(p.bytes, p.len, RADIUS_USER_PASSWORD);
		assert_int_equal(hidden[1], 2 + passwords[i].hidden);
		reveal(p.bytes, hidden + 2, passwords[i].hidden, seen);
		assert_string_equal(seen, password);
		assert_memory_equal(radius_rig_find(p.bytes, p.len, RADIUS_USER_NAME), "\x01\x06nemo", 6);
		assert_memory_equal(radius_rig_find(p.bytes, p.len, RADIUS_SERVICE_TYPE), "\x06\x06\0\0\0\x08", 6);
		assert_memory_equal(radius_rig_find(p.bytes, p.len, RADIUS_NAS_IP_ADDRESS), "\x04\x06\xc0\0\x02\x01", 6);
		assert_null(radius_rig_find(p.bytes, p.len, RADIUS_NAS_IDENTIFIER));
		assert_null(radius_rig_find(p.bytes, p.len, RADIUS_FRAMED_IP_ADDRESS));
	}
	char longest[130];

	memset(longest, 'x', 129);
	longest[129] = '\0';
	assert_int_equal(radius_build_access(&p, 1, &a, longest, SECRET), -EMSGSIZE);
}

static void what_does_not_fit(void **state)
{
	struct radius_attributes a = { 0 };
	struct radius_packet p;
	char text[300];
	uint8_t value[254] = { 0 };

	memset(text, 'x', sizeof(text));
	memcpy(text + 252, "\xc3\xa9", 2); // an e with an accent that would be cut in two
	text[299] = '\0';
	radius_add_text(&a, RADIUS_CONNECT_INFO, text);
	assert_int_equal(a.bytes[1], 2 + 252);
	assert_false(a.full);
	radius_add(&a, RADIUS_STATE, value, 254);
	assert_true(a.full);
	assert_int_equal(radius_build_access(&p, 1, &a, "x", SECRET), -EMSGSIZE);
	assert_int_equal(radius_build_accounting(&p, 1, &a, SECRET), -EMSGSIZE);

	memset(&a, 0, sizeof(a));
	for (int i = 0; i < 100; i++)
		radius_add(&a, RADIUS_CLASS, value, 253);
	assert_true(a.full);
	a.full = false; // as many as fit are no more than a packet
	memset(text, 'x', 128);
	text[128] = '\0';
	assert_int_equal(radius_build_access(&p, 1, &a, text, SECRET), 0);
	assert_true(p.len <= RADIUS_MAX);
}

static void malformed_packets(void **state)
{
	static const struct {
		size_t len, claims;
		uint8_t attributes[8];
		const char *why;
	} rows[] = {
		{ 20, 20, { 0 }, NULL },
		{ 0, 20, { 0 }, "its length is wrong" },
		{ 19, 19, { 0 }, "its length is wrong" },
		{ 19, 20, { 0 }, "its length is wrong" },
		{ 28, 20, { 1, 0 }, NULL }, // padding
		{ 20, 19, { 0 }, "its length is wrong" },
		{ 20, 28, { 0 }, "its length is wrong" },
		{ 4097, 4097, { 0 }, "its length is wrong" },
		{ 28, 28, { 1, 8 }, NULL },
		{ 28, 28, { 1, 2, 1, 6 }, NULL },
		{ 28, 28, { 1, 9 }, "its attributes overlap" },
		{ 28, 28, { 1, 7 }, "its attributes overlap" }, // one byte is left
		{ 28, 28, { 1, 1 }, "its attributes overlap" },
		{ 28, 28, { 1, 0 }, "its attributes overlap" },
		{ 28, 28, { 1, 2, 1, 255 }, "its attributes overlap" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t *bytes = calloc(1, rows[i].len + 1), *exact;
		size_t len = rows[i].len;
		const char *why;

		if (len >= 4) {
			bytes[2] = (uint8_t)(rows[i].claims >> 8);
			bytes[3] = (uint8_t)rows[i].claims;
		}
		if (len >= 28)
			memcpy(bytes + 20, rows[i].attributes, 8);
		exact = malloc(len > 0 ? len : 1);
		memcpy(exact, bytes, len);
		why = radius_check(exact, &len);
		if (rows[i].why == NULL) {
			assert_null(why);
			assert_int_equal(len, rows[i].claims);
		} else {
			assert_string_equal(why, rows[i].why);
			assert_int_equal(len, rows[i].len);
		}
		free(exact);
		free(bytes);
	}
}

#define SAYS(number, list) .code = (number), .attributes = (list), .len = sizeof(list)

// CVE-2024-3596: the digest of the header alone proves nothing.
static void signatures_of_answers(void **state)
{
	static const uint8_t twice[] = { 80, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	static const uint8_t stump[] = { 80, 4, 1, 2 };
	static const uint8_t message[] = { 18, 4, 'h', 'i' };
	static const struct {
		struct radius_rig_answer answer;
		const char *why;
	} rows[] = {
		{ { SAYS(2, message) }, NULL },
		{ { SAYS(2, message), .signature_last = true }, NULL },
		{ { .code = 3 }, NULL },
		{ { SAYS(2, message), .unsigned_ = true }, "it has no Message-Authenticator" },
		{ { SAYS(2, message), .wrong_signature = true }, "its Message-Authenticator is wrong" },
		{ { SAYS(2, message), .secret = "other" }, "its authenticator is wrong" },
		{ { SAYS(2, twice) }, "its Message-Authenticator is malformed" },
		{ { SAYS(2, stump), .unsigned_ = true }, "its Message-Authenticator is malformed" },
		{ { SAYS(2, twice), .unsigned_ = true }, "its Message-Authenticator is wrong" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t bytes[4096];
		size_t len = radius_rig_build(rfc_request, &rows[i].answer, bytes);
		const char *why = radius_check_answer(bytes, len, rfc_request, SECRET, true);

		if (rows[i].why == NULL)
			assert_null(why);
		else
			assert_string_equal(why, rows[i].why);
	}
}

// RFC 2866 3, RFC 5176 2.3.
static void accounting_and_requests_to_us(void **state)
{
	struct radius_attributes a = { 0 };
	struct radius_packet request, answer;
	uint8_t plain[RADIUS_MAX + 32], right[16];
	unsigned size;
	size_t len;

	radius_add_number(&a, RADIUS_ACCT_STATUS_TYPE, 1);
	assert_int_equal(radius_build_accounting(&request, 9, &a, SECRET), 0);
	memcpy(plain, request.bytes, request.len);
	memset(plain + 4, 0, 16);
	memcpy(plain + request.len, SECRET, strlen(SECRET));
	EVP_Digest(plain, request.len + strlen(SECRET), right, &size, EVP_md5(), NULL);
	assert_memory_equal(request.bytes + 4, right, 16);

	request.bytes[0] = RADIUS_DISCONNECT_REQUEST; // signed as accounting is
	memcpy(plain, request.bytes, request.len);
	memset(plain + 4, 0, 16);
	EVP_Digest(plain, request.len + strlen(SECRET), request.bytes + 4, &size, EVP_md5(), NULL);
	assert_null(radius_check_request(request.bytes, request.len, SECRET));
	assert_non_null(radius_check_request(request.bytes, request.len, "other"));
	assert_int_equal(radius_build_answer(&answer, RADIUS_DISCONNECT_ACK, request.bytes, &a, SECRET), 0);
	len = answer.len;
	assert_null(radius_check(answer.bytes, &len));
	assert_null(radius_check_answer(answer.bytes, answer.len, request.bytes, SECRET, true));
	request.bytes[21] ^= 1;
	assert_non_null(radius_check_request(request.bytes, request.len, SECRET));
}

static void vendors_attributes(void **state)
{
	static const uint8_t bytes[] = {
		2,  0,  0, 0,                                       // the header's beginning
		0,  0,  0, 0, 0, 0,  0,  0, 0, 0, 0, 0, 0, 0, 0, 0, // its authenticator
		26, 12, 0, 0, 1, 55, 28, 6, 9, 9, 9, 9,             // Microsoft's 28
		26, 12, 0, 0, 0, 0,  25, 6, 1, 1, 1, 1,             // nobody's: not the standard's Class
		26, 10, 0, 0, 1, 55, 28, 9, 1, 1,                   // overlapping
		26, 4,  0, 0,                                       // no vendor
		26, 6,  0, 0, 1, 55,                                // an empty one
		26, 11, 0, 0, 1, 55, 1,  2, 2, 3, 7,                // two
		8,  6,  1, 2, 3, 4,
	};
	static const struct radius_attribute rows[] = {
		{ 28, 4, bytes + 28, 311 },       { 0, 10, bytes + 34, UINT32_MAX }, { 0, 8, bytes + 46, 311 },
		{ 0, 2, bytes + 56, UINT32_MAX }, { 1, 0, bytes + 72, 311 },         { 2, 1, bytes + 74, 311 },
		{ 8, 4, bytes + 77, 0 },
	};
	struct radius_attribute a;
	struct radius_walk w;

	radius_walk_begin(&w, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(radius_walk_next(&w, &a));
		assert_int_equal(a.type, rows[i].type);
		assert_int_equal(a.len, rows[i].len);
		assert_int_equal(a.vendor, rows[i].vendor);
		assert_ptr_equal(a.value, rows[i].value);
	}
	assert_int_equal(radius_number(&a), 0x01020304);
	assert_false(radius_walk_next(&w, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_of_the_rfc),    cmocka_unit_test(a_request),
		cmocka_unit_test(what_does_not_fit),     cmocka_unit_test(malformed_packets),
		cmocka_unit_test(signatures_of_answers), cmocka_unit_test(accounting_and_requests_to_us),
		cmocka_unit_test(vendors_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
