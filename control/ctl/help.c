#include "help.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "commands.h"

#define WIDTH 26

static void list_one(FILE *out, const struct command *c)
{
	const char *argument = command_argument_name(c->argument);
	int width = (int)(strlen(c->words) + strlen(argument) + (argument[0] ? 1 : 0));

	fprintf(out, "  %s%s%s%*s  %s\n", c->words, argument[0] ? " " : "", argument, width < WIDTH ? WIDTH - width : 0, "",
	        c->help);
}

int help_text(FILE *out)
{
	for (size_t i = 0; i < commands_count; i++)
		if (!commands[i].alias_of)
			list_one(out, &commands[i]);
	return 0;
}

static const char *answer_name(enum command_answer answer)
{
	static const char *const names[] = {
		[ANSWER_TABLE] = "table",   [ANSWER_RECORDS] = "records", [ANSWER_STATUS] = "status",
		[ANSWER_EVENTS] = "events", [ANSWER_DONE] = "done",       [ANSWER_LOCAL] = "local",
	};

	return names[answer];
}

static json_t *object_of(const struct command *c)
{
	return json_pack("{s:s, s:s, s:b, s:s, s:s}", "command", c->words, "argument", command_argument_name(c->argument),
	                 "read only", c->right == RIGHT_READ, "answer", answer_name(c->answer), "help", c->help);
}

int help_json(FILE *out)
{
	json_t *list = json_array();
	int ret = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < commands_count && ret == 0; i++)
		if (!commands[i].alias_of && json_array_append_new(list, object_of(&commands[i])) < 0)
			ret = -ENOMEM;
	if (ret == 0 && (json_dumpf(list, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF))
		ret = -EIO;
	json_decref(list);
	return ret;
}
