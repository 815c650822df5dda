// What an outer packet may measure on the way to this client. Worker only.
#pragma once
#include <stdint.h>

// The least of what the client says of its path (X-CSTP-Base-MTU, 0: nothing) and what the kernel knows of it (0: nothing).
uint16_t mtu_base(uint16_t said, uint32_t path);
// The kernel's path MTU of a connected TCP socket; 0 where it does not know.
uint32_t mtu_path(int fd);
