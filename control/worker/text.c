#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/secret.h"
#include "proto/utf8.h"
#include "text.h"

// --------------------------------------------------------------------------------------------------------------- base64

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *in, size_t len, char *out)
{
	uint32_t v;
	size_t i;

	for (i = 0; i < len; i += 3) {
		v = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < len ? in[i + 2] : 0);
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*out = 0;
}

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Four digits, the last `pad` of them '='.
static int decode_quad(const char *text, int pad, uint8_t out[3])
{
	uint32_t v = 0;
	int i, d;

	for (i = 0; i < 4; i++) {
		d = i < 4 - pad ? digit_value(text[i]) : text[i] == '=' ? 0 : -1;
		if (d < 0)
			return -EINVAL;
		v = v << 6 | (uint32_t)d;
	}
	if ((pad == 1 && v & 0xff) || (pad == 2 && v & 0xffff))
		return -EINVAL;
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return 0;
}

int base64_decode(const char *text, size_t len, uint8_t *out, size_t room)
{
	uint8_t quad[3];
	size_t i, n = 0, want;
	int pad = 0, ret = 0;

	if (len % 4 != 0)
		return -EINVAL;
	if (len > 0 && text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	want = len / 4 * 3 - (size_t)pad;
	if (want > room)
		return -EINVAL;
	// Twice over: the first pass checks, so that a refusal leaves the output alone.
	for (i = 0; i < len && ret == 0; i += 4)
		ret = decode_quad(text + i, i + 4 == len ? pad : 0, quad);
	for (i = 0; i < len && ret == 0; i += 4) {
		decode_quad(text + i, i + 4 == len ? pad : 0, quad);
		memcpy(out + n, quad, want - n < 3 ? want - n : 3);
		n += 3;
	}
	secret_wipe(quad, sizeof(quad));
	return ret < 0 ? ret : (int)want;
}

void hex_encode(const uint8_t *in, size_t len, char *out)
{
	size_t i;

	for (i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", in[i]);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_decode(const char *text, uint8_t *out, size_t len)
{
	size_t i;

	if (strlen(text) != 2 * len)
		return -EINVAL;
	for (i = 0; i < 2 * len; i++)
		if (hex_value(text[i]) < 0)
			return -EINVAL;
	for (i = 0; i < len; i++)
		out[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- lists

const char *list_next(const char **list, char sep, size_t *len)
{
	const char *word = *list, *stop;

	if (!word)
		return NULL;
	word += strspn(word, " \t");
	stop = strchr(word, sep);
	*len = stop ? (size_t)(stop - word) : strlen(word);
	while (*len > 0 && (word[*len - 1] == ' ' || word[*len - 1] == '\t'))
		(*len)--;
	*list = stop ? stop + 1 : NULL;
	return word;
}

// -------------------------------------------------------------------------------------------------------------- numbers

uint16_t number_clamped(const char *text)
{
	uint32_t v = 0;

	if (!text || !*text)
		return 0;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return 0;
		if (v <= UINT16_MAX)
			v = v * 10 + (uint32_t)(*text - '0');
	}
	return v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

// ---------------------------------------------------------------------------------------------------------------- forms

// Decode one byte at text[*at] and step over it (RFC 3986 2.1); -EBADMSG.
static int url_byte(const char *text, size_t len, size_t *at)
{
	int high, low;
	char c = text[(*at)++];

	if (c != '%')
		return (uint8_t)c;
	if (len - *at < 2)
		return -EBADMSG;
	high = hex_value(text[*at]);
	low = hex_value(text[*at + 1]);
	*at += 2;
	return high < 0 || low < 0 ? -EBADMSG : high << 4 | low;
}

static int form_byte(const char *text, size_t len, size_t *at)
{
	if (text[*at] != '+')
		return url_byte(text, len, at);
	(*at)++;
	return ' ';
}

static bool form_name_is(const char *text, size_t len, const char *name)
{
	size_t at = 0;
	int c;

	while (at < len && *name) {
		c = form_byte(text, len, &at);
		if (c < 0 || c != (uint8_t)*name++)
			return false;
	}
	return at == len && !*name;
}

static int form_value(const char *text, size_t len, char *out, size_t room)
{
	size_t at = 0, n = 0;
	int c, ret = -EBADMSG;
	char value[LIMIT_TEXT];

	while (at < len) {
		c = form_byte(text, len, &at);
		if (c < 0x20 || c == 0x7f || n + 1 >= room || n + 1 >= sizeof(value))
			goto out;
		value[n++] = (char)c;
	}
	memcpy(out, value, n);
	out[n] = 0;
	ret = (int)n;
out:
	secret_wipe(value, sizeof(value));
	return ret;
}

int form_get(const char *body, size_t len, const char *name, char *out, size_t room)
{
	const char *end = body + len, *p = body, *stop, *equal;

	for (; p < end; p = stop + 1) {
		stop = memchr(p, '&', (size_t)(end - p));
		if (!stop)
			stop = end;
		equal = memchr(p, '=', (size_t)(stop - p));
		if (equal && form_name_is(p, (size_t)(equal - p), name))
			return form_value(equal + 1, (size_t)(stop - equal - 1), out, room);
		if (stop == end)
			break;
	}
	return -ENOENT;
}

int query_decode(const char *query, size_t len, char *out, size_t room)
{
	size_t at = 0, n = 0;
	int c;

	while (at < len) {
		c = url_byte(query, len, &at);
		if (c <= 0 || n + 1 >= room) {
			secret_wipe(out, n);
			return -EBADMSG;
		}
		out[n++] = (char)c;
	}
	out[n] = 0;
	return (int)n;
}

int path_name(const char *path, char *out, size_t room)
{
	size_t len, at = 0, n = 0;
	char name[LIMIT_TEXT];
	int c;

	path += strspn(path, "/");
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0 || memchr(path, '/', len))
		return -ENOENT;
	while (at < len) {
		c = url_byte(path, len, &at);
		if (c < 0x20 || c == '/' || n + 1 >= room || n + 1 >= sizeof(name))
			return -EBADMSG;
		name[n++] = (char)c;
	}
	name[n] = 0;
	if (!utf8_is_printable(name))
		return -EBADMSG;
	memcpy(out, name, n + 1);
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- cookie

// One "name=value" pair of the header; *next is the following one or NULL.
static size_t cookie_pair(const char *p, const char **next)
{
	size_t len = strcspn(p, ";");

	*next = p[len] ? p + len + 1 : NULL;
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	return len;
}

int cookie_get(const char *header, uint8_t cookie[COOKIE_SIZE])
{
	static const char name[] = "webvpn=";
	const size_t name_len = sizeof(name) - 1;
	const char *p = header, *next, *value = NULL;
	size_t len, value_len = 0;

	for (; p; p = next) {
		p += strspn(p, " \t");
		len = cookie_pair(p, &next);
		if (len < name_len || memcmp(p, name, name_len) != 0)
			continue;
		if (value)
			return -EBADMSG;
		value = p + name_len;
		value_len = len - name_len;
	}
	if (!value)
		return -ENOENT;
	if (value_len != BASE64_ROOM(COOKIE_SIZE) - 1)
		return -EBADMSG;
	return base64_decode(value, value_len, cookie, COOKIE_SIZE) == COOKIE_SIZE ? 0 : -EBADMSG;
}

// ----------------------------------------------------------------------------------------------------------------- text

void text_tame(const char *in, char *out, size_t room)
{
	size_t left = in ? strlen(in) : 0, n, used = 0;

	for (; left > 0; in += n, left -= n) {
		n = utf8_printable((const uint8_t *)in, left);
		if (used + (n ? n : 1) >= room)
			break;
		if (n)
			memcpy(out + used, in, n);
		else
			out[used] = '?';
		used += n ? n : 1;
		n = n ? n : 1;
	}
	out[used] = 0;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&apos;";
	default:
		return NULL;
	}
}

void text_xml(const char *in, char *out, size_t room)
{
	size_t left = strlen(in), n, used = 0, put;
	const char *e;

	for (; left > 0; in += n, left -= n) {
		n = utf8_printable((const uint8_t *)in, left);
		e = n == 0 ? "?" : n == 1 ? entity(*in) : NULL;
		if (n == 0)
			n = 1;
		put = e ? strlen(e) : n;
		if (used + put >= room)
			break;
		memcpy(out + used, e ? e : in, put);
		used += put;
	}
	out[used] = 0;
}
