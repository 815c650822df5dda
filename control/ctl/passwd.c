// penstock-passwd: keeps the password file of "auth = plain[passwd=FILE]". The options are ocpasswd's.
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "control/ctl/passwdfile.h"
#include "proto/limits.h"
#include "proto/secret.h"
#include "proto/utf8.h"

#define DEFAULT_FILE PENSTOCK_CONFDIR "/passwd"
#define HASH_KIND "$y$" // yescrypt, libxcrypt's preferred one

static const char USAGE[] = "Usage: penstock-passwd [options] username\n"
                            "\n"
                            "Adds a user to the password file, or sets a new password. The password is asked for\n"
                            "twice on a terminal; otherwise it is the first line of the standard input.\n"
                            "\n"
                            "  -c, --passwd=FILE        the password file (default " DEFAULT_FILE ")\n"
                            "  -g, --groupname=GROUPS   the user's groups, separated by commas\n"
                            "                           (without it a known user keeps the groups)\n"
                            "  -d, --delete             delete the user\n"
                            "  -l, --lock               lock the user: no password is right until -u\n"
                            "  -u, --unlock             unlock the user\n"
                            "  -v, --version            print the version\n"
                            "  -h, --help               print this help\n";

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "penstock-passwd: %s%s%s\n", what, why != NULL ? ": " : "", why != NULL ? why : "");
	return -EINVAL;
}

// ------------------------------------------------------------------------------------------------------------- password

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

// A line without its newline; -EINVAL for one that no login could send.
static int read_line(int fd, char out[LIMIT_PASSWORD + 1])
{
	size_t used = 0;
	char c = 0;
	ssize_t n;

	while ((n = read(fd, &c, 1)) == 1 && c != '\n') {
		if (used == LIMIT_PASSWORD)
			return complain("the password is too long", NULL);
		out[used++] = c;
	}
	if (n < 0)
		return complain("the password cannot be read", strerror(errno));
	if (used > 0 && out[used - 1] == '\r')
		used--;
	out[used] = '\0';
	if (used == 0)
		return complain("an empty password is refused", NULL);
	for (size_t i = 0; i < used; i += n) {
		n = utf8_printable((const uint8_t *)out + i, used - i);
		if (n == 0)
			return complain("the password has control characters or is not UTF-8", NULL);
	}
	return 0;
}

static int prompt(int tty, const char *text, char out[LIMIT_PASSWORD + 1])
{
	int ret;

	dprintf(tty, "%s", text);
	ret = read_line(tty, out);
	dprintf(tty, "\n");
	return ret;
}

static int prompt_twice(int tty, char out[LIMIT_PASSWORD + 1])
{
	char again[LIMIT_PASSWORD + 1] = "";
	int ret = prompt(tty, "Enter password: ", out);

	if (ret == 0)
		ret = prompt(tty, "Re-enter password: ", again);
	if (ret == 0 && strcmp(out, again) != 0)
		ret = complain("the passwords are not the same", NULL);
	secret_wipe(again, sizeof(again));
	return ret;
}

// Without echo; whatever happens, the terminal gets its echo back.
static int ask_on_terminal(int tty, char out[LIMIT_PASSWORD + 1])
{
	const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	const struct sigaction act = { .sa_handler = on_signal }; // no SA_RESTART: the read ends
	struct termios before, quiet;
	int ret;

	if (tcgetattr(tty, &before) < 0)
		return complain("terminal", strerror(errno));
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &act, NULL);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	ret = prompt_twice(tty, out);
	tcsetattr(tty, TCSAFLUSH, &before);
	return interrupted ? -EINTR : ret;
}

static int make_hash(char hash[CRYPT_OUTPUT_SIZE])
{
	char password[LIMIT_PASSWORD + 1] = "", setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = calloc(1, sizeof(*data));
	int ret = -ENOMEM;

	if (data == NULL)
		return complain("no memory", NULL);
	ret = isatty(STDIN_FILENO) ? ask_on_terminal(STDIN_FILENO, password) : read_line(STDIN_FILENO, password);
	if (ret < 0)
		goto wipe;
	if (crypt_gensalt_rn(HASH_KIND, 0, NULL, 0, setting, sizeof(setting)) == NULL ||
	    crypt_rn(password, setting, data, sizeof(*data)) == NULL) {
		ret = complain("crypt", strerror(errno));
		goto wipe;
	}
	strcpy(hash, data->output);
wipe:
	secret_wipe(password, sizeof(password));
	secret_wipe(data, sizeof(*data));
	free(data);
	return ret;
}

// ------------------------------------------------------------------------------------------------------------------ file

