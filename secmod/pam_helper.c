#include "secmod/pam_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/sandbox.h"
#include "proto/secret.h"
#include "proto/states.h"
#include "proto/text.h"
#include "secmod/localgroup.h"
#include "secmod/pamwire.h"

struct helper {
	struct pamwire_start start;
	char info[LIMIT_PROMPT + 1]; // what modules said since the last question
	bool proven;                 // he is who he says, whatever becomes of his account
};

static void note(struct helper *h, const char *text)
{
	size_t used = strlen(h->info);

	if (used > 0 && used < LIMIT_PROMPT)
		h->info[used++] = ' ';
	text_copy(h->info + used, LIMIT_PROMPT - used, text);
}

// sec-mod is gone, or the login is: nobody waits for a result.
static void __attribute__((noreturn)) leave(void)
{
	_exit(0);
}

static char *ask(struct helper *h, const char *prompt, bool echo)
{
	struct pamwire w = { .kind = PAMWIRE_ASK, .ask.echo = echo };
	char *answer;

	note(h, prompt);
	strcpy(w.ask.prompt, h->info);
	h->info[0] = '\0';
	if (pamwire_send(PAMWIRE_FD, &w) < 0 || pamwire_receive(PAMWIRE_FD, &w, pamwire_from_secmod) != 1 ||
	    w.kind != PAMWIRE_ANSWER)
		leave();
	answer = strdup(w.answer.password);
	secret_wipe(&w, sizeof(w));
	return answer;
}

static void free_responses(struct pam_response *r, int n)
{
	for (int i = 0; i < n; i++) {
		if (r[i].resp == NULL)
			continue;
		secret_wipe(r[i].resp, strlen(r[i].resp));
		free(r[i].resp);
	}
	free(r);
}

static int converse(int n, const struct pam_message **msg, struct pam_response **out, void *who)
{
	struct pam_response *r;

	const struct helper *h = who;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	r = calloc(n, sizeof(*r));
	if (r == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		const int style = msg[i]->msg_style;
		const char *text = msg[i]->msg != NULL ? msg[i]->msg : "";

		if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG) {
			note(who, text);
			continue;
		}
		// nobody is there to answer for a session
		if (h->start.session == PAMWIRE_LOGIN && (style == PAM_PROMPT_ECHO_ON || style == PAM_PROMPT_ECHO_OFF))
			r[i].resp = ask(who, text, style == PAM_PROMPT_ECHO_ON);
		if (r[i].resp == NULL) {
			free_responses(r, n);
			return PAM_CONV_ERR;
		}
	}
	*out = r;
	return PAM_SUCCESS;
}

// --------------------------------------------------------------------------------------------------------------- verdict

static enum auth_outcome outcome_of(int ret)
{
	switch (ret) {
	case PAM_SUCCESS:
		return AUTH_OK;
	// these are about the user; everything else is about the system
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_ACCT_EXPIRED:
	case PAM_CRED_INSUFFICIENT:
	case PAM_CRED_EXPIRED:
	case PAM_CRED_UNAVAIL:
	case PAM_CRED_ERR:
	case PAM_PERM_DENIED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_ERR:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_AUTHTOK_RECOVERY_ERR:
		return AUTH_BAD;
	default:
		return AUTH_ERROR;
	}
}

// A new password is not asked for: a VPN client has no form for it, and two dialogues in one would confuse everybody.
static int check_user(struct helper *h, pam_handle_t *pam)
{
	int ret = pam_authenticate(pam, 0);

	if (ret != PAM_SUCCESS)
		return ret;
	h->proven = true;
	h->info[0] = '\0';
	return pam_acct_mgmt(pam, 0);
}

// In the words of the module that has refused him, if it has any.
static void explain(struct helper *h, int ret, char out[LIMIT_PROMPT + 1])
{
	if (ret == PAM_ACCT_EXPIRED && h->info[0] == '\0')
		note(h, "Your account has expired.");
	if (ret == PAM_NEW_AUTHTOK_REQD || ret == PAM_AUTHTOK_EXPIRED)
		note(h,
		     h->info[0] != '\0' ? "This cannot be done here." : "Your password has expired, and cannot be changed here.");
	strcpy(out, h->info);
}

