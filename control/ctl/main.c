#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "complete.h"
#include "ctl.h"
#include "help.h"
#include "proto/log.h"
#include "text.h"

// Those without a letter.
enum { OPTION_COMPLETE = 256, OPTION_DEBUG };

static void put_option(FILE *out, int letter, const char *name, const char *argument, const char *help)
{
	int width = 22 - (int)strlen(name) - (argument[0] ? (int)strlen(argument) + 1 : 0);

	if (!help)
		return;
	if (letter < OPTION_COMPLETE)
		fprintf(out, "  -%c, ", letter);
	else
		fputs("      ", out);
	fprintf(out, "--%s%s%s%*s%s\n", name, argument[0] ? "=" : "", argument, width, "", help);
}

static void print_help(FILE *out)
{
	fputs("Usage: penstockctl [OPTION]... [COMMAND]\n"
	      "Talks to a running penstockd. Without a command it opens a shell.\n\n",
	      out);
#define OPTION(letter, name, argument, help) put_option(out, letter, name, argument, help);
#include "options.def"
#undef OPTION
	fputs("\nCommands:\n", out);
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
#define OPTION(sign, long_name, argument, help) { long_name, (argument)[0] ? required_argument : no_argument, NULL, sign },
#include "options.def"
#undef OPTION
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
		case OPTION_COMPLETE:
			wanted->complete = optarg;
			break;
		case OPTION_DEBUG:
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

// occtl joins its words to a line, so that scripts may give it all of one as a single word.
static int run_line(const struct ctl *ctl, char *line)
{
	struct words w;

	if (words_split(line, &w) < 0) {
		fprintf(stderr, "penstockctl: a quote is not closed, or there are too many words\n");
		return CTL_USAGE;
	}
	return ctl_run_words(ctl, &w);
}

static int run_words(const struct ctl *ctl, int argc, char **argv)
{
	struct words w = { 0 };

	if (argc == 1 && strchr(argv[0], ' '))
		return run_line(ctl, argv[0]);
	if (argc > WORDS_MAX) {
		fprintf(stderr, "penstockctl: too many words\n");
		return CTL_USAGE;
	}
	for (; w.count < argc; w.count++)
		w.word[w.count] = argv[w.count];
	return ctl_run_words(ctl, &w);
}

static const char *usual_socket(void)
{
	return access(CTL_SOCKET, F_OK) < 0 && access(CTL_SOCKET_OCCTL, F_OK) == 0 ? CTL_SOCKET_OCCTL : CTL_SOCKET;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .socket = usual_socket(), .pager = true };
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
