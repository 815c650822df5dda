// Checks of what is run for the operator: scripts, and commands for routes. See config_inside.h.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "control/main/hook_path.h"
#include "control/main/routecmd.h"

// It may be there by the time it is needed.
static void check_scripts(const struct config *c, struct config_log *log)
{
	static const enum opt scripts[] = { OPT_CONNECT_SCRIPT, OPT_DISCONNECT_SCRIPT, OPT_HOST_UPDATE_SCRIPT };

	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		if (config_given(c, scripts[i]) && access(config_str(c, scripts[i]), X_OK) < 0)
			config_say(log, LOG_LEVEL_WARN, config_line_of(c, scripts[i]), config_name(scripts[i]),
			           "%s cannot be run: %s%s", config_str(c, scripts[i]), strerror(errno),
			           scripts[i] == OPT_CONNECT_SCRIPT ? "; all clients will be refused" : "");
}

static void check_command(const struct config *c, enum opt o, struct config_log *log)
{
	static const struct addr network = { .family = 6, .prefix = 128 };
	const char *text = config_str(c, o), *why;
	char **argv = NULL, path[PATH_MAX];
	int ret;

	if (!text)
		return;
	ret = routecmd_words(text, &network, "vpns0", &argv, &why);
	if (ret == -EINVAL)
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, o), config_name(o), "'%s': %s", text, why);
	else if (ret == 0 && access(hook_path_find(argv[0], path), X_OK) < 0)
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, o), config_name(o), "%s cannot be run: %s", argv[0],
		           strerror(errno));
	routecmd_free(argv);
}

void config_check_hooks(const struct config *c, struct config_log *log)
{
	bool add = config_given(c, OPT_ROUTE_ADD_CMD), del = config_given(c, OPT_ROUTE_DEL_CMD);

	check_scripts(c, log);
	check_command(c, OPT_ROUTE_ADD_CMD, log);
	check_command(c, OPT_ROUTE_DEL_CMD, log);
	if (add && !del)
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_ROUTE_ADD_CMD), "route-add-cmd",
		           "without route-del-cmd nothing takes these routes away");
	if (del && !add)
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_ROUTE_DEL_CMD), "route-del-cmd",
		           "it has no effect without route-add-cmd");
}
