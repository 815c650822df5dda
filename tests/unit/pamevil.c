// A PAM module for tests: its argument says how it behaves. Built into BUILD/unit/pam_evil.so.
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int say(pam_handle_t *pam, int style, const char *text, char **answer)
{
	const struct pam_message m = { style, text }, *p = &m;
	struct pam_response *r = NULL;
	const struct pam_conv *conv;
	int ret;

	if (pam_get_item(pam, PAM_CONV, (const void **)&conv) != PAM_SUCCESS)
		return PAM_SYSTEM_ERR;
	ret = conv->conv(1, &p, &r, conv->appdata_ptr);
	if (ret != PAM_SUCCESS || r == NULL)
		return PAM_CONV_ERR;
	if (answer != NULL)
		*answer = r->resp;
	free(r);
	return PAM_SUCCESS;
}

// A password, then a code with a remark before it.
static int two_rounds(pam_handle_t *pam)
{
	char *password = NULL, *code = NULL;
	const void *rhost = NULL;

	if (say(pam, PAM_PROMPT_ECHO_OFF, "Passphrase: ", &password) != PAM_SUCCESS)
		return PAM_CONV_ERR;
	say(pam, PAM_TEXT_INFO, "A code was\nsent.", NULL);
	if (say(pam, PAM_PROMPT_ECHO_ON, "Code:", &code) != PAM_SUCCESS)
		return PAM_CONV_ERR;
	if (pam_get_item(pam, PAM_RHOST, &rhost) != PAM_SUCCESS || rhost == NULL || strcmp(rhost, "192.0.2.9") != 0)
		return PAM_AUTH_ERR;
	return strcmp(password, "secret") == 0 && strcmp(code, "123456") == 0 ? PAM_SUCCESS : PAM_AUTH_ERR;
}

static int ask_for_ever(pam_handle_t *pam)
{
	for (;;)
		if (say(pam, PAM_PROMPT_ECHO_OFF, "More: ", NULL) != PAM_SUCCESS)
			return PAM_CONV_ERR;
}

// Not to be folded into a loop.
static int __attribute__((noinline)) recurse(volatile int *depth)
{
	volatile int here[1024];

	here[0] = *depth + 1;
	if (here[0] < 0)
		return 0;
	return recurse(here) + here[0];
}

static int behave(pam_handle_t *pam, const char *how)
{
	volatile int depth = 0;
	char *password = NULL;

	if (strcmp(how, "two") == 0)
		return two_rounds(pam);
	if (strcmp(how, "ask") == 0)
		return ask_for_ever(pam);
	if (strcmp(how, "block") == 0)
		for (;;)
			pause();
	if (strcmp(how, "recurse") == 0)
		return recurse(&depth);
	if (say(pam, PAM_PROMPT_ECHO_OFF, "Password: ", &password) != PAM_SUCCESS)
		return PAM_CONV_ERR;
	if (strcmp(how, "blocklater") == 0)
		for (;;)
			pause();
	if (strncmp(how, "late", 4) == 0)
		usleep(300000);
	if (strcmp(how, "lateno") == 0)
		return PAM_AUTH_ERR;
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "exit") == 0)
		_exit(0);
	if (strcmp(how, "crash") == 0)
		raise(SIGSEGV);
	if (strcmp(how, "close") == 0)
		for (int fd = 0; fd < 1024; fd++)
			close(fd);
	if (strcmp(how, "print") == 0) {
		puts("a line of the module's own");
		fflush(stdout);
	}
	if (strcmp(how, "rename") == 0)
		pam_set_item(pam, PAM_USER, "mapped");
	if (strcmp(how, "badname") == 0)
		pam_set_item(pam, PAM_USER, "../../\033[2J");
	return PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	return argc == 1 ? behave(pam, argv[0]) : PAM_SERVICE_ERR;
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	return PAM_SUCCESS;
}

// As pam_unix does it: a word to the user, and a verdict on his account; or no word.
int pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	const char *how = argc == 1 ? argv[0] : "";

	if (strcmp(how, "change") == 0)
		say(pam, PAM_ERROR_MSG, "You have to change\nyour password.", NULL);
	if (strncmp(how, "change", 6) == 0)
		return PAM_NEW_AUTHTOK_REQD;
	if (strcmp(how, "expired") == 0)
		return PAM_ACCT_EXPIRED;
	if (strcmp(how, "denied") == 0)
		say(pam, PAM_ERROR_MSG, "Not on Sundays.", NULL);
	return strcmp(how, "fine") == 0 ? PAM_SUCCESS : PAM_PERM_DENIED;
}

// A gateway that lets a module ask for a new password would end here.
int pam_sm_chauthtok(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	abort();
}
