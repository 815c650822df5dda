// penstock-gssapi: the accepting side of one SPNEGO negotiation (RFC 4178), for sec-mod (method_gssapi.c). It opens the keytab, and
// knows nothing else of sec-mod's.
#include <errno.h>
#include <fcntl.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/sandbox.h"
#include "proto/secret.h"
#include "proto/states.h"
#include "proto/text.h"
#include "secmod/gsswire.h"
#include "secmod/helper.h"
#include "secmod/localgroup.h"
#include "secmod/spawn.h"

struct negotiation {
	struct gsswire_start start;
	struct gsswire in, out;
	gss_cred_id_t cred;
	gss_ctx_id_t ctx;
	gss_name_t client;
	gss_OID mech;
};

// sec-mod is gone, or the login is: nobody waits for a result.
static void __attribute__((noreturn)) leave(void)
{
	_exit(0);
}

static void say(struct negotiation *g, enum gsswire_kind kind)
{
	ssize_t n;

	g->out.kind = kind;
	do
		n = send(HELPER_FD, &g->out, sizeof(g->out), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		leave();
}

static void hear(struct negotiation *g, enum gsswire_kind kind)
{
	ssize_t n;

	memset(&g->in, 0, sizeof(g->in));
	do
		n = recv(HELPER_FD, &g->in, sizeof(g->in), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n <= 0 || !gsswire_from_secmod(&g->in, (size_t)n) || g->in.kind != kind)
		leave();
}

static int refuse(struct negotiation *g, enum auth_outcome outcome, const char *reason)
{
	g->out.result.outcome = outcome;
	text_copy(g->out.result.reason, GSSWIRE_REASON, reason);
	return -EACCES;
}

static int refuse_status(struct negotiation *g, enum auth_outcome outcome, const char *what, OM_uint32 major, OM_uint32 minor)
{
	OM_uint32 ignored, more = 0;
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	char all[LIMIT_TEXT + 1];

	// the mechanism's own word says more than "unspecified failure"
	if (minor != 0)
		gss_display_status(&ignored, minor, GSS_C_MECH_CODE, GSS_C_NO_OID, &more, &text);
	else
		gss_display_status(&ignored, major, GSS_C_GSS_CODE, GSS_C_NO_OID, &more, &text);
	text_format(all, "%s: %.*s", what, (int)text.length, (const char *)text.value);
	gss_release_buffer(&ignored, &text);
	return refuse(g, outcome, all);
}

// ---------------------------------------------------------------------------------------------------------- negotiation

// Any key of the keytab will do: the client has chosen the name by which it knows this gateway. Kerberos alone, by itself or in
// SPNEGO: no IAKERB, for which this side would have to speak with KDCs, and nothing that somebody has plugged in.
static int open_keytab(struct negotiation *g)
{
	gss_key_value_element_desc element = { "keytab", g->start.keytab };
	const gss_key_value_set_desc store = { 1, &element };
	gss_OID_desc mechs[] = { *gss_mech_krb5, { 6, "\x2b\x06\x01\x05\x05\x02" } };
	gss_OID_set_desc both = { 2, mechs }, inner = { 1, mechs };
	OM_uint32 major, minor;

	major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &both, GSS_C_ACCEPT,
	                              g->start.keytab[0] != '\0' ? &store : GSS_C_NO_CRED_STORE, &g->cred, NULL, NULL);
	if (!GSS_ERROR(major))
		major = gss_set_neg_mechs(&minor, g->cred, &inner);
	return GSS_ERROR(major) ? refuse_status(g, AUTH_ERROR, "keytab", major, minor) : 0;
}

// Whose fault is it: the client's token, or our keytab?
static enum auth_outcome outcome_of(OM_uint32 major)
{
	switch (GSS_ROUTINE_ERROR(major)) {
	case GSS_S_NO_CRED:
	case GSS_S_CREDENTIALS_EXPIRED:
		return AUTH_ERROR;
	default:
		return AUTH_BAD;
	}
}

static int take_output(struct negotiation *g, const gss_buffer_desc *from, struct gsswire_token *to)
{
	if (from->length > LIMIT_TOKEN)
		return refuse(g, AUTH_ERROR, "a token of more bytes than fit");
	to->len = (uint16_t)from->length;
	if (from->length > 0)
		memcpy(to->data, from->value, from->length);
	return 0;
}

// 1: another round; 0: the client has proven itself.
static int accept_token(struct negotiation *g)
{
	gss_buffer_desc in = { .length = g->in.token.len, .value = g->in.token.data }, out = GSS_C_EMPTY_BUFFER;
	OM_uint32 major, minor, ignored;
	int ret;

	memset(&g->out, 0, sizeof(g->out));
	major = gss_accept_sec_context(&minor, &g->ctx, g->cred, &in, GSS_C_NO_CHANNEL_BINDINGS, &g->client, &g->mech, &out, NULL,
	                               NULL, NULL);
	secret_wipe(g->in.token.data, g->in.token.len);
	if (GSS_ERROR(major))
		ret = refuse_status(g, outcome_of(major), "ticket", major, minor);
	else if (major & GSS_S_CONTINUE_NEEDED)
		ret = out.length > 0 ? 1 : refuse(g, AUTH_BAD, "the negotiation leads nowhere");
	else
		ret = 0;
	if (ret >= 0 && take_output(g, &out, ret == 1 ? &g->out.token : &g->out.result.token) < 0)
		ret = -EACCES;
	gss_release_buffer(&ignored, &out);
	return ret;
}

