// What a worker has of memory: as much as can be shared with the nursery and its other workers, as little as can be of its own.
// Nursery and worker, single thread.
#pragma once

// Before the first call of OpenSSL. From then on it puts together what every connection writes to (reference counts, locks), so
// that a fork copies few pages of the nursery's.
void memory_init(void);
// The nursery has all that its workers share: what they allocate comes on pages of their own.
void memory_settle(void);
// The worker is idle: what it does not need goes back to the kernel.
void memory_trim(void);
// The same for what deeper calls have left on the stack.
void memory_trim_stack(void);
