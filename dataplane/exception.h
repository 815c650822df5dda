// The queues of frames to the kernel's TAPs beside NICs of ours: one a core and TAP. Poll cores; exception_init() before they run.
#pragma once
#include "lcore.h"

int exception_init(struct lcore *lc); // after lc->dp knows its ports; 0 or -ENOMEM
void exception_add(struct lcore *lc, uint8_t tap, struct rte_mbuf *m);
unsigned exception_flush(struct lcore *lc); // a few of each queue; how many still wait
