// What is made of penstockctl's command table, on stdout. At build time only.
//   command-table manual   penstockctl(8) out of its template on stdin: @COMMANDS@ becomes the table as scdoc text, each command
//   with what
//                          the template says below its @words@, up to @END@; @ADMIN@ those that are for root only
//   command-table bash     completion for bash
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/commands.h"
#include "control/ctl/ctl.h"

#define TEXTS 128
#define LINE_BYTES 4096

static _Noreturn void die(const char *why, const char *what)
{
	fprintf(stderr, "command-table: %s: %s\n", what, why);
	exit(1);
}

// ---------------------------------------------------------------------------------------------------------------- manual

// What the template says of one command.
struct text {
	const char *words;
	char *body;
	bool used;
};

static struct text texts[TEXTS];
static size_t texts_count;

// SESSION becomes _session_, packets=N *packets*=_n_.
static void put_word(const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);

	if (equals) {
		printf("*%.*s*=", (int)(equals - word), word);
		len -= (size_t)(equals + 1 - word);
		word = equals + 1;
	}
	putchar('_');
	for (size_t i = 0; i < len; i++)
		putchar(tolower((unsigned char)word[i]));
	putchar('_');
}

static void put_argument(const char *p)
{
	for (; *p; p += *p == ' ') {
		size_t len = strcspn(p, " ");
		bool optional = *p == '[';

		putchar(' ');
		if (optional)
			putchar('[');
		put_word(p + optional, len - 2 * optional);
		if (optional)
			putchar(']');
		p += len;
	}
}

static void put_aliases(const struct command *c)
{
	const char *before = " Also ";

	for (size_t i = 0; i < commands_count; i++)
		if (commands[i].alias_of && strcmp(commands[i].alias_of, c->words) == 0) {
			printf("%s*%s*", before, commands[i].words);
			before = ", ";
		}
	if (before[0] == ',')
		putchar('.');
}

static void put_text(const char *words)
{
	for (size_t i = 0; i < texts_count; i++)
		if (strcmp(texts[i].words, words) == 0) {
			texts[i].used = true;
			fputs(texts[i].body, stdout);
		}
}

static void put_command(const struct command *c)
{
	printf("*%s*", c->words);
	put_argument(command_argument_name(c->argument));
	printf("\n\t%c%s.", toupper((unsigned char)c->help[0]), c->help + 1);
	put_aliases(c);
	putchar('\n');
	put_text(c->words);
	putchar('\n');
}

// Up to @END@: "@show status@", and lines of text.
static void read_texts(void)
{
	char line[LINE_BYTES];
	struct text *t = NULL;
	bool blank = false;
	size_t room = 0;
	FILE *body = NULL;

	while (fgets(line, sizeof(line), stdin) && strcmp(line, "@END@\n") != 0) {
		if (line[0] == '@') {
			if (body)
				fclose(body);
			if (texts_count == TEXTS)
				die("too many texts", line);
			t = &texts[texts_count++];
			t->words = strndup(line + 1, strcspn(line + 1, "@"));
			body = open_memstream(&t->body, &room);
		} else if (strcmp(line, "\n") != 0 && body) {
			fprintf(body, "%s%s", blank ? "\n" : "", line);
		}
		blank = strcmp(line, "\n") == 0; // between paragraphs, not at the end
	}
	if (body)
		fclose(body);
}

static void put_commands(void)
{
	read_texts();
	for (size_t i = 0; i < commands_count; i++)
		if (!commands[i].alias_of)
			put_command(&commands[i]);
	for (size_t i = 0; i < texts_count; i++)
		if (!texts[i].used)
			die("there is no such command", texts[i].words);
}

static void put_admin(void)
{
	const char *before = "";

	for (size_t i = 0; i < commands_count; i++)
		if (!commands[i].alias_of && commands[i].right == RIGHT_ADMIN) {
			printf("%s*%s*", before, commands[i].words);
			before = ", ";
		}
}

static void manual(void)
{
	char line[LINE_BYTES], *at;

	while (fgets(line, sizeof(line), stdin)) {
		at = strstr(line, "@ADMIN@");
		if (strcmp(line, "@COMMANDS@\n") == 0) {
			put_commands();
		} else if (at) {
			printf("%.*s", (int)(at - line), line);
			put_admin();
			fputs(at + strlen("@ADMIN@"), stdout);
		} else {
			fputs(line, stdout);
		}
	}
}

// ------------------------------------------------------------------------------------------------------------------ bash

static bool begins_with(const char *words, const char *path, size_t len)
{
	return len == 0 || (strncmp(words, path, len) == 0 && words[len] == ' ');
}

