// penstock-passwd: keeps the files of "auth = plain[passwd=FILE,otp=FILE]". The options are ocpasswd's, and some more.
#include <crypt.h>
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/ctl/askpass.h"
#include "control/ctl/editfile.h"
#include "control/ctl/otp.h"
#include "control/ctl/passwdfile.h"
#include "control/ctl/qr.h"
#include "proto/secret.h"

#define DEFAULT_FILE PENSTOCK_CONFDIR "/passwd"
#define HASH_KIND "$y$"  // yescrypt, libxcrypt's preferred one
#define EXIT_WRONG 2     // --verify: everything is in order but the password
#define PASSWORD_WRONG 1 // the same, from a function

static const char USAGE[] = "Usage: penstock-passwd [options] username\n"
                            "       penstock-passwd [options] --list\n"
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
                            "      --verify             ask for a password and say whether it is the user's;\n"
                            "                           exit status 2 where it is not, or the user is locked\n"
                            "      --list               list the users, their groups, and who is locked\n"
                            "\n"
                            "  -o, --otp=FILE           instead: give the user a new secret for one-time passwords in\n"
                            "                           this users file (liboath's); with -d take it away\n"
                            "      --hotp               one-time passwords by a counter, not by the time\n"
                            "      --issuer=NAME        what the user's app calls this gateway (default: host name)\n"
                            "\n"
                            "  -v, --version            print the version\n"
                            "  -h, --help               print this help\n";

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "penstock-passwd: %s%s%s\n", what, why != NULL ? ": " : "", why != NULL ? why : "");
	return -EINVAL;
}

static int complain_of_file(const char *file, int error)
{
	return complain(file, strerror(-error));
}

enum action { ACTION_SET, ACTION_DELETE, ACTION_LOCK, ACTION_UNLOCK, ACTION_VERIFY, ACTION_LIST };

struct request {
	enum action action;
	const char *file, *otp_file;
	const char *user, *groups;
	const char *issuer;
	enum otp_kind otp_kind;
	bool done; // --help, --version
};

// -------------------------------------------------------------------------------------------------------------- password

static int ask(bool twice, char password[LIMIT_PASSWORD + 1])
{
	const char *why = NULL;
	int ret = askpass(twice, password, &why);

	return ret < 0 ? complain(why, NULL) : 0;
}

static int make_hash(char hash[CRYPT_OUTPUT_SIZE])
{
	char password[LIMIT_PASSWORD + 1] = "", setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = calloc(1, sizeof(*data));
	int ret = -ENOMEM;

	if (data == NULL)
		return complain("no memory", NULL);
	ret = ask(true, password);
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

static int edit(const struct request *r)
{
	char hash[CRYPT_OUTPUT_SIZE] = "";
	struct passwdfile_edit e = { .user = r->user, .groups = r->groups, .hash = hash };
	int ret = 0;

	e.action = r->action == ACTION_SET      ? PASSWDFILE_SET
	           : r->action == ACTION_DELETE ? PASSWDFILE_DELETE
	           : r->action == ACTION_LOCK   ? PASSWDFILE_LOCK
	                                        : PASSWDFILE_UNLOCK;
	if (r->action == ACTION_SET)
		ret = check_directory(r->file);
	if (ret == 0 && r->action == ACTION_SET)
		ret = make_hash(hash);
	if (ret < 0)
		return ret;
	ret = editfile(r->file, r->action == ACTION_SET, passwdfile_edit, &e);
	secret_wipe(hash, sizeof(hash));
	if (ret == -ENOENT && access(r->file, F_OK) == 0)
		return complain(r->file, "no such user");
	return ret < 0 ? complain_of_file(r->file, ret) : 0;
}

// --------------------------------------------------------------------------------------------------------------- verify

static int compare(const char *password, const struct passwdfile_line *line, bool *same)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	char hash[CRYPT_OUTPUT_SIZE];
	const char *made;

	if (data == NULL)
		return complain("no memory", NULL);
	snprintf(hash, sizeof(hash), "%.*s", (int)line->hash_len, line->hash);
	made = crypt_r(password, hash, data);
	*same = made != NULL && made[0] != '*' && strlen(made) == strlen(hash) && secret_equal(made, hash, strlen(hash));
	secret_wipe(data, sizeof(*data));
	secret_wipe(hash, sizeof(hash));
	free(data);
	return 0;
}

static int verify_line(const struct request *r, const struct passwdfile_line *line)
{
	char password[LIMIT_PASSWORD + 1] = "";
	bool same = false;
	int ret = ask(false, password);

	if (ret == 0)
		ret = compare(password, line, &same);
	secret_wipe(password, sizeof(password));
	if (ret < 0)
		return ret;
	printf("%s: the password is %s%s\n", r->user, same ? "right" : "wrong", line->locked ? ", and the user is locked" : "");
	return same && !line->locked ? 0 : PASSWORD_WRONG;
}

static int verify(const struct request *r)
{
	struct passwdfile_line line;
	char *text;
	size_t len;
	int ret = editfile_read(r->file, &text, &len);

	if (ret < 0)
		return complain_of_file(r->file, ret);
	ret = passwdfile_find(text, len, r->user, &line) ? verify_line(r, &line) : complain(r->file, "no such user");
	secret_wipe(text, len);
	free(text);
	return ret;
}

static int list(const struct request *r)
{
	struct passwdfile_line l;
	const char *at;
	char *text;
	size_t len;
	int ret = editfile_read(r->file, &text, &len);

	if (ret < 0)
		return complain_of_file(r->file, ret);
	at = text;
	while (passwdfile_next(&at, text + len, &l))
		printf("%-24.*s %-24.*s %s\n", (int)l.user_len, l.user, (int)l.groups_len, l.groups, l.locked ? "locked" : "open");
	secret_wipe(text, len);
	free(text);
	return 0;
}

