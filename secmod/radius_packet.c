#include "secmod/radius_packet.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "proto/secret.h"
#include "proto/utf8.h"

#define AUTHENTICATOR_AT 4 // behind code, identifier and length
#define HMAC_BLOCK 64
#define MESSAGE_AUTHENTICATOR_LEN (2 + RADIUS_AUTHENTICATOR)

static void put16(uint8_t *at, uint16_t n)
{
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// -------------------------------------------------------------------------------------------------------------- attributes

void radius_add(struct radius_attributes *a, uint8_t type, const void *value, size_t len)
{
	if (len > RADIUS_VALUE_MAX || a->len + 2 + len > sizeof(a->bytes)) {
		a->full = true;
		return;
	}
	a->bytes[a->len] = type;
	a->bytes[a->len + 1] = (uint8_t)(2 + len);
	if (len > 0)
		memcpy(a->bytes + a->len + 2, value, len);
	a->len = (uint16_t)(a->len + 2 + len);
}

void radius_add_text(struct radius_attributes *a, uint8_t type, const char *text)
{
	size_t len = strlen(text), used = 0, n;

	while (used < len && used < RADIUS_VALUE_MAX) {
		n = utf8_printable((const uint8_t *)text + used, len - used);
		n = n > 0 ? n : 1;
		if (used + n > RADIUS_VALUE_MAX)
			break;
		used += n;
	}
	if (used > 0)
		radius_add(a, type, text, used);
}

void radius_add_number(struct radius_attributes *a, uint8_t type, uint32_t number)
{
	uint8_t value[4];

	put16(value, (uint16_t)(number >> 16));
	put16(value + 2, (uint16_t)number);
	radius_add(a, type, value, sizeof(value));
}

void radius_add_addr(struct radius_attributes *a, uint8_t type4, uint8_t type6, const struct addr *ip)
{
	if (ip->family == 4)
		radius_add(a, type4, ip->ip, 4);
	else if (ip->family == 6)
		radius_add(a, type6, ip->ip, 16);
}

// ----------------------------------------------------------------------------------------------------------------- digests

// MD5 of the parts one after the other.
struct part {
	const void *at;
	size_t len;
};

// Asked for by name and once: a FIPS set-up has it in no default place, and each look-up costs more than the digest.
static const EVP_MD *md5_digest(void)
{
	static EVP_MD *md;

	if (md == NULL)
		md = EVP_MD_fetch(NULL, "MD5", "?fips=no");
	return md;
}

static int md5(const struct part *parts, size_t n, uint8_t out[RADIUS_AUTHENTICATOR])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx != NULL && md5_digest() != NULL && EVP_DigestInit_ex(ctx, md5_digest(), NULL) == 1;

	for (size_t i = 0; i < n && ok; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].at, parts[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

// RFC 2104, of the digest above: OpenSSL's HMAC would look MD5 up anew, with properties of its own choice.
static int hmac(const char *secret, const uint8_t *bytes, size_t len, uint8_t out[RADIUS_AUTHENTICATOR])
{
	uint8_t key[HMAC_BLOCK] = { 0 }, inner_pad[HMAC_BLOCK], outer_pad[HMAC_BLOCK], inner[RADIUS_AUTHENTICATOR];
	const struct part whole = { secret, strlen(secret) };
	const struct part first[] = { { inner_pad, HMAC_BLOCK }, { bytes, len } };
	const struct part second[] = { { outer_pad, HMAC_BLOCK }, { inner, sizeof(inner) } };
	int ret = 0;

	if (whole.len > HMAC_BLOCK)
		ret = md5(&whole, 1, key);
	else
		memcpy(key, secret, whole.len);
	for (size_t i = 0; i < HMAC_BLOCK; i++) {
		inner_pad[i] = key[i] ^ 0x36;
		outer_pad[i] = key[i] ^ 0x5c;
	}
	if (ret == 0)
		ret = md5(first, 2, inner);
	if (ret == 0)
		ret = md5(second, 2, out);
	secret_wipe(key, sizeof(key));
	secret_wipe(inner_pad, sizeof(inner_pad));
	secret_wipe(outer_pad, sizeof(outer_pad));
	return ret;
}

// RFC 2865 5.2: a chain of blocks, each under the one before.
static int hide_password(const char *password, const char *secret, const uint8_t *authenticator, uint8_t *out, size_t len)
{
	const struct part first[] = { { secret, strlen(secret) }, { authenticator, RADIUS_AUTHENTICATOR } };
	uint8_t clear[RADIUS_PASSWORD_MAX] = { 0 };
	uint8_t pad[RADIUS_AUTHENTICATOR];
	int ret = 0;

	memcpy(clear, password, strlen(password));
	for (size_t i = 0; i < len && ret == 0; i += RADIUS_AUTHENTICATOR) {
		const struct part later[] = { first[0], { out + i - RADIUS_AUTHENTICATOR, RADIUS_AUTHENTICATOR } };

		ret = md5(i == 0 ? first : later, 2, pad);
		for (size_t k = 0; k < RADIUS_AUTHENTICATOR; k++)
			out[i + k] = clear[i + k] ^ pad[k];
	}
	secret_wipe(clear, sizeof(clear));
	secret_wipe(pad, sizeof(pad));
	return ret;
}

// ---------------------------------------------------------------------------------------------------------------- building

static void begin(struct radius_packet *p, uint8_t code, uint8_t id)
{
	p->bytes[0] = code;
	p->bytes[1] = id;
	memset(p->bytes + AUTHENTICATOR_AT, 0, RADIUS_AUTHENTICATOR);
	p->len = RADIUS_HEADER;
}

// Its place, filled with zeros until all the rest is there.
static uint8_t *reserve_authenticator(struct radius_packet *p)
{
	uint8_t *at = p->bytes + p->len;

	at[0] = RADIUS_MESSAGE_AUTHENTICATOR;
	at[1] = MESSAGE_AUTHENTICATOR_LEN;
	memset(at + 2, 0, RADIUS_AUTHENTICATOR);
	p->len += MESSAGE_AUTHENTICATOR_LEN;
	return at + 2;
}

static void append(struct radius_packet *p, const struct radius_attributes *a)
{
	memcpy(p->bytes + p->len, a->bytes, a->len);
	p->len += a->len;
	put16(p->bytes + 2, (uint16_t)p->len);
}

static int add_password(struct radius_packet *p, const char *password, const char *secret)
{
	size_t len = strlen(password), padded = len > 0 ? (len + 15) / 16 * 16 : 16;
	uint8_t *at = p->bytes + p->len;

	if (len > RADIUS_PASSWORD_MAX)
		return -EMSGSIZE;
	at[0] = RADIUS_USER_PASSWORD;
	at[1] = (uint8_t)(2 + padded);
	p->len += 2 + padded;
	return hide_password(password, secret, p->bytes + AUTHENTICATOR_AT, at + 2, padded);
}

int radius_build_access(struct radius_packet *p, uint8_t id, const struct radius_attributes *a, const char *password,
                        const char *secret)
{
	uint8_t *authenticator;
	int ret;

	if (a->full)
		return -EMSGSIZE;
	begin(p, RADIUS_ACCESS_REQUEST, id);
	ret = secret_random(p->bytes + AUTHENTICATOR_AT, RADIUS_AUTHENTICATOR);
	if (ret < 0)
		return -EIO;
	authenticator = reserve_authenticator(p);
	ret = add_password(p, password, secret);
	if (ret < 0)
		return ret;
	append(p, a);
	return hmac(secret, p->bytes, p->len, authenticator);
}

// RFC 2866 3: the digest of the packet with zeros in the digest's place, and the secret behind it.
static int sign_request(const uint8_t *bytes, size_t len, const char *secret, uint8_t out[RADIUS_AUTHENTICATOR])
{
	static const uint8_t zeros[RADIUS_AUTHENTICATOR];
	const struct part parts[] = { { bytes, AUTHENTICATOR_AT },
		                      { zeros, sizeof(zeros) },
		                      { bytes + RADIUS_HEADER, len - RADIUS_HEADER },
		                      { secret, strlen(secret) } };

	return md5(parts, 4, out);
}

int radius_build_accounting(struct radius_packet *p, uint8_t id, const struct radius_attributes *a, const char *secret)
{
	if (a->full)
		return -EMSGSIZE;
	begin(p, RADIUS_ACCOUNTING_REQUEST, id);
	append(p, a);
	return sign_request(p->bytes, p->len, secret, p->bytes + AUTHENTICATOR_AT);
}

// RFC 2865 3: the request's authenticator stands in the answer's place while the digest is computed.
static int sign_answer(const uint8_t *bytes, size_t len, const uint8_t *request, const char *secret,
                       uint8_t out[RADIUS_AUTHENTICATOR])
{
	const struct part parts[] = { { bytes, AUTHENTICATOR_AT },
		                      { request + AUTHENTICATOR_AT, RADIUS_AUTHENTICATOR },
		                      { bytes + RADIUS_HEADER, len - RADIUS_HEADER },
		                      { secret, strlen(secret) } };

	return md5(parts, 4, out);
}

int radius_build_answer(struct radius_packet *p, uint8_t code, const uint8_t *request, const struct radius_attributes *a,
                        const char *secret)
{
	uint8_t *authenticator;
	int ret;

	if (a->full)
		return -EMSGSIZE;
	begin(p, code, request[1]);
	memcpy(p->bytes + AUTHENTICATOR_AT, request + AUTHENTICATOR_AT, RADIUS_AUTHENTICATOR);
	authenticator = reserve_authenticator(p);
	append(p, a);
	ret = hmac(secret, p->bytes, p->len, authenticator);
	if (ret < 0)
		return ret;
	return sign_answer(p->bytes, p->len, request, secret, p->bytes + AUTHENTICATOR_AT);
}

// ---------------------------------------------------------------------------------------------------------------- checking

const char *radius_check(const uint8_t *bytes, size_t *len)
{
	size_t whole = *len >= RADIUS_HEADER ? (size_t)(bytes[2] << 8 | bytes[3]) : 0;
	const uint8_t *at = bytes + RADIUS_HEADER, *end = bytes + whole;

	if (whole < RADIUS_HEADER || whole > RADIUS_MAX || whole > *len)
		return "its length is wrong";
	for (; at < end; at += at[1])
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return "its attributes overlap";
	*len = whole;
	return NULL;
}

// Of a packet with another authenticator in the header's place: the request's, or zeros.
static const char *check_message_authenticator(const uint8_t *bytes, size_t len, const uint8_t *authenticator, const char *secret,
                                               bool needed)
{
	uint8_t copy[RADIUS_MAX], right[RADIUS_AUTHENTICATOR], *found = NULL;
	const uint8_t *given = NULL;

	memcpy(copy, bytes, len);
	memcpy(copy + AUTHENTICATOR_AT, authenticator, RADIUS_AUTHENTICATOR);
	for (size_t i = RADIUS_HEADER; i < len; i += bytes[i + 1]) {
		if (bytes[i] != RADIUS_MESSAGE_AUTHENTICATOR)
			continue;
		if (found != NULL || bytes[i + 1] != MESSAGE_AUTHENTICATOR_LEN)
			return "its Message-Authenticator is malformed";
		given = bytes + i + 2;
		found = copy + i + 2;
	}
	if (found == NULL)
		return needed ? "it has no Message-Authenticator" : NULL;
	memset(found, 0, RADIUS_AUTHENTICATOR);
	if (hmac(secret, copy, len, right) < 0 || !secret_equal(right, given, sizeof(right)))
		return "its Message-Authenticator is wrong";
	return NULL;
}

const char *radius_check_answer(const uint8_t *bytes, size_t len, const uint8_t *request, const char *secret,
                                bool needs_authenticator)
{
	uint8_t right[RADIUS_AUTHENTICATOR];

	if (bytes[1] != request[1])
		return "its identifier is that of no request";
	if (sign_answer(bytes, len, request, secret, right) < 0 || !secret_equal(right, bytes + AUTHENTICATOR_AT, sizeof(right)))
		return "its authenticator is wrong";
	return check_message_authenticator(bytes, len, request + AUTHENTICATOR_AT, secret, needs_authenticator);
}

const char *radius_check_request(const uint8_t *bytes, size_t len, const char *secret)
{
	static const uint8_t zeros[RADIUS_AUTHENTICATOR];
	uint8_t right[RADIUS_AUTHENTICATOR];

	if (sign_request(bytes, len, secret, right) < 0 || !secret_equal(right, bytes + AUTHENTICATOR_AT, sizeof(right)))
		return "its authenticator is wrong";
	return check_message_authenticator(bytes, len, zeros, secret, false);
}

// -------------------------------------------------------------------------------------------------------------------- walk

void radius_walk_begin(struct radius_walk *w, const uint8_t *bytes, size_t len)
{
	*w = (struct radius_walk){ .at = bytes + RADIUS_HEADER, .end = bytes + len };
}

// RFC 2865 5.26: vendor-id, then attributes of the vendor's own. Vendor 0 would make them pass for the standard's.
static bool is_vendor_list(const uint8_t *at, const uint8_t *end)
{
	if (end - at < 4 || at[0] != 0 || get32(at) == 0)
		return false;
	for (at += 4; at < end; at += at[1])
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return false;
	return true;
}

static void take(struct radius_walk *w, struct radius_attribute *out)
{
	*out = (struct radius_attribute){
		.type = w->at[0], .len = (uint8_t)(w->at[1] - 2), .value = w->at + 2, .vendor = w->vendor
	};
	w->at += w->at[1];
}

static void take_whole(struct radius_walk *w, struct radius_attribute *out)
{
	take(w, out);
	out->type = 0;
	out->vendor = out->len >= 4 && get32(out->value) != 0 ? get32(out->value) : UINT32_MAX;
}

bool radius_walk_next(struct radius_walk *w, struct radius_attribute *out)
{
	const uint8_t *end;

	while (w->at < w->end) {
		if (w->at == w->inside_end) {
			w->inside_end = NULL;
			w->vendor = 0;
		}
		if (w->inside_end != NULL || w->at[0] != RADIUS_VENDOR_SPECIFIC) {
			take(w, out);
			return true;
		}
		end = w->at + w->at[1];
		if (!is_vendor_list(w->at + 2, end)) {
			take_whole(w, out);
			return true;
		}
		w->vendor = get32(w->at + 2);
		w->inside_end = end;
		w->at += 6;
	}
	return false;
}

uint32_t radius_number(const struct radius_attribute *a)
{
	return get32(a->value);
}

bool radius_read_text(const struct radius_attribute *a, char *out, size_t room)
{
	size_t n;

	if (a->len >= room)
		return false;
	for (size_t i = 0; i < a->len; i += n) {
		n = utf8_printable(a->value + i, a->len - i);
		if (n == 0)
			return false;
	}
	memcpy(out, a->value, a->len);
	out[a->len] = '\0';
	return true;
}

bool radius_read_ip(const struct radius_attribute *a, uint8_t family, struct addr *out)
{
	const size_t size = family == 4 ? 4 : 16;

	if (a->len != size)
		return false;
	*out = (struct addr){ .family = family, .prefix = (uint8_t)(8 * size) };
	memcpy(out->ip, a->value, size);
	return true;
}
