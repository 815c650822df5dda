#include "control/main/logline.h"

#include <string.h>

#include "proto/log.h"

#define WHO_MAX 48

static void defuse(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
}

struct logline logline_parse(char *line)
{
	struct logline l = { LOG_LEVEL_ERR, NULL, line };
	char *colon;

	defuse(line);
	if (line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
		return l;
	// only the system itself is in an emergency
	if (line[1] - '0' > LOG_LEVEL_ERR)
		l.level = line[1] - '0';
	l.text = line + 3;
	colon = strstr(line + 3, ": ");
	if (!colon || colon - l.text > WHO_MAX)
		return l;
	*colon = 0;
	l.who = l.text;
	l.text = colon + 2;
	return l;
}