// Opened and locked: and still the file that has the name, not one that another penstock-passwd has just replaced.
static int open_locked(const char *path, bool create, struct stat *st)
{
	struct stat now;
	int fd;

	for (;;) {
		fd = open(path, O_RDONLY | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
		if (fd < 0)
			return -errno;
		errno = 0;
		if (flock(fd, LOCK_EX) == 0 && fstat(fd, st) == 0 && stat(path, &now) == 0 && now.st_ino == st->st_ino &&
		    now.st_dev == st->st_dev)
			return fd;
		close(fd);
		if (errno != 0 && errno != ENOENT && errno != EINTR)
			return -errno;
	}
}

static int read_all(int fd, size_t size, char **out, size_t *len)
{
	char *text = malloc(size + 1);
	size_t used = 0;
	ssize_t n = 1;

	if (text == NULL)
		return -ENOMEM;
	while (used < size && n > 0) {
		n = read(fd, text + used, size - used);
		if (n > 0)
			used += n;
	}
	*out = text;
	*len = used;
	return n < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, ret;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

// Readers see the old file or the new one, never half of it.
static int replace(const char *path, const struct stat *like, const char *text, size_t len)
{
	char temp[PATH_MAX];
	int fd, ret;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	fd = mkostemp(temp, O_CLOEXEC); // mode 0600
	if (fd < 0)
		return -errno;
	ret = write_all(fd, text, len);
	if (ret == 0 && (fchown(fd, like->st_uid, like->st_gid) < 0 || fchmod(fd, like->st_mode & 0777) < 0))
		ret = -errno;
	close(fd);
	if (ret == 0 && rename(temp, path) < 0)
		ret = -errno;
	if (ret == 0)
		return sync_directory(path);
	unlink(temp);
	return ret;
}

static int edit_file(const char *path, const struct passwdfile_edit *e)
{
	char *old = NULL, *fresh = NULL;
	size_t old_len = 0, fresh_len = 0;
	struct stat st;
	int fd, ret;

	fd = open_locked(path, e->action == PASSWDFILE_SET, &st);
	if (fd < 0)
		return fd;
	ret = !S_ISREG(st.st_mode) ? -EINVAL : st.st_size > PASSWDFILE_MAX ? -EFBIG : read_all(fd, st.st_size, &old, &old_len);
	if (ret == 0)
		ret = passwdfile_edit(old, old_len, e, &fresh, &fresh_len);
	if (ret == 0)
		ret = replace(path, &st, fresh, fresh_len);
	if (old != NULL)
		secret_wipe(old, old_len);
	if (fresh != NULL)
		secret_wipe(fresh, fresh_len);
	free(old);
	free(fresh);
	close(fd);
	return ret;
}

// Before a password is typed for nothing; anything else that is wrong is said when the file is opened.
static int check_directory(const char *path)
{
	char copy[PATH_MAX], why[PATH_MAX + 64];
	struct stat st;
	char *dir;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	if (stat(dir, &st) == 0 || errno != ENOENT)
		return 0;
	snprintf(why, sizeof(why), "its directory is not there; this makes it: mkdir -p %s", dir);
	return complain(path, why);
}

// ----------------------------------------------------------------------------------------------------------- command line

struct request {
	struct passwdfile_edit edit;
	const char *file;
	bool done; // --help, --version
};

static int usage_error(const char *what)
{
	complain(what, NULL);
	fputs("Try 'penstock-passwd --help'.\n", stderr);
	return -EINVAL;
}

static int set_action(struct request *r, enum passwdfile_action action)
{
	if (r->edit.action != PASSWDFILE_SET && r->edit.action != action)
		return usage_error("-d, -l and -u exclude each other");
	r->edit.action = action;
	return 0;
}

static int take_option(struct request *r, int option)
{
	switch (option) {
	case 'c':
		r->file = optarg;
		return 0;
	case 'g':
		r->edit.groups = optarg;
		return 0;
	case 'd':
		return set_action(r, PASSWDFILE_DELETE);
	case 'l':
		return set_action(r, PASSWDFILE_LOCK);
	case 'u':
		return set_action(r, PASSWDFILE_UNLOCK);
	case 'v':
		puts("penstock-passwd " PENSTOCK_VERSION);
		r->done = true;
		return 0;
	case 'h':
		fputs(USAGE, stdout);
		r->done = true;
		return 0;
	default:
		fputs("Try 'penstock-passwd --help'.\n", stderr);
		return -EINVAL;
	}
}

static int check_request(struct request *r, int argc, char **argv)
{
	const char *why;

	if (optind + 1 != argc)
		return usage_error(optind == argc ? "no user name" : "more than one user name");
	r->edit.user = argv[optind];
	why = passwdfile_check_user(r->edit.user);
	if (why == NULL && r->edit.groups != NULL)
		why = passwdfile_check_groups(r->edit.groups);
	return why != NULL ? complain(why, NULL) : 0;
}

static int parse_command_line(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {
		{ "passwd", required_argument, NULL, 'c' }, { "groupname", required_argument, NULL, 'g' },
		{ "delete", no_argument, NULL, 'd' },       { "lock", no_argument, NULL, 'l' },
		{ "unlock", no_argument, NULL, 'u' },       { "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
	};
	int option, ret = 0;

	while (ret == 0 && !r->done && (option = getopt_long(argc, argv, "c:g:dluvh", options, NULL)) != -1)
		ret = take_option(r, option);
	if (ret < 0 || r->done)
		return ret;
	return check_request(r, argc, argv);
}

static int run(struct request *r)
{
	char hash[CRYPT_OUTPUT_SIZE], path[PATH_MAX];
	int ret = 0;

	// what a symbolic link points to is replaced, not the link
	if (realpath(r->file, path) == NULL)
		snprintf(path, sizeof(path), "%s", r->file);
	if (r->edit.action == PASSWDFILE_SET)
		ret = check_directory(path);
	if (ret == 0 && r->edit.action == PASSWDFILE_SET)
		ret = make_hash(hash);
	if (ret < 0)
		return ret;
	r->edit.hash = hash;
	ret = edit_file(path, &r->edit);
	secret_wipe(hash, sizeof(hash));
	if (ret == -ENOENT && access(path, F_OK) == 0)
		return complain(path, "no such user");
	return ret < 0 ? complain(path, strerror(-ret)) : 0;
}

int main(int argc, char **argv)
{
	struct request r = { .file = DEFAULT_FILE };
	int ret = parse_command_line(argc, argv, &r);

	if (ret == 0 && !r.done)
		ret = run(&r);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
