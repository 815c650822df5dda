// One-time passwords: what a user's app is given, and his line of liboath's users file ("HOTP/T30 anna - 3132..."), which
// auth = plain[otp=FILE] and pam_oath read. Pure, but for otp_secret().
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define OTP_SECRET_SIZE 20 // RFC 4226 4, R6: 160 bits are recommended
#define OTP_BASE32_SIZE (OTP_SECRET_SIZE * 8 / 5 + 1)
#define OTP_ISSUER 64
#define OTP_URI_MAX (3 * (LIMIT_USER + 2 * OTP_ISSUER) + 128)

enum otp_kind { OTP_TIME, OTP_COUNTER }; // RFC 6238, RFC 4226

struct otp_edit {
	const char *user;
	enum otp_kind kind;
	const uint8_t *secret; // OTP_SECRET_SIZE bytes; NULL: the user's lines go
};

int otp_secret(uint8_t out[OTP_SECRET_SIZE]); // 0 or -errno
// May it stand in the file? NULL, or what is wrong with it.
const char *otp_check_user(const char *user);
// editfile_edit, with a struct otp_edit. Lines of other users stay as they are, byte for byte. -ENOENT: nothing to remove.
int otp_edit(const char *in, size_t len, const void *how, char **out, size_t *out_len);
void otp_base32(const uint8_t secret[OTP_SECRET_SIZE], char out[OTP_BASE32_SIZE]); // RFC 4648 6
// otpauth://, as authenticator apps read it from a QR code. An issuer has at most OTP_ISSUER bytes.
void otp_uri(const struct otp_edit *e, const char *issuer, char out[OTP_URI_MAX]);
