// penstock.conf(5) out of its template: the lines @OPTIONS@ and @ENDPOINTS@ become the tables of options and of URLs as scdoc text.
// A template on stdin, the page's source on stdout. At build time only.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/config_table.h"
#include "proto/limits.h"

// The table's order, with its headings.
static const struct {
	const char *section;
	enum opt opt;
} order[] = {
#define SECTION(title) { (title), OPT_COUNT },
#define OPT(id, ...) { NULL, OPT_##id },
#define ALIAS(...)
#include "control/main/config.def"
#undef SECTION
#undef OPT
#undef ALIAS
};

// What scdoc would take for markup.
static void put(const char *text)
{
	for (; *text; text++) {
		if (strchr("*_\\#`<>~", *text))
			putchar('\\');
		putchar(*text);
	}
}

static const char *kind_words(enum opt_kind kind)
{
	static const char *const words[] = {
		[KIND_BOOL] = "true or false", [KIND_NUMBER] = "number",        [KIND_TEXT] = "text",
		[KIND_SECRET] = "text",        [KIND_CHOICE] = "word",          [KIND_FILE] = "file",
		[KIND_PATH] = "path",          [KIND_KEYFILE] = "file",         [KIND_USER] = "user",
		[KIND_GROUP] = "group",        [KIND_HOST] = "address or name", [KIND_ADDRESS] = "address",
		[KIND_NETWORK4] = "network",   [KIND_NETWORK6] = "network",     [KIND_NETMASK] = "netmask",
		[KIND_ROUTE] = "network",      [KIND_DEVICE] = "name",          [KIND_AUTH] = "method",
		[KIND_PRIORITY] = "priority",  [KIND_PORTS] = "ports",          [KIND_DOMAIN] = "domain",
		[KIND_DOMAINS] = "domains",    [KIND_DIRECTORY] = "directory",  [KIND_SIZE] = "bytes",
		[KIND_DATE] = "date",
	};

	return words[kind];
}

static void put_value(const struct opt_info *i)
{
	if (i->kind == KIND_CHOICE && strlen(i->words) < 40) {
		for (const char *p = i->words; *p; p++)
			printf(*p == '|' ? " | " : "%c", *p);
	} else if (i->kind == KIND_NUMBER && i->words) {
		put(i->words);
	} else {
		put(kind_words(i->kind));
	}
}

static void put_status(const struct opt_info *i)
{
	if (i->where == WHERE_USERFILE)
		printf(" Only in the file of a user or a group.");
	else if (i->where == WHERE_USER)
		printf(" Also for users and groups.");
	switch (i->status) {
	case STATUS_WORKS:
		return;
	case STATUS_VOID:
		printf(" *No effect here*");
		break;
	case STATUS_REMOVED:
		printf(" *Removed*, an error");
		break;
	}
	if (i->note) {
		printf(": ");
		put(i->note);
	}
	putchar('.');
}

static void put_option(enum opt o)
{
	const struct opt_info *i = &opt_table[o];
	const char *alias;

	putchar('*');
	put(i->name);
	printf("* = _");
	put_value(i);
	printf("_%s\n\t", opt_is_list(o) ? " ..." : "");
	put(i->help);
	if (i->kind == KIND_CHOICE && strlen(i->words) >= 40) {
		printf(" One of ");
		for (const char *p = i->words; *p; p++)
			printf(*p == '|' ? ", " : "%c", *p);
		putchar('.');
	}
	if (i->kind == KIND_NUMBER && i->most < INT32_MAX)
		printf(" From %" PRId64 " to %" PRId64 ".", i->least, i->most);
	if (opt_is_list(o))
		printf(" May be repeated.");
	if (opt_is_must(o))
		printf(" Required.");
	if (i->value && i->status == STATUS_WORKS) {
		printf(" Default: ");
		put(i->value);
		putchar('.');
	}
	if (i->load == LOAD_START && i->status == STATUS_WORKS)
		printf(" A change takes a restart.");
	for (unsigned n = 0; (alias = opt_alias(o, n)); n++) {
		printf(n == 0 ? " Also called " : ", ");
		put(alias);
	}
	if (opt_alias(o, 0))
		putchar('.');
	put_status(i);
	printf("\n\n");
}

static void put_options(void)
{
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (order[i].section)
			printf("## %s\n\n", order[i].section);
		else
			put_option(order[i].opt);
	}
}

#define EXACT ""
#define BELOW "..."

static const struct {
	const char *path, *below, *methods, *help;
} endpoints[] = {
#define ENDPOINT(path, reach, methods, who, type, body, help) { path, reach, #methods, help },
#include "control/worker/endpoint.def"
#undef ENDPOINT
};

static void put_methods(const char *text)
{
	for (const char *p = text; (p = strstr(p, "METHOD_")); p += strcspn(p, " ")) {
		p += strlen("METHOD_");
		printf("%s%.*s", p == text + strlen("METHOD_") ? "" : ", ", (int)strcspn(p, " "), p);
	}
}

static void put_endpoints(void)
{
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
		printf("*");
		put(endpoints[i].path);
		printf("*%s (", endpoints[i].below);
		put_methods(endpoints[i].methods);
		printf(")\n\t");
		put(endpoints[i].help);
		printf("\n\n");
	}
}

int main(void)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "@OPTIONS@\n") == 0)
			put_options();
		else if (strcmp(line, "@ENDPOINTS@\n") == 0)
			put_endpoints();
		else
			fputs(line, stdout);
	}
	return fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
