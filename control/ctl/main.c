#include <getopt.h>
#include <stdio.h>

#include "batch.h"
#include "complete.h"
#include "ctl.h"
#include "help.h"
#include "proto/log.h"
#include "text.h"

static void print_help(FILE *out)
{
	fputs("Usage: penstockctl [OPTION]... [COMMAND]\n"
	      "Talks to a running penstockd. Without a command it opens a shell.\n\n"
	      "  -s, --socket-file=FILE  the gateway's admin socket (" CTL_SOCKET ")\n"
	      "  -j, --json              print JSON\n"
	      "  -n, --no-pager          do not page long answers\n"
	      "  -f, --file=FILE         commands from a file, one a line; -: from standard input\n"
	      "  -k, --keep-going        with -f: go on after a command that failed\n"
	      "      --debug             say what is asked and answered\n"
	      "  -v, --version           print the version\n"
	      "  -h, --help              print this\n\n"
	      "Commands:\n",
	      out);
}

struct wanted {
	const char *file; // -f
	char *complete;   // --complete: what stands on the line of another shell
	bool keep_going;
};

// enum ctl_exit, or -1: go on.
static int parse_options(int argc, char **argv, struct ctl *ctl, struct wanted *wanted)
{
	static const struct option options[] = {
		{ "socket-file", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "no-pager", no_argument, NULL, 'n' },
		{ "file", required_argument, NULL, 'f' },
		{ "keep-going", no_argument, NULL, 'k' },
		{ "complete", required_argument, NULL, 'c' },
		{ "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "+s:jnf:kvh", options, NULL)) >= 0)
		switch (letter) {
		case 's':
			ctl->socket = optarg;
			break;
		case 'j':
			ctl->json = true;
			break;
		case 'n':
			ctl->pager = false;
			break;
		case 'f':
			wanted->file = optarg;
			break;
		case 'k':
			wanted->keep_going = true;
			break;
		case 'c':
			wanted->complete = optarg;
			break;
		case 'd':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'v':
			puts("penstockctl " PENSTOCK_VERSION);
			return CTL_OK;
		case 'h':
			print_help(stdout);
			help_text(stdout);
			return CTL_OK;
		default:
			return CTL_USAGE;
		}
	return -1;
}

static int run_words(const struct ctl *ctl, int argc, char **argv)
{
	struct words w = { 0 };

	if (argc > WORDS_MAX) {
		fprintf(stderr, "penstockctl: too many words\n");
		return CTL_USAGE;
	}
	for (; w.count < argc; w.count++)
		w.word[w.count] = argv[w.count];
	return ctl_run_words(ctl, &w);
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .socket = CTL_SOCKET, .pager = true };
	struct wanted wanted = { 0 };
	int ret;

	log_init("penstockctl", LOG_LEVEL_WARN, LOG_FORM_PLAIN);
	text_init();
	ret = parse_options(argc, argv, &ctl, &wanted);
	if (ret >= 0)
		return ret;
	if (wanted.complete)
		return choices_print(&ctl, wanted.complete);
	if (wanted.file && optind < argc) {
		fprintf(stderr, "penstockctl: commands come from a file or from the command line, not from both\n");
		return CTL_USAGE;
	}
	ctl.pager = ctl.pager && !wanted.file;
	if (wanted.file)
		return batch_run(&ctl, wanted.file, wanted.keep_going);
	return optind == argc ? shell_run(&ctl) : run_words(&ctl, argc - optind, argv + optind);
}