// ---------------------------------------------------------------------------------------------------- one-time passwords

static int show_secret(const struct request *r, const struct otp_edit *e)
{
	char host[OTP_ISSUER + 1] = "penstock", uri[OTP_URI_MAX];
	bool terminal = isatty(STDOUT_FILENO);
	char *picture;

	gethostname(host, sizeof(host) - 1);
	otp_uri(e, r->issuer != NULL ? r->issuer : host, uri);
	picture = terminal ? qr_text(uri, true) : NULL;
	printf("%s%s\n", picture != NULL ? picture : "", uri);
	if (picture != NULL)
		secret_wipe(picture, strlen(picture));
	free(picture);
	secret_wipe(uri, sizeof(uri));
	return 0;
}

static int edit_otp(const struct request *r)
{
	uint8_t secret[OTP_SECRET_SIZE];
	struct otp_edit e = { .user = r->user, .kind = r->otp_kind, .secret = r->action == ACTION_SET ? secret : NULL };
	const char *why = otp_check_user(r->user);
	int ret;

	if (why != NULL)
		return complain(why, NULL);
	if (e.secret != NULL && otp_secret(secret) < 0)
		return complain("no random numbers", NULL);
	ret = editfile(r->otp_file, e.secret != NULL, otp_edit, &e);
	if (ret == -ENOENT && access(r->otp_file, F_OK) == 0)
		ret = complain(r->otp_file, "no such user");
	else if (ret < 0)
		ret = complain_of_file(r->otp_file, ret);
	else if (e.secret != NULL)
		ret = show_secret(r, &e);
	secret_wipe(secret, sizeof(secret));
	return ret;
}

// ----------------------------------------------------------------------------------------------------------- command line

enum { OPTION_VERIFY = 256, OPTION_LIST, OPTION_HOTP, OPTION_ISSUER };

static int usage_error(const char *what)
{
	complain(what, NULL);
	fputs("Try 'penstock-passwd --help'.\n", stderr);
	return -EINVAL;
}

static int set_action(struct request *r, enum action action)
{
	if (r->action != ACTION_SET && r->action != action)
		return usage_error("-d, -l, -u, --verify and --list exclude each other");
	r->action = action;
	return 0;
}

static int take_option(struct request *r, int option)
{
	switch (option) {
	case 'c':
		r->file = optarg;
		return 0;
	case 'g':
		r->groups = optarg;
		return 0;
	case 'd':
		return set_action(r, ACTION_DELETE);
	case 'l':
		return set_action(r, ACTION_LOCK);
	case 'u':
		return set_action(r, ACTION_UNLOCK);
	case OPTION_VERIFY:
		return set_action(r, ACTION_VERIFY);
	case OPTION_LIST:
		return set_action(r, ACTION_LIST);
	case 'o':
		r->otp_file = optarg;
		return 0;
	case OPTION_HOTP:
		r->otp_kind = OTP_COUNTER;
		return 0;
	case OPTION_ISSUER:
		r->issuer = optarg;
		return 0;
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

	if (r->otp_file != NULL && r->action != ACTION_SET && r->action != ACTION_DELETE)
		return usage_error("--otp goes with -d only");
	if (r->otp_file == NULL && (r->otp_kind != OTP_TIME || r->issuer != NULL))
		return usage_error("--hotp and --issuer go with --otp only");
	if (r->issuer != NULL && (r->issuer[0] == '\0' || strlen(r->issuer) > OTP_ISSUER))
		return usage_error("the issuer's name is empty or too long");
	if (r->action == ACTION_LIST)
		return optind == argc ? 0 : usage_error("--list takes no user name");
	if (optind + 1 != argc)
		return usage_error(optind == argc ? "no user name" : "more than one user name");
	r->user = argv[optind];
	why = passwdfile_check_user(r->user);
	if (why == NULL && r->groups != NULL)
		why = passwdfile_check_groups(r->groups);
	return why != NULL ? complain(why, NULL) : 0;
}

static int parse_command_line(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {
		{ "passwd", required_argument, NULL, 'c' },
		{ "groupname", required_argument, NULL, 'g' },
		{ "delete", no_argument, NULL, 'd' },
		{ "lock", no_argument, NULL, 'l' },
		{ "unlock", no_argument, NULL, 'u' },
		{ "verify", no_argument, NULL, OPTION_VERIFY },
		{ "list", no_argument, NULL, OPTION_LIST },
		{ "otp", required_argument, NULL, 'o' },
		{ "hotp", no_argument, NULL, OPTION_HOTP },
		{ "issuer", required_argument, NULL, OPTION_ISSUER },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, ret = 0;

	while (ret == 0 && !r->done && (option = getopt_long(argc, argv, "c:g:dluo:vh", options, NULL)) != -1)
		ret = take_option(r, option);
	if (ret < 0 || r->done)
		return ret;
	return check_request(r, argc, argv);
}

static int run(const struct request *r)
{
	if (r->otp_file != NULL)
		return edit_otp(r);
	switch (r->action) {
	case ACTION_VERIFY:
		return verify(r);
	case ACTION_LIST:
		return list(r);
	default:
		return edit(r);
	}
}

int main(int argc, char **argv)
{
	struct request r = { .file = DEFAULT_FILE };
	int ret = parse_command_line(argc, argv, &r);

	if (ret == 0 && !r.done)
		ret = run(&r);
	return ret == PASSWORD_WRONG ? EXIT_WRONG : ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
