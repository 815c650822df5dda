// Secrets have one kind of end.
#pragma once
#include <stdbool.h>
#include <stddef.h>

void secret_wipe(void *p, size_t len);                       // explicit_bzero
bool secret_equal(const void *a, const void *b, size_t len); // constant time
int secret_random(void *out, size_t len);                    // getrandom(2), whole or -EIO
