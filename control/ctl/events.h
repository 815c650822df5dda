// `show events`: each is written as it comes, a line for people or an object for programs.
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "proto/messages.h"

struct events {
	FILE *out;
	bool json;
};

// 0, or -errno where nobody takes it.
int events_add(const struct events *e, const struct msg_admin_event *m);
