#include "control/ctl/otp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/passwdfile.h"
#include "proto/secret.h"

#define BLANKS " \t"
// Six digits and half a minute: what every app knows. The last word is where the counter begins.
#define LINE_MAX (LIMIT_USER + 2 * OTP_SECRET_SIZE + 32)

int otp_secret(uint8_t out[OTP_SECRET_SIZE])
{
	return secret_random(out, OTP_SECRET_SIZE);
}

const char *otp_check_user(const char *user)
{
	const char *why = passwdfile_check_user(user);

	if (why == NULL && strpbrk(user, BLANKS) != NULL)
		why = "in a file of one-time passwords a user name has no blanks";
	return why;
}

static void write_line(const struct otp_edit *e, char out[LINE_MAX])
{
	int n = snprintf(out, LINE_MAX, "%s\t%s\t-\t", e->kind == OTP_TIME ? "HOTP/T30" : "HOTP", e->user);

	for (unsigned i = 0; i < OTP_SECRET_SIZE; i++)
		n += snprintf(out + n, LINE_MAX - n, "%02x", e->secret[i]);
	snprintf(out + n, LINE_MAX - n, "\n");
}

// The second word is the user.
static bool is_users(const char *line, size_t len, const char *user)
{
	const char *at = line, *end = line + len;
	size_t user_len = strlen(user);

	while (at < end && strchr(BLANKS, *at))
		at++;
	if (at == end || *at == '#')
		return false;
	while (at < end && !strchr(BLANKS, *at))
		at++;
	while (at < end && strchr(BLANKS, *at))
		at++;
	return (size_t)(end - at) >= user_len && memcmp(at, user, user_len) == 0 &&
	       (at + user_len == end || strchr(BLANKS "\r", at[user_len]));
}

int otp_edit(const char *in, size_t len, const void *how, char **out, size_t *out_len)
{
	const struct otp_edit *e = how;
	char fresh[LINE_MAX] = "", *text = malloc(len + LINE_MAX + 1);
	size_t used = 0;
	bool found = false;

	if (text == NULL)
		return -ENOMEM;
	for (const char *p = in, *end = in + len, *next; p < end; p = next) {
		const char *newline = memchr(p, '\n', end - p);
		size_t line_len = (newline != NULL ? newline : end) - p;

		next = newline != NULL ? newline + 1 : end;
		if (is_users(p, line_len, e->user)) {
			found = true;
			continue;
		}
		memcpy(text + used, p, line_len);
		used += line_len;
		text[used++] = '\n';
	}
	if (e->secret == NULL && !found) {
		secret_wipe(text, used);
		free(text);
		return -ENOENT;
	}
	if (e->secret != NULL)
		write_line(e, fresh);
	memcpy(text + used, fresh, strlen(fresh));
	*out = text;
	*out_len = used + strlen(fresh);
	secret_wipe(fresh, sizeof(fresh));
	return 0;
}

void otp_base32(const uint8_t secret[OTP_SECRET_SIZE], char out[OTP_BASE32_SIZE])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned bits = 0, n = 0;
	uint32_t held = 0;

	for (unsigned i = 0; i < OTP_SECRET_SIZE; i++) {
		held = held << 8 | secret[i];
		for (bits += 8; bits >= 5; bits -= 5)
			out[n++] = digits[held >> (bits - 5) & 31];
	}
	out[n] = '\0';
}

// RFC 3986 2.1, everything but the unreserved characters.
static void escape(const char *in, char *out, size_t room)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t used = 0;

	for (; *in != '\0' && used + 4 <= room; in++)
		used += snprintf(out + used, room - used, strchr(plain, *in) ? "%c" : "%%%02X", (unsigned char)*in);
	out[used] = '\0';
}

void otp_uri(const struct otp_edit *e, const char *issuer, char out[OTP_URI_MAX])
{
	char secret[OTP_BASE32_SIZE], user[3 * LIMIT_USER + 4], from[3 * OTP_ISSUER + 4];

	escape(e->user, user, sizeof(user));
	escape(issuer, from, sizeof(from));
	otp_base32(e->secret, secret);
	snprintf(out, OTP_URI_MAX, "otpauth://%s/%s:%s?secret=%s&issuer=%s&algorithm=SHA1&digits=6&%s",
	         e->kind == OTP_TIME ? "totp" : "hotp", from, user, secret, from, e->kind == OTP_TIME ? "period=30" : "counter=0");
	secret_wipe(secret, sizeof(secret));
}
