// `top` on a terminal, drawn anew every few seconds and steered by single keys; elsewhere, as text or JSON, once or so many times.
// Plain escape sequences that every terminal of today knows.
#pragma once
#include "ctl.h"

// `words`: of its argument, `count` of them: seconds=N, count=N, by=traffic|rx|tx|total|name. enum ctl_exit.
int topview_run(const struct ctl *ctl, const struct command *c, char *const *words, int count);
