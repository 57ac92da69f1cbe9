/* SPDX-License-Identifier: BSD-2-Clause */
/* mark.h - tells a machine that looks on (tools/meter, mode trace) that a worker's next step has returned: a no-op of
 * its own bytes for each worker, which nothing else contains. */
#pragma once

#include "steps.h"

#define MARK_OF(worker) (0x50545300 | (worker)) /* "\x00STP" */
#define MARK(worker) __asm__ volatile("nopl %c0(%%rax, %%rax)" : : "i"(MARK_OF(worker)) : "memory")

_Static_assert(COLD_WORKERS_MAX == 4, "one mark for each worker");

static inline void mark_step(uint32_t worker)
{
	switch (worker) {
	case 0:
		MARK(0);
		break;
	case 1:
		MARK(1);
		break;
	case 2:
		MARK(2);
		break;
	default:
		MARK(3);
		break;
	}
}
