#include <getopt.h>
#include <stdio.h>

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
	      "      --debug             say what is asked and answered\n"
	      "  -v, --version           print the version\n"
	      "  -h, --help              print this\n\n"
	      "Commands:\n",
	      out);
}

static int parse_options(int argc, char **argv, struct ctl *ctl)
{
	static const struct option options[] = {
		{ "socket-file", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "no-pager", no_argument, NULL, 'n' },
		{ "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "+s:jnvh", options, NULL)) >= 0)
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

int main(int argc, char **argv)
{
	struct ctl ctl = { .socket = CTL_SOCKET, .pager = true };
	struct words w = { 0 };
	int ret;

	log_init("penstockctl", LOG_LEVEL_WARN, LOG_FORM_PLAIN);
	text_init();
	ret = parse_options(argc, argv, &ctl);
	if (ret >= 0)
		return ret;
	if (optind == argc)
		return shell_run(&ctl);
	if (argc - optind > WORDS_MAX) {
		fprintf(stderr, "penstockctl: too many words\n");
		return CTL_USAGE;
	}
	for (; optind < argc; optind++)
		w.word[w.count++] = argv[optind];
	return ctl_run_words(&ctl, &w);
}
