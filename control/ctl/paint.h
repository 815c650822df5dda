// Colours for what people look for in an answer: who is connected, what is up, what was dropped. One table of keys and texts.
// Pure.
#pragma once
#include "answer.h"

// Before the cell's text; "" where it has no colour. What follows it ends with PAINT_END then.
const char *paint(const struct cell *c);
#define PAINT_END "\033[0m"
