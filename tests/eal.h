// DPDK's environment for a unit test: plain memory, no devices, nothing left behind.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>

static inline void eal_for_test(void)
{
	char prefix[64];
	char *argv[] = { (char *)"test",
		         (char *)"--no-huge",
		         (char *)"-m",
		         (char *)"64",
		         (char *)"--no-shconf",
		         (char *)"--no-pci",
		         (char *)"--no-telemetry",
		         (char *)"--iova-mode=va",
		         (char *)"--lcores=0@0",
		         (char *)"--log-level=error",
		         prefix,
		         NULL };

	snprintf(prefix, sizeof(prefix), "--file-prefix=test-%d", (int)getpid());
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv) < 0) {
		fprintf(stderr, "EAL does not start\n");
		exit(1);
	}
	rmdir(rte_eal_get_runtime_dir());
}