// Modules may map one name to another (domains, aliases): theirs counts.
static void name_user(const struct helper *h, pam_handle_t *pam, struct pamwire_result *out)
{
	const void *mapped = NULL;

	if (pam_get_item(pam, PAM_USER, &mapped) != PAM_SUCCESS || mapped == NULL)
		mapped = h->start.user;
	if (((const char *)mapped)[0] == '\0' || strlen(mapped) > LIMIT_USER || strpbrk(mapped, ":/") != NULL) {
		out->outcome = AUTH_ERROR;
		text_copy(out->reason, PAMWIRE_REASON, "a module has changed the user to an impossible name");
		return;
	}
	// pamwire_from_helper() refuses what is not printable
	strcpy(out->user, mapped);
	if (!localgroup_find(out->user, h->start.group, h->start.gid_min, out->group))
		out->outcome = AUTH_BAD;
}

static void run_pam(struct helper *h, struct pamwire_result *out, pam_handle_t **pam)
{
	const struct pam_conv conv = { converse, h };
	int ret = pam_start(h->start.service, h->start.user, &conv, pam);

	if (ret == PAM_SUCCESS)
		ret = pam_set_item(*pam, PAM_RHOST, h->start.rhost);
	if (ret == PAM_SUCCESS)
		ret = check_user(h, *pam);
	out->outcome = outcome_of(ret);
	if (out->outcome == AUTH_ERROR)
		text_copy(out->reason, PAMWIRE_REASON, pam_strerror(*pam, ret));
	else if (out->outcome == AUTH_OK)
		name_user(h, *pam, out);
	else if (h->proven)
		explain(h, ret, out->say);
}

// A session of a user who has logged in, in whatever way.
static void run_session(struct helper *h, struct pamwire_result *out, pam_handle_t **pam)
{
	const struct pam_conv conv = { converse, h };
	int ret = pam_start(h->start.service, h->start.user, &conv, pam);

	if (ret == PAM_SUCCESS)
		ret = pam_set_item(*pam, PAM_RHOST, h->start.rhost);
	if (ret == PAM_SUCCESS)
		ret = pam_set_item(*pam, PAM_TTY, h->start.tty);
	if (ret == PAM_SUCCESS)
		ret = h->start.session == PAMWIRE_OPEN ? pam_open_session(*pam, PAM_SILENT) : pam_close_session(*pam, PAM_SILENT);
	out->outcome = ret == PAM_SUCCESS ? AUTH_OK : AUTH_ERROR;
	strcpy(out->user, h->start.user);
	if (ret != PAM_SUCCESS)
		text_copy(out->reason, PAMWIRE_REASON, pam_strerror(*pam, ret));
}

// ----------------------------------------------------------------------------------------------------------------- process

// Modules find an ordinary process: nothing open but the socket, ordinary limits. It dies with sec-mod, whatever they do.
static void settle(const struct helper *h)
{
	const struct rlimit cpu = { h->start.seconds, h->start.seconds };

	setrlimit(RLIMIT_CPU, &cpu);
	if (sandbox_limit(SANDBOX_PAM, false) < 0 || sandbox_keep_capabilities(SANDBOX_PAM) < 0 || chdir("/") < 0)
		leave();
}

int pam_helper_main(void)
{
	struct pamwire w, result = { .kind = PAMWIRE_RESULT };
	pam_handle_t *pam = NULL;
	struct helper h = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sandbox_harden() < 0)
		return 1;
	fcntl(PAMWIRE_FD, F_SETFD, FD_CLOEXEC);
	// also the case that sec-mod died before the prctl
	if (pamwire_receive(PAMWIRE_FD, &w, pamwire_from_secmod) != 1 || w.kind != PAMWIRE_START)
		return 1;
	h.start = w.start;
	settle(&h);
	if (h.start.session == PAMWIRE_LOGIN)
		run_pam(&h, &result.result, &pam);
	else
		run_session(&h, &result.result, &pam);
	if (pamwire_send(PAMWIRE_FD, &result) < 0)
		leave();
	if (pam != NULL)
		pam_end(pam, result.result.outcome == AUTH_OK ? PAM_SUCCESS : PAM_AUTH_ERR);
	return 0;
}
