// The command table for people and for programs. Pure but for the stream that it goes to.
#pragma once
#include <stdio.h>

int help_text(FILE *out); // 0
int help_json(FILE *out); // an array of objects: 0 or -errno
