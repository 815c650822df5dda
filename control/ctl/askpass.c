#include "control/ctl/askpass.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "proto/secret.h"
#include "proto/utf8.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static int refuse(const char **why, int error, const char *text)
{
	*why = text;
	return -error;
}

static int read_line(int fd, char out[LIMIT_PASSWORD + 1], const char **why)
{
	size_t used = 0;
	char c = 0;
	ssize_t n;

	while ((n = read(fd, &c, 1)) == 1 && c != '\n') {
		if (used == LIMIT_PASSWORD)
			return refuse(why, EINVAL, "the password is too long");
		out[used++] = c;
	}
	if (n < 0)
		return refuse(why, errno, "the password cannot be read");
	if (used > 0 && out[used - 1] == '\r')
		used--;
	out[used] = '\0';
	if (used == 0)
		return refuse(why, EINVAL, "an empty password is refused");
	for (size_t i = 0; i < used; i += n) {
		n = utf8_printable((const uint8_t *)out + i, used - i);
		if (n == 0)
			return refuse(why, EINVAL, "the password has control characters or is not UTF-8");
	}
	return 0;
}

static int prompt(int tty, const char *text, char out[LIMIT_PASSWORD + 1], const char **why)
{
	int ret;

	dprintf(tty, "%s", text);
	ret = read_line(tty, out, why);
	dprintf(tty, "\n");
	return ret;
}

static int prompt_all(int tty, bool twice, char out[LIMIT_PASSWORD + 1], const char **why)
{
	char again[LIMIT_PASSWORD + 1] = "";
	int ret = prompt(tty, "Enter password: ", out, why);

	if (ret < 0 || !twice)
		return ret;
	ret = prompt(tty, "Re-enter password: ", again, why);
	if (ret == 0 && strcmp(out, again) != 0)
		ret = refuse(why, EINVAL, "the passwords are not the same");
	secret_wipe(again, sizeof(again));
	return ret;
}

// Whatever happens, the terminal gets its echo back.
static int ask_on_terminal(int tty, bool twice, char out[LIMIT_PASSWORD + 1], const char **why)
{
	const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	const struct sigaction act = { .sa_handler = on_signal }; // no SA_RESTART: the read ends
	struct termios before, quiet;
	int ret;

	if (tcgetattr(tty, &before) < 0)
		return refuse(why, errno, "the terminal does not answer");
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &act, NULL);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	ret = prompt_all(tty, twice, out, why);
	tcsetattr(tty, TCSAFLUSH, &before);
	return interrupted ? refuse(why, EINTR, "interrupted") : ret;
}

int askpass(bool twice, char out[LIMIT_PASSWORD + 1], const char **why)
{
	return isatty(STDIN_FILENO) ? ask_on_terminal(STDIN_FILENO, twice, out, why) : read_line(STDIN_FILENO, out, why);
}
