// Network namespaces by the names that ip-netns(8) gives them. What a thread opens while it is in one stays there.
#pragma once
#include <stdbool.h>

bool netns_is_name(const char *name);
// The calling thread goes there; *back is for netns_leave(). 0 or -errno, and then it is where it was. name NULL or "": it stays.
int netns_enter(const char *name, int *back);
// And comes back. A process that cannot has no place of its own any more: it ends.
void netns_leave(int back);
