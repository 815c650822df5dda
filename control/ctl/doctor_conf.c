// The doctor on the configuration and what hangs on it: penstockd -t, certificates, the clock.
#include <libgen.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor_tree.h"

#define DAYS_WARN 21 // three weeks are enough for who renews by hand

// Beside ourselves, in the other half of our prefix, or wherever PATH has it.
static void find_penstockd(char out[PATH_MAX])
{
	static const char *const places[] = { "%s/penstockd", "%s/../sbin/penstockd" };
	char self[PATH_MAX / 2], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(out, PATH_MAX, i ? "%s/../sbin/penstockd" : "%s/penstockd", self);
		if (access(out, X_OK) == 0)
			return;
	}
	snprintf(out, PATH_MAX, "penstockd");
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

void doctor_configuration(struct doctor *d)
{
	char program[PATH_MAX], fix[PATH_MAX + 64], *text;
	char *const argv[] = { program, "-t", "-c", (char *)d->conf_file, NULL };
	unsigned warnings;
	int status = 0;

	if (!d->conf[0]) {
		doctor_say(d, DOCTOR_FAIL, "penstockctl doctor FILE looks at another one", "%s cannot be read, or is empty",
		           d->conf_file);
		return;
	}
	if (!d->run)
		return;
	find_penstockd(program);
	snprintf(fix, sizeof(fix), "penstockd -t -c %s", d->conf_file);
	text = d->run(argv, &status);
	warnings = text ? count(text, "warning: ") : 0;
	if (!text)
		doctor_say(d, DOCTOR_WARN, "install it beside penstockctl, or in PATH", "penstockd could not be run to test %s",
		           d->conf_file);
	else if (WEXITSTATUS(status) != 0)
		doctor_say(d, DOCTOR_FAIL, fix, "%s has mistakes: %u", d->conf_file, count(text, "error: "));
	else if (warnings)
		doctor_say(d, DOCTOR_WARN, fix, "%s can be used, with warnings: %u", d->conf_file, warnings);
	else
		doctor_say(d, DOCTOR_OK, "", "%s has no mistakes", d->conf_file);
	free(text);
}

// ----------------------------------------------------------------------------------------------------------- certificates

static X509 *certificate_read(const struct doctor *d, const char *name)
{
	char path[2 * PATH_MAX], copy[PATH_MAX];
	X509 *x = NULL;
	FILE *f;

	snprintf(copy, sizeof(copy), "%s", d->conf_file);
	if (name[0] == '/')
		snprintf(path, sizeof(path), "%s%s", d->root, name);
	else
		snprintf(path, sizeof(path), "%s%s/%s", d->root, dirname(copy), name);
	f = fopen(path, "re");
	if (f) {
		x = PEM_read_X509(f, NULL, NULL, NULL);
		fclose(f);
	}
	return x;
}

static void look_at(struct doctor *d, const char *name, const X509 *x)
{
	static const char *const renew = "put a new certificate with its chain in that file, then penstockctl reload";
	int days, seconds;

	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		doctor_say(d, DOCTOR_FAIL, "timedatectl: is the clock right?", "%s is not valid yet", name);
	else if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)))
		doctor_say(d, DOCTOR_FAIL, renew, "%s has no time of expiry that can be read", name);
	else if (days < 0 || seconds < 0)
		doctor_say(d, DOCTOR_FAIL, renew, "%s expired %d days ago", name, -days);
	else
		doctor_say(d, days < DAYS_WARN ? DOCTOR_WARN : DOCTOR_OK, days < DAYS_WARN ? renew : "", "%s expires in %d days",
		           name, days);
}

void doctor_certificates(struct doctor *d)
{
	char name[PATH_MAX];
	X509 *x;

	for (unsigned n = 0; conf_any(d->conf, "server-cert", n, name, sizeof(name)); n++) {
		x = certificate_read(d, name);
		if (x)
			look_at(d, name, x);
		else
			doctor_say(d, DOCTOR_FAIL, "openssl x509 -noout -text -in FILE",
			           "%s: there is no certificate that can be read", name);
		X509_free(x);
	}
}

// One that is wrong makes certificates, one-time passwords, tokens and Kerberos fail, and accounts wrong.
void doctor_clock(struct doctor *d)
{
	int synced = d->clock ? d->clock() : -1;

	if (synced < 0)
		return;
	if (synced)
		doctor_say(d, DOCTOR_OK, "", "it is kept right by NTP");
	else
		doctor_say(d, DOCTOR_WARN,
		           "timedatectl set-ntp true (systemd-timesyncd), or install chrony; inside a virtual machine its host may "
		           "do it",
		           "nothing keeps it right");
}