// All words that may follow the first `len` bytes of path, each once.
static void put_next(const char *path, size_t len)
{
	struct words none = { 0 };
	struct piece at[64];
	char copy[256];
	size_t n;

	snprintf(copy, sizeof(copy), "%.*s", (int)len, path);
	if (words_split(copy, &none) < 0)
		die("cannot be split", path);
	n = command_next(&none, none.count, "", at, 64);
	printf("  [%.*s.]=\"", (int)len, path);
	for (size_t i = 0; i < n; i++)
		printf("%s%.*s", i ? " " : "", (int)at[i].len, at[i].text);
	printf("\"\n");
}

// Has a command before this one the same beginning?
static bool is_known(size_t command, const char *path, size_t len)
{
	for (size_t i = 0; i < command; i++)
		if (!commands[i].alias_of && begins_with(commands[i].words, path, len))
			return true;
	return false;
}

static void put_paths(void)
{
	for (size_t i = 0; i < commands_count; i++) {
		const char *words = commands[i].words;

		for (const char *p = strchr(words, ' '); p && !commands[i].alias_of; p = strchr(p + 1, ' '))
			if (!is_known(i, words, (size_t)(p - words)))
				put_next(words, (size_t)(p - words));
	}
}

enum { OPTION_COMPLETE = 256, OPTION_DEBUG };

static void put_option(int letter, const char *name, const char *help)
{
	if (!help)
		return;
	if (letter < OPTION_COMPLETE)
		printf("-%c ", letter);
	printf("--%s ", name);
}

// As a pattern of case: where one stands.
static void put_files(void)
{
	const char *before = "";

	for (size_t i = 0; i < commands_count; i++) {
		const char *argument = commands[i].alias_of ? "" : command_argument_name(commands[i].argument),
		           *file = strstr(argument, "FILE");

		if (!file)
			continue;
		printf("%s\"%s\"%s", before, commands[i].words,
		       strchr(argument, ' ') && file > strchr(argument, ' ') ? "' '*" : "");
		before = " | ";
	}
}

static void bash(void)
{
	puts("# Completion of penstockctl for bash, made of its command table.\n"
	     "# What follows which words; a command's argument, and shortened words, are asked of penstockctl itself.\n"
	     "declare -gA _penstockctl_next=(");
	put_next("", 0);
	put_paths();
	printf(")\n_penstockctl_options=\"");
#define OPTION(letter, name, argument, help) put_option(letter, name, help);
#include "control/ctl/options.def"
#undef OPTION
	puts("\"\n\n"
	     "_penstockctl() {\n"
	     "  local current=${COMP_WORDS[COMP_CWORD]} words='' line='' socket=() i=1 word\n"
	     "  for ((; i < COMP_CWORD; i++)); do\n"
	     "    word=${COMP_WORDS[i]}\n"
	     "    case $word in\n"
	     "    -s | --socket-file | -f | --file)\n"
	     "      [ \"${COMP_WORDS[i + 1]-}\" != = ] || ((i++))\n"
	     "      if ((++i >= COMP_CWORD)); then\n"
	     "        [ \"$current\" != = ] || current=''\n"
	     "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
	     "        return\n"
	     "      fi\n"
	     "      [[ $word != -s && $word != --socket-file ]] || socket=(-s \"${COMP_WORDS[i]}\")\n"
	     "      ;;\n"
	     "    -*) ;;\n"
	     "    *) words+=\"${words:+ }$word\" line+=\"$word \" ;;\n"
	     "    esac\n"
	     "  done\n"
	     "  COMPREPLY=()\n"
	     "  if [ -z \"$words\" ] && [[ $current == -* ]]; then\n"
	     "    mapfile -t COMPREPLY < <(compgen -W \"$_penstockctl_options\" -- \"$current\")\n"
	     "  elif [ -n \"${_penstockctl_next[$words.]-}\" ]; then\n"
	     "    mapfile -t COMPREPLY < <(compgen -W \"${_penstockctl_next[$words.]}\" -- \"$current\")\n"
	     "  else\n"
	     "    while IFS= read -r word; do\n"
	     "      COMPREPLY+=(\"$(printf %q \"$word\")\")\n"
	     "      [[ $word != *= ]] || compopt -o nospace 2> /dev/null\n"
	     "    done < <(\"${COMP_WORDS[0]}\" ${socket[@]+\"${socket[@]}\"} --complete=\"$line$current\" 2> /dev/null)\n"
	     "  fi\n"
	     "  case $words in");
	printf("  ");
	put_files();
	puts(") mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
	     "  esac\n"
	     "}\n"
	     "complete -F _penstockctl penstockctl");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "manual") == 0)
		manual();
	else if (argc == 2 && strcmp(argv[1], "bash") == 0)
		bash();
	else
		die("manual or bash", "usage");
	return fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
