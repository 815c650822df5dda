// One-time passwords out of liboath's users file (penstock-passwd --otp, pam_oath). Any thread; blocks on the disk and on the
// file's lock, never for long.
#pragma once

// As far as a counter may be ahead of the file's, or a clock before or behind ours: ocserv's.
#define OTPFILE_WINDOW 20

// Can it be read and changed? 0 or -errno.
int otpfile_check(const char *path);
// 1: it is the user's next code, and is used up with that. 0: it is not, or there is no such user, which takes as long. -errno: the
// file cannot be used, and nobody can tell.
int otpfile_ask(const char *path, const char *user, const char *code);
