// How what goes to a client over TCP leaves the machine: net-priority and output-buffer. Worker only. What the kernel does not
// grant is logged and gone without.
#pragma once
#include <stddef.h>
#include <stdint.h>

// tos: of its packets (IPv6: traffic class); priority: of the kernel's queues, 0 to 6. 0: as it is.
void egress_mark(int socket, uint8_t tos, uint8_t priority);
// No more than so many bytes wait in the kernel for the client to take.
void egress_limit(int socket, size_t bytes);