static int negotiate(struct negotiation *g)
{
	int ret;

	for (;;) {
		hear(g, GSSWIRE_TOKEN);
		ret = accept_token(g);
		if (ret <= 0)
			return ret;
		say(g, GSSWIRE_TOKEN);
	}
}

// --------------------------------------------------------------------------------------------------------------- verdict

static int take_name(struct negotiation *g, const gss_buffer_desc *name)
{
	if (name->length == 0 || name->length > LIMIT_USER)
		return refuse(g, AUTH_BAD, "the name is too long");
	memcpy(g->out.result.user, name->value, name->length);
	if (strlen(g->out.result.user) != name->length || !text_fits(g->out.result.user, LIMIT_USER + 1) ||
	    g->out.result.user[0] == '.' || strpbrk(g->out.result.user, ":/") != NULL) {
		memset(g->out.result.user, 0, sizeof(g->out.result.user));
		return refuse(g, AUTH_BAD, "the name is none that a user here can have");
	}
	return 0;
}

// krb5.conf's auth_to_local says who a principal is here. Without a user of that name the principal stands for itself, where it
// may.
static int find_user(struct negotiation *g)
{
	gss_buffer_desc name = GSS_C_EMPTY_BUFFER;
	OM_uint32 major, minor, ignored;
	int ret;

	major = gss_localname(&minor, g->client, g->mech, &name);
	if (major == GSS_S_COMPLETE) {
		ret = take_name(g, &name);
		gss_release_buffer(&ignored, &name);
		if (ret < 0 || !g->start.require_local_user || getpwnam(g->out.result.user) != NULL)
			return ret;
		return refuse(g, AUTH_BAD, "there is no such user in this system (require-local-user-map)");
	}
	if (g->start.require_local_user)
		return refuse_status(g, AUTH_BAD, "no local user (require-local-user-map)", major, minor);
	major = gss_display_name(&minor, g->client, &name, NULL);
	if (GSS_ERROR(major))
		return refuse_status(g, AUTH_BAD, "principal", major, minor);
	ret = take_name(g, &name);
	gss_release_buffer(&ignored, &name);
	return ret;
}

// authtime is when the user proved himself to the KDC; tickets that are made from that one keep it.
static int check_freshness(struct negotiation *g)
{
	krb5_timestamp since;
	OM_uint32 minor;

	if (g->start.fresh_seconds == 0)
		return 0;
	if (GSS_ERROR(gsskrb5_extract_authtime_from_sec_context(&minor, g->ctx, &since)))
		return refuse(g, AUTH_BAD, "its ticket does not say how old it is (tgt-freshness-time)");
	// a 32-bit time that goes on past 2038, as krb5's own
	if (time(NULL) - (time_t)(uint32_t)since > (time_t)g->start.fresh_seconds)
		return refuse(g, AUTH_BAD, "its ticket is too old (tgt-freshness-time)");
	return 0;
}

static int judge(struct negotiation *g)
{
	int ret = open_keytab(g);

	if (ret == 0)
		ret = negotiate(g);
	if (ret == 0)
		ret = find_user(g);
	if (ret == 0)
		ret = check_freshness(g);
	if (ret == 0 && !localgroup_find(g->out.result.user, g->start.group, g->start.gid_min, g->out.result.group))
		ret = refuse(g, AUTH_BAD, "the user is not in the group that was asked for");
	return ret;
}

// The replay cache is where the library has it by itself.
static int confine(bool unfiltered)
{
	static const char *const places[] = { "/var/tmp" };
	int ret = sandbox_keep_capabilities(SANDBOX_GSSAPI);

	if (ret == 0 && !unfiltered)
		ret = sandbox_files(SANDBOX_GSSAPI, places, 1);
	if (ret == 0 && !unfiltered)
		ret = sandbox_seccomp(SANDBOX_GSSAPI);
	return ret;
}

int main(int argc, char **argv)
{
	static struct negotiation g = { .cred = GSS_C_NO_CREDENTIAL, .ctx = GSS_C_NO_CONTEXT, .client = GSS_C_NO_NAME };
	struct rlimit cpu = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sandbox_harden() < 0 || fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) < 0 || chdir("/") < 0)
		return 1;
	hear(&g, GSSWIRE_START); // also the case that sec-mod died before the prctl
	g.start = g.in.start;
	cpu.rlim_cur = cpu.rlim_max = g.start.seconds;
	setrlimit(RLIMIT_CPU, &cpu);
	if (sandbox_limit(SANDBOX_GSSAPI, false) < 0 || confine(argc > 1 && strcmp(argv[1], SPAWN_UNFILTERED) == 0) < 0)
		return 1;
	if (judge(&g) == 0)
		g.out.result.outcome = AUTH_OK;
	else
		g.out.result.token.len = 0;
	say(&g, GSSWIRE_RESULT);
	return 0;
}
