#include "secmod/token_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proto/sandbox.h"
#include "secmod/token_driver.h"

int token_refuse(char why[TOKENWIRE_REASON + 1], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, TOKENWIRE_REASON + 1, fmt, ap);
	va_end(ap);
	for (char *p = why; *p != '\0'; p++) // what modules say of themselves
		if (*p < ' ' || *p > '~')
			*p = '?';
	return -EIO;
}

static const struct token_driver *find_driver(const char *url)
{
	static const struct token_driver *const drivers[] = { &token_pkcs11, &token_tpm };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (strncmp(url, drivers[i]->scheme, strlen(drivers[i]->scheme)) == 0)
			return drivers[i];
	return NULL;
}

// Modules find an ordinary process: nothing open but the socket, and ordinary limits.
static int settle(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return sandbox_harden() < 0 || sandbox_limit(SANDBOX_TOKEN, false) < 0 || sandbox_keep_capabilities(SANDBOX_TOKEN) < 0 ||
	                       fcntl(TOKENWIRE_FD, F_SETFD, FD_CLOEXEC) < 0 || chdir("/") < 0
	               ? -EIO
	               : 0;
}

static bool sign(const struct token_driver *driver, enum key_kind kind, const struct tokenwire_sign *in,
                 struct tokenwire_signed *out)
{
	const int ret = driver->sign(kind, in, out);

	out->pin_refused = ret == -EACCES;
	return ret == 0;
}

static bool find_key(const struct token_driver *driver, const struct tokenwire_start *s, struct tokenwire_ready *out)
{
	const int ret = driver->open(s, out->reason);

	out->pin_refused = ret == -EACCES;
	return ret == 0;
}

static int serve(const struct token_driver *driver, enum key_kind kind)
{
	struct tokenwire in, out;
	int ret;

	while ((ret = tokenwire_receive(TOKENWIRE_FD, &in, tokenwire_from_secmod, -1)) == 1) {
		if (in.kind != TOKENWIRE_SIGN)
			return 1;
		memset(&out, 0, sizeof(out));
		out.kind = TOKENWIRE_SIGNED;
		out.signature.ok = sign(driver, kind, &in.sign, &out.signature);
		if (tokenwire_send(TOKENWIRE_FD, &out) < 0)
			return 1;
	}
	return ret < 0;
}

int token_helper_main(void)
{
	struct tokenwire start, out = { .kind = TOKENWIRE_READY };
	const struct token_driver *driver;

	// also the case that sec-mod died before the prctl
	if (settle() < 0 || tokenwire_receive(TOKENWIRE_FD, &start, tokenwire_from_secmod, -1) != 1 ||
	    start.kind != TOKENWIRE_START)
		return 1;
	driver = find_driver(start.start.url);
	if (driver == NULL)
		token_refuse(out.ready.reason, "it is neither a pkcs11: nor a tpmkey: URL");
	else
		out.ready.ok = find_key(driver, &start.start, &out.ready);
	if (tokenwire_send(TOKENWIRE_FD, &out) < 0 || !out.ready.ok)
		return 1;
	return serve(driver, start.start.key);
}
